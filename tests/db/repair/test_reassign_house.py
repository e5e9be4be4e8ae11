"""Events that sit under another tenant than their key's owner are moved whole, and can be moved back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from given import Sender, land, page_view, row, sender
from sitevault import clock
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.repair import run
from sitevault.repair.ground import Ground
from sitevault.repair.makers import reassign_house
from sitevault.repair.makers.case import Case
from sitevault.repair.model import Action, Plan
from sitevault.worker.lane import Lane
from sitevault.worker.tenants import Tenants

COUNTS = """
SELECT tenant_bk, sum(landed)::int, sum(vaulted)::int, sum(duplicate)::int, sum(invalid)::int
FROM ops.ledger_d INNER JOIN auth.tenant_h USING (tenant_hk) GROUP BY 1 HAVING sum(landed) > 0 ORDER BY 1
"""
WHERE = "SELECT encode(tenant_hk, 'hex'), raw_event_id FROM {} ORDER BY 2"


def all_rows(database: Database, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connect(database.admin_conninfo, autocommit=True) as conn:
        return conn.execute(query, parameters).fetchall()  # type: ignore[arg-type]


def work(database: Database) -> None:
    lane = Lane(database, Config(), Tenants(database), "test-worker")
    while lane.work_once():
        pass
    lane.close()


def misplace(database: Database, from_: Sender, to: Sender) -> None:
    """What no part of Sitevault does: somebody edits the landed rows by hand, manifest included."""
    with connect(database.admin_conninfo, autocommit=True) as conn:
        conn.execute(
            "UPDATE raw.landed_event SET tenant_hk = %s WHERE tenant_hk = %s", (to.tenant_hk, from_.tenant_hk)
        )
        conn.execute("UPDATE raw.batch SET tenant_hks = ARRAY[%s]", (to.tenant_hk,))


@contextmanager
def grounds(database: Database) -> Iterator[tuple[Ground, Case]]:
    with (
        database.connect(Role.MIGRATOR, autocommit=True) as conn,
        database.connect(Role.JUDGE, autocommit=True) as reader,
    ):
        ground = Ground(conn, house=True)
        yield ground, Case(ground, reader, "tenancy.events", (), clock.now())


def planned(database: Database) -> Plan:
    with grounds(database) as (ground, case):
        return run.draft(ground, [one for one in reassign_house.make(case) if isinstance(one, Action)])


def applied(database: Database) -> Plan:
    plan = planned(database)
    with grounds(database) as (ground, _):
        run.apply(ground, plan, "tester")
    return plan


@pytest.fixture
def two(database: Database) -> tuple[Sender, Sender]:
    return sender(database, "The ONE Spa"), sender(database, "Test Company")


def place(database: Database, table: str) -> set[str]:
    return {tenant for tenant, _ in all_rows(database, WHERE.format(table))}


@pytest.mark.parametrize("moment", ["before it was loaded", "after it was refused"])
def test_a_misplaced_event_ends_in_its_own_tenants_vault(
    database: Database, two: tuple[Sender, Sender], moment: str
) -> None:
    spa, test = two
    land(database, [row(spa, page_view(number)) for number in range(4)])
    misplace(database, spa, test)
    if moment == "after it was refused":
        work(database)
        assert all_rows(database, "SELECT DISTINCT status, reason_code FROM raw.dead_letter") == [
            ("ERROR", "load.key_not_of_tenant")
        ]
    applied(database)
    work(database)
    assert (
        place(database, "raw.landed_event") == place(database, "business.site_event_nl") == {spa.tenant_hk.hex()}
    )
    assert all_rows(database, COUNTS) == [(spa.tenant_bk, 4, 4, 0, 0)]
    assert all_rows(database, "SELECT count(*) FROM raw.dead_letter WHERE status <> 'RESOLVED'") == [(0,)]


def test_what_the_other_tenant_made_of_it_is_taken_away(database: Database, two: tuple[Sender, Sender]) -> None:
    spa, test = two
    land(database, [row(spa, page_view(number)) for number in range(3)], [row(test, page_view(9))])
    work(database)
    with connect(database.admin_conninfo, autocommit=True) as conn:
        # the key of an event that was vaulted under Test Company turns out to be The ONE Spa's
        conn.execute(
            "UPDATE raw.landed_event SET api_key_hk = %s WHERE tenant_hk = %s", (spa.api_key_hk, test.tenant_hk)
        )
    applied(database)
    work(database)
    for table in ("raw.landed_event", "business.site_event_nl", "staging.site_tracking_events_s"):
        assert place(database, table) == {spa.tenant_hk.hex()}, table
    assert all_rows(database, COUNTS) == [(spa.tenant_bk, 4, 4, 0, 0)]


def test_the_same_event_sent_again_afterwards_is_a_duplicate(
    database: Database, two: tuple[Sender, Sender]
) -> None:
    spa, test = two
    land(database, [row(spa, page_view(1))])
    misplace(database, spa, test)
    applied(database)
    land(database, [row(spa, page_view(1))])
    work(database)
    assert all_rows(database, COUNTS) == [(spa.tenant_bk, 2, 1, 1, 0)]


def test_undo_before_anybody_worked_on_it_brings_back_every_row(
    database: Database, two: tuple[Sender, Sender]
) -> None:
    spa, test = two
    land(database, [row(spa, page_view(number)) for number in range(3)])
    misplace(database, spa, test)
    work(database)
    tables = ("raw.landed_event", "raw.batch", "raw.dead_letter", "business.site_event_nl")
    before = {table: all_rows(database, f"SELECT t::text FROM {table} AS t ORDER BY 1") for table in tables}
    plan = applied(database)
    assert all_rows(database, "SELECT t::text FROM raw.landed_event AS t ORDER BY 1") != before["raw.landed_event"]
    with grounds(database) as (ground, _):
        run.undo(ground, plan.digest, "tester")
    after = {table: all_rows(database, f"SELECT t::text FROM {table} AS t ORDER BY 1") for table in tables}
    assert after == before
    assert all_rows(database, COUNTS) == [(test.tenant_bk, 3, 0, 0, 0)]


def test_no_payload_is_in_the_plan(database: Database, two: tuple[Sender, Sender]) -> None:
    spa, test = two
    land(database, [row(spa, page_view(1, page_title="canary-7"))])
    misplace(database, spa, test)
    assert "canary-7" not in repr(planned(database))


def test_an_event_whose_key_is_its_tenants_is_left_alone(database: Database, two: tuple[Sender, Sender]) -> None:
    land(database, [row(one, page_view(1)) for one in two])
    with grounds(database) as (_, case):
        assert list(reassign_house.make(case)) == []


def test_both_tenants_and_the_house_have_it_in_their_audit_log(
    database: Database, two: tuple[Sender, Sender]
) -> None:
    spa, test = two
    land(database, [row(spa, page_view(1))])
    misplace(database, spa, test)
    applied(database)
    logged = all_rows(database, "SELECT tenant_hk FROM audit.entry WHERE action = 'repair.apply'")
    assert {bytes(tenant) for (tenant,) in logged} == {spa.tenant_hk, test.tenant_hk, bytes(32)}
