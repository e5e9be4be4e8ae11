"""How it was before the deploy: per event type, the scores and which columns were filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

OTHERS = "(other types)"
MOST_TYPES = 200
"""Types a baseline tells apart; whoever sends may invent types without end."""
LEAST_SHARE = 0.05


class OfType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The staged events of one type."""

    events: int
    scores: tuple[tuple[float, int], ...]
    """Each score with how many had it."""
    rows: int
    """Rows whose columns were counted: those that were not refused."""
    filled: dict[str, int]

    @property
    def histogram(self) -> dict[float, float]:
        """The scores as the bounds take them."""
        return {score: float(count) for score, count in self.scores}


NOTHING = OfType(0, (), 0, {})


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen window; written to and read from JSON by msgspec."""

    since: datetime
    until: datetime
    types: dict[str, OfType]

    @property
    def events(self) -> int:
        """Staged events of the window."""
        return sum(one.events for one in self.types.values())

    def comparable(self, min_events: int) -> bool:
        """Whether a single type, or all the rare ones together, have enough events to compare anything with."""
        return bool(pairs(self.types, {}, min_events))


def together(parts: Iterable[OfType]) -> OfType:
    """Several types as one."""
    listed = list(parts)
    scores: Counter[float] = Counter()
    filled: Counter[str] = Counter()
    for one in listed:
        scores.update(dict(one.scores))
        filled.update(one.filled)
    return OfType(
        sum(one.events for one in listed), tuple(sorted(scores.items())), sum(one.rows for one in listed),
        dict(sorted(filled.items())),
    )  # fmt: skip


def pairs(
    before: Mapping[str, OfType], now: Mapping[str, OfType], min_events: int
) -> dict[str, tuple[OfType, OfType]]:
    """What is compared with what: each frequent type of the baseline, and all the others together."""
    total = sum(one.events for one in before.values())
    least = max(min_events, LEAST_SHARE * total)
    own = [name for name, one in before.items() if one.events >= least and name != OTHERS]
    made = {name: (before[name], now.get(name, NOTHING)) for name in own}
    rest = (
        together(one for name, one in before.items() if name not in made),
        together(one for name, one in now.items() if name not in made),
    )
    return made | {OTHERS: rest} if rest[0].events >= min_events else made


def frequent(types: Mapping[str, OfType]) -> dict[str, OfType]:
    """At most MOST_TYPES of them, the rest as one."""
    by_size = sorted(types, key=lambda name: (-types[name].events, name))
    kept, rest = by_size[:MOST_TYPES], by_size[MOST_TYPES:]
    found = {name: types[name] for name in sorted(kept)}
    return found | {OTHERS: together(types[name] for name in rest)} if rest else found
