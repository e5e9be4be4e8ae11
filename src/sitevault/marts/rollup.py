"""Days that are over: what the views say of them is kept, until a load touches the day again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import psycopg

from sitevault.db import queries

SQL = queries.load("rollups")

STEPS = (
    SQL.forget_days,
    SQL.roll_visitors,
    SQL.roll_sources,
    SQL.roll_devices,
    SQL.roll_paths,
    SQL.mark_days,
)
EVENTS = 50_000
"""Rolled up in one transaction, or one day: loads wait for as long as that takes."""
WAIT_MILLISECONDS = 500
SECONDS = 10.0
"""Of one turn; what is left waits for the next, and is answered from the sessions until then."""
AGAIN_SECONDS = 300.0
"""A day that late events keep changing is rolled up as often as that, and not after each of them."""


def roll_days(
    conn: psycopg.Connection[Any], seconds: float = SECONDS, again_seconds: float = AGAIN_SECONDS
) -> int:
    """Roll up days before today, for about so long; returns how many. `conn` is the worker's, autocommit.

    Raises psycopg.errors.LockNotAvailable where loads keep it waiting: try again later.
    """
    ends = time.monotonic() + seconds
    rolled = 0
    for tenant_hk, days in _groups(conn.execute(SQL.days_over, {"seconds": again_seconds}).fetchall()):
        if rolled and time.monotonic() > ends:
            break
        with conn.transaction():
            conn.execute(SQL.wait_at_most, {"milliseconds": str(WAIT_MILLISECONDS)})
            conn.execute(SQL.hold_loads_off)
            for step in STEPS:
                conn.execute(step, {"tenant_hk": tenant_hk, "days": days})
        rolled += len(days)
    return rolled


def _groups(over: Sequence[tuple[bytes, date, int]]) -> Iterator[tuple[bytes, list[date]]]:
    """Days of one tenant, together until they hold so many events."""
    group: list[date] = []
    held, whose = 0, b""
    for tenant_hk, day, events in over:
        if group and (tenant_hk != whose or held + events > EVENTS):
            yield whose, group
            group, held = [], 0
        whose = tenant_hk
        group.append(day)
        held += events
    if group:
        yield whose, group
