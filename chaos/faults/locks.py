"""Somebody else's transactions: locks on every table in turn, on all of them at once, and an old snapshot."""

from __future__ import annotations

import time
from random import Random
from typing import LiteralString

import psycopg
from psycopg import sql

from chaos.faults.fault import SQL, Fault
from chaos.site import Site

MODES: dict[str, LiteralString] = {mode: mode for mode in ("ACCESS EXCLUSIVE", "SHARE ROW EXCLUSIVE")}


def _in_turn(site: Site, chance: Random) -> str:
    mode, seconds = chance.choice(list(MODES)), chance.uniform(0.05, 0.35)

    def hold() -> str:
        refused = 0
        with site.admin() as conn:
            conn.execute("SET lock_timeout = '3s'")
            tables = conn.execute(SQL.tables).fetchall()
            for table in tables:
                try:
                    with conn.transaction():
                        conn.execute(lock(table, mode))
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
            tables = conn.execute(SQL.tables).fetchall()
            order.shuffle(tables)
            held = 0
            try:
                with conn.transaction():
                    conn.execute("SET LOCAL lock_timeout = '3s'")
                    for table in tables:
                        conn.execute(lock(table, "SHARE ROW EXCLUSIVE"))
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
            conn.execute(lock(("raw", "batch"), "ACCESS EXCLUSIVE"))
            time.sleep(seconds)
        return f"raw.batch held for {seconds:.0f} s"

    site.go_on("lock the queue", hold)
    return "goes on beside the next faults"


def _old_snapshot(site: Site, chance: Random) -> str:
    seconds = chance.uniform(10.0, 40.0)

    def idle() -> str:
        with site.admin() as conn, conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            conn.execute(SQL.take_a_snapshot)
            time.sleep(seconds)
            conn.execute("SELECT 1")
        return f"idle in transaction for {seconds:.0f} s"

    site.go_on("old snapshot", idle)
    return "goes on beside the next faults"


def lock(table: tuple[str, ...], mode: str) -> sql.Composed:
    """The statement that holds a table until the end of the transaction."""
    return sql.SQL(SQL.lock_table).format(table=sql.Identifier(*table), mode=sql.SQL(MODES[mode]))


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
