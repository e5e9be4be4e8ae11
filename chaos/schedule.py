"""Which fault when: drawn from a seed alone, so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from chaos.faults import ALL


class Strike(NamedTuple):
    """One fault of a run. `seed` is for what it chooses itself."""

    at: float
    """Seconds after the start, at the earliest."""
    fault: str
    seed: float
    spare: bool = False
    """Made only if kills are lacking: some find their victim down already, and do not count."""


_SPARE_PAUSE_SECONDS = 2.0


def draw(seed: int, kills: int, seconds: float, kinds: Sequence[str] = tuple(ALL)) -> list[Strike]:
    """Every kind once, in random order, then by weight until there are `kills` kills -9, over `seconds`.

    Then as many kills again, to spare.
    """
    chance = Random(f"{seed} schedule")
    names = list(kinds)
    chance.shuffle(names)
    killing = [kind for kind in kinds if ALL[kind].kills]
    while killing and sum(ALL[name].kills for name in names) < kills:
        names += chance.choices(kinds, [ALL[kind].weight for kind in kinds])
    moments = sorted(chance.uniform(0.0, seconds) for _ in names)
    planned = [Strike(at, name, chance.random()) for at, name in zip(moments, names, strict=True)]
    spare = chance.choices(killing, [ALL[kind].weight for kind in killing], k=kills) if killing else []
    return planned + [
        Strike(seconds + _SPARE_PAUSE_SECONDS * number, name, chance.random(), spare=True)
        for number, name in enumerate(spare, 1)
    ]
