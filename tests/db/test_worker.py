"""The worker: from what landed to what is accounted for, whatever goes wrong on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as examples
from hypothesis import strategies as st
from tests import given

from sitevault import clock
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.vault import load as vault
from sitevault.worker.lane import as_ranges
from sitevault.worker.run import Worker

LEDGER: LiteralString = (
    "SELECT coalesce(sum(landed), 0)::int, coalesce(sum(vaulted), 0)::int, coalesce(sum(duplicate), 0)::int,"
    " coalesce(sum(invalid), 0)::int FROM ops.ledger_d"
)


@pytest.fixture
def judge(database: Database) -> Iterator[psycopg.Connection]:
    with database.connect(Role.JUDGE, autocommit=True) as conn:
        yield conn


def drain(database: Database, **settings: Any) -> int:
    return Worker(database, Config(**settings), lanes=1).drain()


@contextmanager
def running(database: Database, workers: int = 1, **settings: Any) -> Iterator[None]:
    stop = threading.Event()
    threads = [
        threading.Thread(target=Worker(database, Config(**settings)).run, args=(stop,)) for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def one(conn: psycopg.Connection, query: LiteralString, *parameters: object) -> Any:
    row = conn.execute(query, parameters).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def statuses(conn: psycopg.Connection) -> dict[str, int]:
    return dict(
        conn.execute(
            "SELECT processing_status, count(*)::int FROM raw.site_tracking_events_r GROUP BY 1"
        ).fetchall()
    )


def refuse_in_the_vault(database: Database, condition: LiteralString) -> None:
    """A constraint of the operator's own, so that the database refuses what staging found good."""
    with database.connect(Role.MIGRATOR) as conn:
        conn.execute("SET ROLE sitevault_owner")
        conn.execute(f"ALTER TABLE business.site_event_nl ADD CONSTRAINT operators_own CHECK ({condition})")


def accept_in_the_vault(database: Database) -> None:
    with database.connect(Role.MIGRATOR) as conn:
        conn.execute("SET ROLE sitevault_owner")
        conn.execute("ALTER TABLE business.site_event_nl DROP CONSTRAINT operators_own")


def test_what_landed_is_processed_and_in_the_vault(database: Database, judge) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(number)) for number in range(10)])
    assert statuses(judge) == {"PENDING": 10}
    assert drain(database) == 10
    assert statuses(judge) == {"PROCESSED": 10}
    assert one(judge, LEDGER) == (10, 10, 0, 0)


def test_batches_of_many_flushes_are_carried_in_claims(database: Database, judge) -> None:
    who = given.sender(database)
    given.land(database, *([given.row(who, given.page_view(number))] for number in range(40)))
    drain(database, claim_events=16)
    assert one(judge, "SELECT count(*)::int FROM ops.load") == 3
    assert one(judge, LEDGER) == (40, 40, 0, 0)


def test_an_invalid_event_is_processed_and_not_vaulted(database: Database, judge) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, {"page_url": "https://spa.example/"})])
    drain(database)
    assert statuses(judge) == {"PROCESSED": 1}
    assert one(judge, LEDGER) == (1, 0, 0, 1)


def test_one_poison_event_costs_itself_and_not_its_batch(database: Database, judge) -> None:
    who = given.sender(database)
    refuse_in_the_vault(database, "event_type <> 'poison'")
    events = [given.page_view(number) for number in range(50)]
    events[33]["event_type"] = "poison"
    given.land(database, [given.row(who, event) for event in events])
    drain(database)
    assert statuses(judge) == {"PROCESSED": 49, "ERROR": 1}
    letter = one(judge, "SELECT reason_code, sqlstate, constraint_name, attempts FROM raw.dead_letter")
    assert letter == ("load.rejected_by_database", "23514", "operators_own", 1)
    assert one(judge, LEDGER) == (50, 49, 0, 0)


def test_what_remains_without_the_poison_is_loaded_in_one_go(database: Database, judge) -> None:
    who = given.sender(database)
    refuse_in_the_vault(database, "event_type <> 'poison'")
    poison = {7, 8, 40}
    types = ["poison" if number in poison else "click" for number in range(64)]
    given.land(
        database, [given.row(who, given.page_view(number, event_type=kind)) for number, kind in enumerate(types)]
    )
    drain(database)
    # Loads of halves would each take their locks from the first key on, while those of the others are held.
    assert judge.execute("SELECT events, vaulted, error FROM ops.load ORDER BY 1").fetchall() == [
        (3, 0, 3),
        (61, 61, 0),
    ]
    assert statuses(judge) == {"PROCESSED": 61, "ERROR": 3}


