"""Who else is at work in the database, and for how long: a release waits for nobody, so it looks first."""

from __future__ import annotations

from collections.abc import Sequence

from sitevault.db import queries
from sitevault.release.contention import Holder
from sitevault.release.target import Target

SQL = queries.load("release_plan")

LONG_SECONDS = 30.0


def long(target: Target, seconds: float = LONG_SECONDS) -> list[Holder]:
    """Sessions that have been in one transaction for so long, the longest first."""
    return [Holder(*row) for row in target.ground.all(SQL.long_transactions, {"seconds": seconds})]


def holding(target: Target, relations: Sequence[str]) -> list[Holder]:
    """Sessions that hold a lock on one of these relations (qualified, quoted names) right now."""
    if not relations:
        return []
    return [Holder(*row) for row in target.ground.all(SQL.in_the_way, {"relations": list(relations)})]
