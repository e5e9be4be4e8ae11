"""Making a day while workers load: it waits for them, and they for it, and never both for each other."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import psycopg
import pytest

from sitevault.db import queries
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.db.wire import dates, hash_keys, uuids
from sitevault.vault import load as vault
from sitevault.vault.arrivals import Arrivals
from sitevault.vault.load import settle_events
from sitevault.vault.model import HUBS

LATE_DAY = date(2020, 2, 29)
SQL = queries.load("worker")


def wait_until_somebody_waits(admin: psycopg.Connection) -> None:
    deadline = time.monotonic() + 10
    while not admin.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def make_late_day(database: Database) -> bool:
    with database.connect(Role.WORKER, autocommit=True) as conn:
        row = conn.execute(SQL.ensure_event_day, {"day": LATE_DAY}).fetchone()
        assert row is not None
        return bool(row[0])


NO_EVENTS = {"tenant_hks": hash_keys([]), "event_ids": uuids([]), "event_days": dates([])}


def looks(load: psycopg.Connection) -> None:
    load.execute(vault.SQL.find_known, NO_EVENTS)


def loads(load: psycopg.Connection) -> None:
    for table in ("site_event_nl", *(hub.table for hub in HUBS)):
        load.execute(f"INSERT INTO business.{table} SELECT * FROM business.{table} WHERE false")  # type: ignore[call-overload]


@pytest.mark.parametrize("done", [0, 1])
def test_a_day_is_made_while_a_load_is_under_way(database: Database, done: int) -> None:
    with (
        connect(database.admin_conninfo, autocommit=True) as admin,
        database.connect(Role.WORKER) as load,
        ThreadPoolExecutor(1) as beside,
    ):
        load.execute(vault.SQL.hold_hubs)
        for step in (looks, loads)[:done]:
            step(load)
        made = beside.submit(make_late_day, database)
        wait_until_somebody_waits(admin)
        for step in (looks, loads)[done:]:
            step(load)
        load.commit()
        assert made.result(20)


def test_a_load_holds_the_hubs_before_it_looks_at_an_event(database: Database) -> None:
    with connect(database.admin_conninfo, autocommit=True) as admin, database.connect(Role.WORKER) as load:
        settle_events(load, Arrivals([]), 1, datetime(2026, 6, 27, tzinfo=UTC))
        held = admin.execute(
            "SELECT relation::regclass::text FROM pg_locks WHERE mode = 'RowExclusiveLock' AND pid = %s",
            (load.info.backend_pid,),
        ).fetchall()
    assert {f"business.{hub.table}" for hub in HUBS} <= {table for (table,) in held}


def test_a_load_holds_the_hubs_in_the_order_of_who_waits_for_it() -> None:
    places = [vault.SQL.hold_hubs.index(hub.table) for hub in HUBS]
    assert places == sorted(places)


def test_the_hubs_are_locked_in_the_order_of_a_load(database: Database) -> None:
    with connect(database.admin_conninfo) as admin:
        admin.execute("SELECT ops.wait_for_loads('business.site_event_nl')")
        body = admin.execute("SELECT prosrc FROM pg_proc WHERE proname = 'wait_for_loads'").fetchone()
        held = admin.execute(
            "SELECT relation::regclass::text FROM pg_locks WHERE mode = 'ShareRowExclusiveLock'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
    assert {table for (table,) in held} == {f"business.{hub.table}" for hub in HUBS}
    assert body is not None
    places = [body[0].index(hub.table) for hub in HUBS]
    assert places == sorted(places)
