"""The ledger balances whatever arrives, says what the events themselves say, and notices when they differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from given import Sender, land, page_view, row, sender
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.observe import ledger
from sitevault.worker.run import Worker


@pytest.fixture
def judge(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(Role.JUDGE) as conn:
        yield conn


def drain(database: Database) -> None:
    Worker(database, Config(), lanes=1).drain()


def test_a_tenant_without_events_balances_at_zero(database: Database, judge: psycopg.Connection[Any]) -> None:
    sender(database)
    (line,) = ledger.read(judge).lines
    assert (line.landed, line.accounted, line.balanced) == (0, 0, True)


def test_a_landed_event_is_pending_until_a_worker_took_it(
    database: Database, judge: psycopg.Connection[Any]
) -> None:
    who = sender(database)
    land(database, [row(who, page_view(1)), row(who, page_view(2))])
    (line,) = ledger.read(judge).lines
    assert (line.landed, line.pending, line.vaulted, line.balanced) == (2, 2, 0, True)
    judge.rollback()
    drain(database)
    (line,) = ledger.read(judge).lines
    assert (line.landed, line.pending, line.vaulted, line.balanced) == (2, 0, 2, True)


def test_each_fate_has_its_column(database: Database, judge: psycopg.Connection[Any]) -> None:
    who = sender(database)
    land(
        database,
        [
            row(who, event)
            for event in (
                page_view(1),
                page_view(1, timestamp="2026-01-01T00:00:00Z"),
                page_view(2),
                {"no": "event type"},
            )
        ],
        [row(who, page_view(3)), row(who._replace(api_key_hk=bytes(32)), page_view(4))],
    )
    again = page_view(5)
    land(database, [row(who, again)], [row(who, again)])
    drain(database)
    with ledger.snapshot(judge):
        recounted = ledger.recount(judge)
    (line,) = recounted.ledger.lines
    assert (line.landed, line.vaulted, line.duplicate, line.invalid, line.error) == (8, 5, 1, 1, 1)
    assert recounted.confirmed


def test_tenants_are_counted_apart(database: Database, judge: psycopg.Connection[Any]) -> None:
    one, other = sender(database), sender(database)
    land(database, [row(one, page_view(1))], [row(other, page_view(1)), row(other, page_view(2))])
    drain(database)
    assert {line.tenant_bk: line.vaulted for line in ledger.read(judge).lines} == {
        one.tenant_bk: 1,
        other.tenant_bk: 2,
    }
    assert ledger.read(judge, one.tenant_hk).total.landed == 1


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        ("DELETE FROM business.site_event_nl", "vaulted"),
        ("DELETE FROM raw.landed_event", "landed"),
        ("DELETE FROM staging.site_tracking_events_s WHERE validation_status = 'INVALID'", "invalid"),
        ("UPDATE ops.ledger_d SET vaulted = vaulted + 1, landed = landed + 1", "vaulted"),
    ],
)
def test_a_recount_notices_what_the_ledger_cannot(
    database: Database, judge: psycopg.Connection[Any], damage: str, place: str
) -> None:
    who = sender(database)
    land(database, [row(who, page_view(1)), row(who, {"no": "event type"})])
    drain(database)
    _as_superuser(database, damage)
    with ledger.snapshot(judge):
        recounted = ledger.recount(judge)
    assert recounted.ledger.balanced
    assert not recounted.confirmed
    assert place in {found.place for found in recounted.disagreements}


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE ops.ledger_d SET vaulted = vaulted - 1",
        "UPDATE ops.ledger_d SET landed = landed + 1",
        "DELETE FROM ops.ledger_d",
        "UPDATE raw.batch SET state = 'PENDING'",
    ],
)
def test_the_ledger_itself_notices_when_one_witness_differs(
    database: Database, judge: psycopg.Connection[Any], damage: str
) -> None:
    who = sender(database)
    land(database, [row(who, page_view(1))], [row(who, page_view(2))])
    drain(database)
    assert ledger.read(judge).balanced
    judge.rollback()
    _as_superuser(database, damage)
    with ledger.snapshot(judge):
        recounted = ledger.recount(judge)
    assert not recounted.confirmed


def test_errors_in_opposite_directions_do_not_cancel_out(
    database: Database, judge: psycopg.Connection[Any]
) -> None:
    one, other = sender(database), sender(database)
    land(database, [row(one, page_view(1))], [row(other, page_view(2))])
    drain(database)
    for who, change in ((one, 1), (other, -1)):
        _as_superuser(
            database,
            f"UPDATE ops.ledger_d SET vaulted = vaulted + {change} WHERE tenant_hk = '\\x{who.tenant_hk.hex()}'",
        )
    book = ledger.read(judge)
    assert book.total.difference == 0
    assert not book.balanced


def test_events_of_no_tenant_are_a_line_that_does_not_balance(
    database: Database, judge: psycopg.Connection[Any]
) -> None:
    nobody = Sender("nobody", bytes(range(32)), bytes(32), "")
    land(database, [row(nobody, page_view(1))])
    (line,) = ledger.read(judge).lines
    assert line.tenant_bk is None
    assert not line.balanced


def test_the_judge_can_change_nothing_within_a_report(database: Database, judge: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), ledger.snapshot(judge):
        judge.execute("CREATE TEMPORARY TABLE mine ()")


def _as_superuser(database: Database, statement: str) -> None:
    with connect(database.admin_conninfo) as admin:
        admin.execute(statement)  # type: ignore[call-overload]
