"""Exactly the events that failed under a release are requeued: not told by time, in either direction."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from tests import given
from tests.release.targets import guide, house
from tests.replaying import assert_confirmed

from sitevault import clock
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.release import record, touched
from sitevault.release.record import Released
from sitevault.release.target import Target
from sitevault.worker.run import Worker

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def released(standing: str) -> Released:
    """A release of which only what stood before it matters here."""
    return Released(
        "r1", "b1", "fix", "1", "ada", "{}", "{}", "DEPLOYED", NOW, NOW, "ada", None, None, None, None, standing
    )


# -- the guide's shape -------------------------------------------------------------------------------------------


@pytest.fixture
def foreign(incident_database: Database) -> Iterator[Target]:
    with guide(incident_database) as target:
        yield target


def set_status(target: Target, number: int, status: str, message: str | None = None, **other: Any) -> None:
    target.ground.conn.execute(
        "UPDATE raw.site_tracking_events_r SET processing_status = %s, error_message = %s,"
        " received_timestamp = coalesce(%s, received_timestamp) WHERE raw_event_id = %s",
        (status, message, other.get("received"), number),
    )


def statuses(target: Target) -> dict[int, str]:
    rows = target.ground.all("SELECT raw_event_id, processing_status FROM raw.site_tracking_events_r")
    return dict(rows)  # type: ignore[arg-type]


def test_an_error_that_was_there_before_stays_however_late_it_was_received(foreign: Target) -> None:
    set_status(foreign, 5, "ERROR", "23502 of its own", received=clock.now() + timedelta(hours=1))
    release = released(touched.standing(foreign))
    set_status(foreign, 3, "ERROR", "42703 of the release")
    assert [event.raw_event_id for event in touched.touched(foreign, release)] == [3]
    assert touched.requeue(foreign, touched.touched(foreign, release)) == 1
    assert statuses(foreign) == {1: "PENDING", 2: "PENDING", 3: "PENDING", 4: "PENDING", 5: "ERROR"}


def test_an_event_that_waited_since_long_before_and_failed_under_the_release_is_requeued(foreign: Target) -> None:
    release = released(touched.standing(foreign))
    # received a year before the release, as all of the incident's events
    set_status(foreign, 1, "ERROR", "42703 of the release")
    (event,) = touched.touched(foreign, release)
    assert (event.raw_event_id, event.waited) == (1, True)
    touched.requeue(foreign, [event])
    assert statuses(foreign)[1] == "PENDING"
    row = foreign.ground.one("SELECT error_message FROM raw.site_tracking_events_r WHERE raw_event_id = 1")
    assert row == (None,)


def test_an_old_error_that_fails_once_more_under_the_release_stays_an_error(foreign: Target) -> None:
    set_status(foreign, 2, "ERROR", "before")
    release = released(touched.standing(foreign))
    set_status(foreign, 2, "ERROR", "again, otherwise")
    assert touched.touched(foreign, release) == []


def test_what_was_processed_is_not_requeued(foreign: Target) -> None:
    release = released(touched.standing(foreign))
    set_status(foreign, 1, "ERROR", "of the release")
    events = touched.touched(foreign, release)
    set_status(foreign, 1, "PROCESSED")
    assert touched.requeue(foreign, events) == 0
    assert statuses(foreign)[1] == "PROCESSED"


def test_requeueing_is_taken_back_with_the_transaction_it_is_part_of(foreign: Target) -> None:
    release = released(touched.standing(foreign))
    set_status(foreign, 1, "ERROR", "of the release")
    with foreign.ground.transaction(), foreign.ground.conn.transaction(force_rollback=True):
        assert touched.requeue(foreign, touched.touched(foreign, release)) == 1
    assert statuses(foreign)[1] == "ERROR"


def test_a_backlog_is_remembered_as_ranges(foreign: Target) -> None:
    set_status(foreign, 4, "ERROR", "x")
    assert json.loads(touched.standing(foreign)) == {"pending": [[1, 3], [5, 5]], "error": [[4, 4]]}


# -- the house ---------------------------------------------------------------------------------------------------


@pytest.fixture
def own(database: Database) -> Iterator[Target]:
    with house(database) as target:
        yield target


def refuse(database: Database, name: str, kind: str) -> None:
    with connect(database.admin_conninfo) as admin:
        admin.execute(
            psycopg.sql.SQL(
                "ALTER TABLE business.site_event_nl ADD CONSTRAINT {} CHECK (event_type <> {})"
            ).format(psycopg.sql.Identifier(name), psycopg.sql.Literal(kind))
        )


def accept(database: Database, name: str) -> None:
    with connect(database.admin_conninfo) as admin:
        admin.execute(
            psycopg.sql.SQL("ALTER TABLE business.site_event_nl DROP CONSTRAINT {}").format(
                psycopg.sql.Identifier(name)
            )
        )


def drain(database: Database) -> None:
    Worker(database, Config(), lanes=1).drain()


def letters(target: Target) -> dict[str, int]:
    rows = target.judge.execute("SELECT status, count(*)::int FROM raw.dead_letter GROUP BY 1").fetchall()
    return dict(rows)


def test_in_the_house_only_the_dead_letters_made_under_the_release_are_requeued(
    database: Database, own: Target
) -> None:
    spa, company = given.sender(database), given.sender(database, "Test Company")
    refuse(database, "older", "rotten")
    late = clock.now() + timedelta(minutes=50)
    given.land(database, [given.row(spa, given.page_view(1, event_type="rotten"), received=late)])
    drain(database)
    given.land(database, [given.row(company, given.page_view(2, event_type="poison"))])  # waits for the release
    release = released(touched.standing(own))
    refuse(database, "of_the_release", "poison")
    given.land(database, [given.row(spa, given.page_view(number, event_type="poison")) for number in (3, 4)])
    drain(database)
    assert letters(own) == {"ERROR": 4}
    events = touched.touched(own, release)
    assert sorted((event.tenant_hk, event.waited) for event in events) == sorted(
        [(company.tenant_hk.hex(), True), (spa.tenant_hk.hex(), False), (spa.tenant_hk.hex(), False)]
    )
    accept(database, "of_the_release")
    assert touched.requeue(own, events) == 3
    drain(database)
    assert letters(own) == {"ERROR": 1, "RESOLVED": 3}
    assert assert_confirmed(database).vaulted == 3


def test_a_dead_letter_that_was_requeued_before_the_release_and_fails_under_it_is_requeued(
    database: Database, own: Target
) -> None:
    who = given.sender(database)
    refuse(database, "older", "rotten")
    given.land(database, [given.row(who, given.page_view(number, event_type="rotten")) for number in (1, 2)])
    drain(database)
    with connect(database.admin_conninfo) as admin:
        admin.execute(
            "UPDATE raw.dead_letter SET status = 'PENDING', requeued_at = now()"
            " WHERE raw_event_id = (SELECT min(raw_event_id) FROM raw.dead_letter)"
        )
    release = released(touched.standing(own))
    drain(database)
    assert letters(own) == {"ERROR": 2}
    (event,) = touched.touched(own, release)
    assert event.waited


def test_an_older_dead_letter_that_is_requeued_under_the_release_and_fails_again_stays(
    database: Database, own: Target
) -> None:
    who = given.sender(database)
    refuse(database, "older", "rotten")
    given.land(database, [given.row(who, given.page_view(1, event_type="rotten"))])
    drain(database)
    release = released(touched.standing(own))
    with connect(database.admin_conninfo) as admin:
        admin.execute("UPDATE raw.dead_letter SET status = 'PENDING', requeued_at = now()")
    drain(database)
    assert letters(own) == {"ERROR": 1}
    assert touched.touched(own, release) == []


def test_what_stood_before_a_release_is_kept_with_it(own: Target) -> None:
    standing = json.loads(touched.standing(own))
    assert standing == {
        "load_id": 0,
        "requeued": {},
        "batches": {"pending": 0, "events": 0, "first": None, "last": None},
    }
    assert record.releases(own.ground) == []
