"""Day partitions: made a week ahead of the clock, and rows that fell beside them brought in."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg

from sitevault.db import queries

SQL = queries.load("partitions")

TABLES = (
    "raw.landed_event",
    "staging.site_tracking_events_s",
    "business.site_event_nl",
    "business.site_event_pii_ns",
)
"""Every table with a partition per day and a default one beside them."""


class Kept(NamedTuple):
    """What keeping the partitions in order did."""

    made: int
    moved: dict[str, int]
    """Rows moved out of the default partition, by table."""


def keep_in_order(conn: psycopg.Connection[Any]) -> Kept:
    """Empty the default partitions, then make a week of days ahead; `conn` is autocommit and may call both.

    One transaction per table. Raises psycopg.errors.LockNotAvailable after three seconds: try again later.
    """
    moved = {table: rows for table in TABLES if (rows := empty_default(conn, table))}
    row = conn.execute(SQL.ensure_partitions_ahead).fetchone()
    return Kept(row[0] if row else 0, moved)


def empty_default(conn: psycopg.Connection[Any], table: str) -> int:
    """Move the rows of a default partition into partitions of their days; returns how many."""
    row = conn.execute(SQL.empty_default, {"parent": table}).fetchone()
    return int(row[0]) if row else 0
