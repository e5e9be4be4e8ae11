"""Events are let in again by steps while the workers pause; a FAIL stops, and what was carried is known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests import given
from tests.release.targets import Heard, guide, house, pending
from tests.replaying import assert_confirmed

from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.demo import incident
from sitevault.errors import UsageError
from sitevault.observe.kpis import Verdict
from sitevault.release import canary, pause, record, touched
from sitevault.release.carriers import doors
from sitevault.release.environments import Scheduler
from sitevault.release.events import Teller, silent
from sitevault.release.model import ReleaseBlockedError
from sitevault.release.target import Target
from sitevault.worker.run import Worker

SILENT = Teller(silent, "testing")


class Asked:
    """A judge that remembers that it was asked, and answers in this order; then PASS."""

    def __init__(self, *answers: Verdict) -> None:
        self.times = 0
        self._answers = list(answers)

    def __call__(self) -> Verdict:
        self.times += 1
        return self._answers.pop(0) if self._answers else Verdict.PASS


def carried(target: Target) -> list[dict[str, Any]]:
    """What the journal says of each step."""
    entries = [entry for entry in record.journal(target.ground, "r1") if entry.step == "canary"]
    return [json.loads(entry.details) for entry in entries if entry.details]


# -- the house ---------------------------------------------------------------------------------------------------


@pytest.fixture
def own(database: Database) -> Iterator[Target]:
    with house(database) as target:
        pause.pause(target, "r1", "deploying", SILENT)
        yield target


def land(database: Database, who: given.Sender, *sizes: int, kind: str = "page_view") -> None:
    number = iter(range(100_000))
    given.land(
        database,
        *([given.row(who, given.page_view(next(number), event_type=kind)) for _ in range(size)] for size in sizes),
    )


def test_the_workers_stay_paused_while_steps_carry_events(database: Database, own: Target) -> None:
    land(database, given.sender(database), *[1] * 30)
    result = canary.run(own, "r1", ("1", "10"), SILENT, Asked())
    assert [(step.name, step.events, step.outcomes) for step in result.steps] == [
        ("1", 1, {"vaulted": 1}),
        ("10", 10, {"vaulted": 10}),
    ]
    assert not result.resumed
    assert Worker(database, Config(), lanes=1).drain() == 0
    assert pending(own.judge) == 19


def test_the_last_step_lets_the_workers_carry_the_rest(database: Database, own: Target) -> None:
    land(database, given.sender(database), *[1] * 30)
    assert canary.run(own, "r1", ("1", "all"), SILENT, Asked()).resumed
    assert pause.in_force(own) is None
    assert Worker(database, Config(), lanes=1).drain() == 29
    assert assert_confirmed(database).vaulted == 30


def test_a_batch_is_carried_whole_and_the_smallest_first(database: Database, own: Target) -> None:
    land(database, given.sender(database), 40, 7, 5, 90)
    heard = Heard()
    result = canary.run(own, "r1", ("1", "10", "50"), heard.teller, Asked())
    assert [step.events for step in result.steps] == [5, 7, 40]
    assert heard.said("5 events (the smallest batch holds more than 1)")
    assert heard.said("Step 10: 7 events: 7 vaulted")


def test_a_share_is_of_what_waits(database: Database, own: Target) -> None:
    land(database, given.sender(database), *[1] * 40)
    (step,) = canary.run(own, "r1", ("5%",), SILENT, Asked()).steps
    assert (step.wanted, step.events) == (2, 2)


def test_a_fail_stops_at_its_step_and_the_workers_stay_paused(database: Database, own: Target) -> None:
    land(database, given.sender(database), *[1] * 30)
    result = canary.run(own, "r1", ("1", "10", "all"), SILENT, Asked(Verdict.PASS, Verdict.FAIL))
    assert (result.stopped, result.failed_step, result.events, result.resumed) == (True, "10", 11, False)
    assert pause.in_force(own) is not None
    assert pending(own.judge) == 19


def test_an_inconclusive_step_goes_on(database: Database, own: Target) -> None:
    land(database, given.sender(database), *[1] * 5)
    asked = Asked(Verdict.INCONCLUSIVE, Verdict.NO_DATA)
    assert canary.run(own, "r1", ("1", "1", "all"), SILENT, asked).resumed


def test_where_nothing_waits_nobody_is_asked_and_the_workers_go_on(own: Target) -> None:
    asked = Asked(Verdict.FAIL)
    result = canary.run(own, "r1", ("1", "10", "5%", "tenants", "all"), SILENT, asked)
    assert (result.resumed, asked.times) == (True, 0)


def test_one_event_of_each_tenant_comes_before_tenant_by_tenant(database: Database, own: Target) -> None:
    for name in ("The ONE Spa", "Test Company", "Harbour Clinic"):
        land(database, given.sender(database, name), 2, 1, 3)
    result = canary.run(own, "r1", ("tenants",), SILENT, Asked())
    assert [step.events for step in result.steps] == [3, 5, 5, 5]
    assert assert_confirmed(database).vaulted == 18


def test_what_failed_in_the_canary_is_what_undoing_requeues(database: Database, own: Target) -> None:
    who = given.sender(database)
    land(database, who, *[1] * 3)
    standing = touched.standing(own)
    with connect(database.admin_conninfo) as admin:
        admin.execute("ALTER TABLE business.site_event_nl ADD CONSTRAINT own CHECK (event_type <> 'page_view')")
    (step,) = canary.run(own, "r1", ("1",), SILENT, Asked(Verdict.FAIL)).steps
    assert step.outcomes == {"error": 1}
    (noted, _) = carried(own)
    assert noted["why"] == {"load.rejected_by_database 23514": 1}
    release = record.Released(*["r1"] * 8, *[None] * 7, standing)  # type: ignore[arg-type]
    assert [event.raw_event_id for event in touched.touched(own, release)] == noted["raw_event_ids"]


def test_a_release_that_breaks_the_load_itself_stops_the_canary_and_loses_nothing(
    database: Database, own: Target
) -> None:
    land(database, given.sender(database), 1, 1)
    with connect(database.admin_conninfo) as admin:
        admin.execute("ALTER TABLE business.site_page_h RENAME COLUMN page_bk TO renamed")
    result = canary.run(own, "r1", ("1", "all"), SILENT, Asked())
    assert (result.failed_step, result.events) == ("1", 0)
    assert carried(own)[0]["broke"].startswith("42703")
    with connect(database.admin_conninfo) as admin:
        admin.execute("ALTER TABLE business.site_page_h RENAME COLUMN renamed TO page_bk")
    pause.resume(own, SILENT)
    assert Worker(database, Config(), lanes=1).drain() == 2


def test_dead_letters_that_were_sent_back_are_carried_one_by_one(database: Database, own: Target) -> None:
    pause.resume(own, SILENT)
    with connect(database.admin_conninfo) as admin:
        admin.execute("ALTER TABLE business.site_event_nl ADD CONSTRAINT own CHECK (event_type <> 'poison')")
    land(database, given.sender(database), 5, kind="poison")
    Worker(database, Config(), lanes=1).drain()
    with connect(database.admin_conninfo) as admin:
        admin.execute("ALTER TABLE business.site_event_nl DROP CONSTRAINT own")
        admin.execute("UPDATE raw.dead_letter SET status = 'PENDING', requeued_at = now()")
    pause.pause(own, "r1", "deploying", SILENT)
    result = canary.run(own, "r1", ("1", "3"), SILENT, Asked())
    assert [step.outcomes for step in result.steps] == [{"vaulted": 1}, {"vaulted": 3}]
    assert assert_confirmed(database).pending == 1


def test_another_releases_pause_is_not_resumed_by_steps(own: Target) -> None:
    with pytest.raises(ReleaseBlockedError, match="for release r1"):
        canary.run(own, "r2", ("all",), SILENT, Asked())


@pytest.mark.parametrize("steps", [("0",), ("5 %",), ("most",), ("all", "1"), ("-1",)])
def test_what_is_no_step_is_refused_before_anything_is_carried(own: Target, steps: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        canary.run(own, "r1", ("1", *steps), SILENT, Asked())
    assert carried(own) == []


# -- the guide's shape -------------------------------------------------------------------------------------------


@pytest.fixture
def foreign(incident_database: Database) -> Iterator[Target]:
    """The incident with its staging function mended, and nothing that could pause its jobs."""
    with guide(incident_database) as target:
        incident.mend(target.ground.conn)
        pause.pause(target, "r1", "deploying", SILENT)
        yield target


def statuses(target: Target) -> list[str]:
    rows = target.ground.all(
        "SELECT processing_status FROM raw.site_tracking_events_r ORDER BY received_timestamp"
    )
    return [status for (status,) in rows]


def test_single_events_go_through_the_databases_own_function(foreign: Target) -> None:
    result = canary.run(foreign, "r1", ("1", "2"), SILENT, Asked())
    assert [step.outcomes for step in result.steps] == [{"PROCESSED": 1}, {"PROCESSED": 2}]
    assert statuses(foreign) == ["PROCESSED"] * 3 + ["PENDING"] * 2
    assert [step["raw_event_ids"] for step in carried(foreign)] == [[1], [2, 3]]


def test_where_nothing_else_carries_events_the_canary_carries_all(foreign: Target) -> None:
    result = canary.run(foreign, "r1", ("1", "all"), SILENT, Asked())
    assert result.resumed
    assert statuses(foreign) == ["PROCESSED"] * 5


def test_a_failure_in_the_canary_stays_written_and_is_requeued_by_undoing(incident_database: Database) -> None:
    with guide(incident_database) as target:  # with every fault
        pause.pause(target, "r1", "deploying", SILENT)
        standing = touched.standing(target)
        result = canary.run(target, "r1", ("2", "all"), SILENT, Asked(Verdict.FAIL))
        assert result.steps[0].outcomes == {"ERROR": 2}
        assert statuses(target) == ["ERROR"] * 2 + ["PENDING"] * 3
        release = record.Released(*["r1"] * 8, *[None] * 7, standing)  # type: ignore[arg-type]
        assert touched.requeue(target, touched.touched(target, release)) == 2
        assert statuses(target) == ["PENDING"] * 5


def test_an_event_with_which_the_function_does_nothing_is_tried_once(foreign: Target) -> None:
    foreign.ground.conn.execute(
        "CREATE OR REPLACE FUNCTION staging.process_site_event(p_raw_event_id bigint) RETURNS boolean"
        " LANGUAGE plpgsql AS $$ BEGIN -- site_tracking_events_r, site_tracking_events_s\n RETURN false; END $$"
    )
    result = canary.run(foreign, "r1", ("all",), SILENT, Asked())
    assert result.steps[0].outcomes == {"PENDING": 5}


def test_the_functions_that_the_release_changed_are_the_ones_that_are_tried(incident_database: Database) -> None:
    with guide(incident_database) as target:
        both = ["staging.catch_up_site_event", "staging.process_site_event"]
        assert [door.name for door in doors(target, "r1")] == both
        target.ground.conn.execute(
            "INSERT INTO sitevault_release.release_object (release_id, kind, identity)"
            " VALUES ('r1', 'function', 'staging.process_site_event(bigint)')"
        )
        assert [door.name for door in doors(target, "r1")] == both[1:]


def test_with_a_scheduler_the_last_step_hands_over_to_it(incident_database: Database) -> None:
    jobs = "CREATE TABLE util.job (enabled boolean NOT NULL); INSERT INTO util.job VALUES (true)"
    with connect(incident_database.admin_conninfo) as admin:
        admin.execute(jobs)
    switch = Scheduler(pause="UPDATE util.job SET enabled = false", resume="UPDATE util.job SET enabled = true")
    with guide(incident_database, scheduler=switch) as target:
        incident.mend(target.ground.conn)
        pause.pause(target, "r1", "deploying", SILENT)
        assert target.ground.one("SELECT enabled FROM util.job") == (False,)
        assert canary.run(target, "r1", ("1", "all"), SILENT, Asked()).resumed
        assert target.ground.one("SELECT enabled FROM util.job") == (True,)
        assert statuses(target) == ["PROCESSED"] + ["PENDING"] * 4