def test_a_dead_letter_says_why_without_quoting_the_event(database: Database, judge) -> None:
    who = given.sender(database)
    refuse_in_the_vault(database, "event_type <> 'poison'")
    given.land(database, [given.row(who, given.page_view(1, event_type="poison", session_id="secret-session"))])
    drain(database)
    message = one(judge, "SELECT error_message FROM raw.site_tracking_events_r")
    assert "operators_own" in message
    assert "secret-session" not in message


def test_a_requeued_event_goes_through_once_its_cause_is_gone(database: Database, judge) -> None:
    who = given.sender(database)
    refuse_in_the_vault(database, "event_type <> 'poison'")
    given.land(database, [given.row(who, given.page_view(number, event_type="poison")) for number in range(3)])
    drain(database)
    accept_in_the_vault(database)
    with database.connect(Role.WORKER) as operator:
        requeued = operator.execute(
            "UPDATE raw.site_tracking_events_r SET processing_status = 'PENDING', error_message = NULL"
            " WHERE processing_status = 'ERROR'"
        )
        assert requeued.rowcount == 3
    assert statuses(judge) == {"PENDING": 3}
    drain(database)
    assert statuses(judge) == {"PROCESSED": 3}
    assert one(judge, LEDGER) == (3, 3, 0, 0)
    assert one(judge, "SELECT count(*)::int FROM raw.dead_letter WHERE status = 'RESOLVED'") == 3


def test_a_requeued_event_that_fails_again_is_an_error_again(database: Database, judge) -> None:
    who = given.sender(database)
    refuse_in_the_vault(database, "event_type <> 'poison'")
    given.land(database, [given.row(who, given.page_view(1, event_type="poison"))])
    drain(database)
    with database.connect(Role.WORKER) as operator:
        operator.execute(
            "UPDATE raw.site_tracking_events_r SET processing_status = 'PENDING', error_message = NULL"
        )
    drain(database)
    assert statuses(judge) == {"ERROR": 1}
    assert one(judge, "SELECT attempts FROM raw.dead_letter") == 2


def test_nothing_else_of_a_landed_event_can_be_updated(database: Database) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(1))])
    with database.connect(Role.WORKER) as operator, pytest.raises(psycopg.errors.FeatureNotSupported):
        operator.execute("UPDATE raw.site_tracking_events_r SET raw_payload = '{}'")
    with database.connect(Role.WORKER) as operator, pytest.raises(psycopg.errors.FeatureNotSupported):
        operator.execute("UPDATE raw.site_tracking_events_r SET processing_status = 'PROCESSED'")


def test_a_key_of_another_tenant_makes_a_dead_letter_and_not_a_row(database: Database, judge) -> None:
    spa, company = given.sender(database), given.sender(database, "Test Company")
    forged = spa._replace(api_key_hk=company.api_key_hk)
    given.land(database, [given.row(forged, given.page_view(1)), given.row(spa, given.page_view(2))])
    drain(database)
    assert one(judge, "SELECT reason_code FROM raw.dead_letter") == "load.key_not_of_tenant"
    assert one(judge, "SELECT count(*)::int FROM business.site_event_nl") == 1


def test_a_missing_column_makes_batches_wait_and_buries_nobody(database: Database, judge) -> None:
    who = given.sender(database)
    with database.connect(Role.MIGRATOR) as conn:
        conn.execute("SET ROLE sitevault_owner")
        conn.execute("ALTER TABLE business.site_page_h RENAME COLUMN page_bk TO renamed")
    given.land(database, [given.row(who, given.page_view(1))])
    with pytest.raises(psycopg.errors.UndefinedColumn):
        drain(database)
    assert statuses(judge) == {"PENDING": 1}
    attempts, last_error, waits = one(judge, "SELECT attempts, last_error, not_before > now() FROM raw.batch")
    assert (attempts, waits) == (1, True)
    assert last_error.startswith("42703")


def test_late_events_get_the_partition_of_their_day(database: Database, judge) -> None:
    who = given.sender(database)
    days_ago = clock.now() - timedelta(days=12)
    given.land(database, [given.row(who, given.page_view(1, timestamp=days_ago.isoformat()))])
    drain(database)
    assert one(judge, "SELECT event_day FROM business.site_event_nl") == days_ago.date()
    assert one(judge, "SELECT tableoid::regclass::text FROM business.site_event_nl").endswith(f"{days_ago:%Y%m%d}")


