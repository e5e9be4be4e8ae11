"""Somebody else's transactions: locks on every table in turn, on all of them at once, and an old snapshot."""

from __future__ import annotations

import time
from random import Random

import psycopg
from psycopg import sql

from chaos.faults.fault import Fault
from chaos.site import Site

_TABLES = (
    "SELECT n.nspname, c.relname FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE n.nspname IN ('auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops')"
    " AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1, 2"
)
_MODES = ("ACCESS EXCLUSIVE", "SHARE ROW EXCLUSIVE")


def _in_turn(site: Site, chance: Random) -> str:
    mode, seconds = chance.choice(_MODES), chance.uniform(0.05, 0.35)

    def hold() -> str:
        refused = 0
        with site.admin() as conn:
            conn.execute("SET lock_timeout = '3s'")
            tables = conn.execute(_TABLES).fetchall()
            for table in tables:
                try:
                    with conn.transaction():
                        conn.execute(_lock(table, mode))
                        time.sleep(seconds)
                except psycopg.errors.LockNotAvailable:
                    refused += 1
        return f"{mode} on {len(tables) - refused} of {len(tables)} tables, {seconds:.2f} s each"

    site.go_on("lock every table", hold)
    return "goes on beside the next faults"


def _pile(site: Site, chance: Random) -> str:
    """Tables in random order, none let go before the end: deadlocks with whoever loads are meant to happen."""
    order, seconds = Random(chance.random()), chance.uniform(0.5, 3.0)

    def hold() -> str:
        with site.admin() as conn:
            tables = conn.execute(_TABLES).fetchall()
            order.shuffle(tables)
            held = 0
            try:
                with conn.transaction():
                    conn.execute("SET LOCAL lock_timeout = '3s'")
                    for table in tables:
                        conn.execute(_lock(table, "SHARE ROW EXCLUSIVE"))
                        held += 1
                        time.sleep(0.02)
                    time.sleep(seconds)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                return f"{type(error).__name__} after {held} tables"
        return f"{held} tables at once for {seconds:.1f} s"

    site.go_on("lock all tables", hold)
    return "goes on beside the next faults"


def _longer_than_a_flush_may_take(site: Site, chance: Random) -> str:
    seconds = chance.uniform(11.0, 12.5)

    def hold() -> str:
        with site.admin() as conn, conn.transaction():
            conn.execute(_lock(("raw", "batch"), "ACCESS EXCLUSIVE"))
            time.sleep(seconds)
        return f"raw.batch held for {seconds:.0f} s"

    site.go_on("lock the queue", hold)
    return "goes on beside the next faults"


def _old_snapshot(site: Site, chance: Random) -> str:
    seconds = chance.uniform(10.0, 40.0)

    def idle() -> str:
        with site.admin() as conn, conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            conn.execute("SELECT count(*) FROM raw.batch")
            time.sleep(seconds)
            conn.execute("SELECT 1")
        return f"idle in transaction for {seconds:.0f} s"

    site.go_on("old snapshot", idle)
    return "goes on beside the next faults"


def _lock(table: tuple[str, ...], mode: str) -> sql.Composed:
    return sql.SQL("LOCK TABLE {} IN {} MODE").format(sql.Identifier(*table), sql.SQL(mode))  # type: ignore[arg-type]


LOCKS = (
    Fault("lock every table", "every table locked in turn, ACCESS EXCLUSIVE or SHARE ROW EXCLUSIVE", _in_turn),
    Fault("lock all tables", "one transaction that piles up SHARE ROW EXCLUSIVE on all of them", _pile),
    Fault(
        "lock the queue",
        "raw.batch locked for longer than a flush may take: answers are unknown",
        _longer_than_a_flush_may_take,
        weight=0.5,
    ),
    Fault("old snapshot", "idle in transaction with a snapshot that grows old", _old_snapshot, weight=0.5),
)
