"""Which fault when: drawn from a seed alone, so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from chaos.faults import ALL

SPARE = 1.1


class Strike(NamedTuple):
    """One fault of a run. `seed` is for what it chooses itself."""

    at: float
    """Seconds after the start, at the earliest."""
    fault: str
    seed: float


def draw(seed: int, kills: int, seconds: float, kinds: Sequence[str] = tuple(ALL)) -> list[Strike]:
    """Every kind once, in random order, then by weight until there are `kills` kills -9, over `seconds`.

    A few more than that: one that finds its victim down already does not count.
    """
    chance = Random(f"{seed} schedule")
    names = list(kinds)
    chance.shuffle(names)
    more = any(ALL[kind].kills for kind in kinds)
    while more and sum(ALL[name].kills for name in names) < kills * SPARE:
        names += chance.choices(kinds, [ALL[kind].weight for kind in kinds])
    moments = sorted(chance.uniform(0.0, seconds) for _ in names)
    return [Strike(at, name, chance.random()) for at, name in zip(moments, names, strict=True)]