def test_two_workers_share_the_work_and_lose_nothing(database: Database, judge) -> None:
    who, other = given.sender(database), given.sender(database, "Test Company")
    given.land(
        database,
        *(
            [
                given.row(sender, given.page_view(number * 10 + place))
                for place in range(20)
                for sender in (who, other)
            ]
            for number in range(30)
        ),
    )
    with running(database, workers=2, claim_events=100):
        until(lambda: set(statuses(judge)) == {"PROCESSED"})
    # Events 0 to 309 of each tenant, most of them twice.
    assert one(judge, LEDGER) == (1200, 620, 580, 0)
    assert {orphans for _, orphans in judge.execute(vault.SQL.count_orphans)} == {0}


def test_a_running_worker_is_woken_by_what_lands(database: Database, judge) -> None:
    who = given.sender(database)
    with running(database, poll_seconds=60):
        with psycopg.connect(database.admin_conninfo, autocommit=True) as admin:
            listening = (
                "SELECT count(*)::int FROM pg_stat_activity "
                "WHERE starts_with(application_name, 'sitevault-worker-bell')"
            )
            until(lambda: one(admin, listening) > 0)
        given.land(database, [given.row(who, given.page_view(1))])
        until(lambda: statuses(judge) == {"PROCESSED": 1})


def test_a_worker_outlives_its_connections(database: Database, judge) -> None:
    who = given.sender(database)
    with running(database, poll_seconds=0.1):
        given.land(database, [given.row(who, given.page_view(1))])
        until(lambda: statuses(judge) == {"PROCESSED": 1})
        with psycopg.connect(database.admin_conninfo, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sitevault_worker'"
                " AND datname = current_database()"
            )
        given.land(database, [given.row(who, given.page_view(2))])
        until(lambda: statuses(judge) == {"PROCESSED": 2})


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@examples(
    flushes=st.lists(
        st.lists(
            st.tuples(st.integers(0, 8), st.sampled_from(["page_view", "click", "poison", None, "x" * 5000])),
            min_size=1,
            max_size=12,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_one_in_one_out_whatever_is_sent(poisoned: Database, flushes) -> None:
    who = given.sender(poisoned)
    sent = sum(map(len, flushes))
    given.land(
        poisoned,
        *(
            [
                given.row(who, given.page_view(number, event_type=kind, timestamp="2026-06-27T12:00:00Z"))
                for number, kind in flush
            ]
            for flush in flushes
        ),
    )
    drain(poisoned)
    with poisoned.connect(Role.JUDGE, autocommit=True) as judge:
        fates = one(
            judge,
            "SELECT (SELECT count(*) FROM raw.landed_event WHERE tenant_hk = %(t)s)::int,"
            " (SELECT sum(landed) FROM ops.ledger_d WHERE tenant_hk = %(t)s)::int,"
            " (SELECT count(*) FROM business.site_event_nl WHERE tenant_hk = %(t)s)::int,"
            " (SELECT count(*) FROM business.site_event_duplicate WHERE tenant_hk = %(t)s)::int,"
            " (SELECT count(*) FROM staging.site_tracking_events_s WHERE tenant_hk = %(t)s"
            "  AND validation_status = 'INVALID')::int,"
            " (SELECT count(*) FROM raw.dead_letter WHERE tenant_hk = %(t)s AND status = 'ERROR')::int".replace(
                "%(t)s", f"'\\x{who.tenant_hk.hex()}'"
            ),
        )
        landed, accounted, vaulted, duplicate, invalid, error = fates
        assert landed == accounted == sent
        assert sent == vaulted + duplicate + invalid + error
        ledger = judge.execute(
            "SELECT sum(vaulted)::int, sum(duplicate)::int, sum(invalid)::int FROM ops.ledger_d"
            " WHERE tenant_hk = %s",
            (who.tenant_hk,),
        ).fetchone()
        assert ledger == (vaulted, duplicate, invalid)


@pytest.fixture
def poisoned(database: Database) -> Database:
    refuse_in_the_vault(database, "event_type <> 'poison'")
    return database


def test_ranges_name_runs_of_batches_and_fit_a_notice() -> None:
    assert as_ranges([3, 1, 2, 7]) == "1-3,7-7"
    text = as_ranges(range(0, 100_000, 2))
    assert len(text) <= 7000
    assert not text.endswith(",")


def until(holds: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
