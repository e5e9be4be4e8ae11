"""Stuck events are tried, the true cause comes out, and nothing of the trial stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.doctoring import snapshot_of

from sitevault.db.catalog import capture
from sitevault.db.connect import Database, connect
from sitevault.demo import incident
from sitevault.doctor.checks.queue import probe
from sitevault.doctor.model import Finding, Outcome, Verdict
from sitevault.doctor.queue import Waiting

STAGING = "staging.process_site_event(p_raw_event_id bigint)"
CATCH_UP = "staging.catch_up_site_event(p_raw_event_id bigint)"


def at_version(new_database: Callable[[str], Database], version: str) -> str:
    where = new_database("template0").admin_conninfo
    with connect(where) as admin:
        incident.build(admin, version)
    return where


def probed(where: str) -> Outcome:
    with snapshot_of(where) as snapshot:
        return probe.look(snapshot)


def of(outcome: Outcome, subject: str) -> list[Finding]:
    return [one for one in outcome.findings if one.subject == subject]


@pytest.mark.parametrize(
    ("version", "cause", "line"),
    [
        ("v1", "23502 not null violation: column event_type of staging.site_tracking_events_s", 40),
        ("v2", "21000 cardinality violation", 35),
        ("v3", "21000 cardinality violation", 35),
    ],
)
def test_behind_the_handler_the_cause_is_found_with_its_line(
    new_database: Callable[[str], Database], version: str, cause: str, line: int
) -> None:
    outcome = probed(at_version(new_database, version))
    (stopped,) = [one for one in of(outcome, STAGING) if one.message.startswith("stops")]
    assert f"stops 4 of 4 stuck events tried: {cause}" in stopped.message
    assert "said only: P0001" in stopped.message
    assert stopped.evidence[0].line == line
    assert stopped.evidence[0].counts["events alike"] == 5


def test_the_second_door_is_tried_too(incident_database: Database) -> None:
    (stopped,) = of(probed(incident_database.admin_conninfo), CATCH_UP)
    assert "23502" in stopped.message
    assert "event_type" in stopped.message


def test_with_the_first_cause_away_the_missing_column_is_next(new_database: Callable[[str], Database]) -> None:
    where = at_version(new_database, "v3")
    with connect(where) as admin:
        text = (
            incident.text("staging_v3").replace("jsonb_object_keys(v_event_data)", "1").replace("evt_", "event_")
        )
        admin.execute(text)  # type: ignore[call-overload]
    (stopped,) = [one for one in of(probed(where), STAGING) if one.message.startswith("stops")]
    assert "42703" in stopped.message
    assert "processed_timestamp" in stopped.message


def test_a_failure_that_a_silent_handler_swallows_is_named(new_database: Callable[[str], Database]) -> None:
    where = at_version(new_database, "v4")
    with connect(where) as admin:
        incident.mend(admin, "staging", "second_door")
    messages = [one.message for one in probed(where).findings]
    assert any("staging.browser_of" in one and "swallows 42883" in one for one in messages)


def test_the_mended_functions_let_everything_through(incident_database: Database) -> None:
    where = incident_database.admin_conninfo
    with connect(where) as admin:
        incident.mend(admin)
    outcome = probed(where)
    assert outcome.findings == ()
    assert outcome.count == 3


def test_nothing_of_the_trial_stays(incident_database: Database) -> None:
    where = incident_database.admin_conninfo

    def everything() -> tuple[object, ...]:
        with connect(where) as conn:
            rows = [
                conn.execute(f"SELECT xmin::text, ctid::text, t::text FROM {table} AS t ORDER BY 2").fetchall()  # type: ignore[call-overload]
                for table in ("raw.site_tracking_events_r", "staging.site_tracking_events_s", "auth.tenant_h")
            ]
            procs = conn.execute("SELECT oid, xmin::text, prosrc FROM pg_proc ORDER BY oid").fetchall()
            return capture(conn).digest, rows, procs

    before = everything()
    assert probed(where).verdict is Verdict.PROBLEM
    assert everything() == before


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("PERFORM pg_advisory_lock(1);", "pg_advisory_lock"),
        ("PERFORM dblink_exec('x', 'y');", "dblink_exec"),
        ("COPY (SELECT 1) TO PROGRAM 'cat';", "files"),
        ("EXECUTE 'SELECT ' || p_raw_event_id;", "at run time"),
        ("COMMIT;", "ends the transaction"),
    ],
)
def test_what_a_rollback_does_not_undo_is_not_tried(
    new_database: Callable[[str], Database], statement: str, reason: str
) -> None:
    where = at_version(new_database, "v1")
    with connect(where) as admin:
        admin.execute(
            incident.text("staging_v1").replace("    v_event_type :=", f"    {statement}\n    v_event_type :=", 1)
        )  # type: ignore[call-overload]
    (untried,) = of(probed(where), STAGING)
    assert untried.verdict is Verdict.UNKNOWN
    assert reason in untried.message


def test_no_value_of_a_payload_is_said(incident_database: Database) -> None:
    said = repr(probed(incident_database.admin_conninfo))
    for value in ("s-1001", "theonespa", "Firefox", "u-7"):
        assert value not in said


def test_in_our_own_house_stuck_events_are_unknown_and_a_dry_run_tries_them(database: Database) -> None:
    with snapshot_of(database) as snapshot:
        assert probe.look(snapshot).verdict is Verdict.OK
        old = Waiting(b"x" * 32, 3, 1e6, 0)
        snapshot.read("waiting", list)
        snapshot._parts["waiting"] = [old]
        (found,) = probe.look(snapshot).findings
    assert found.verdict is Verdict.UNKNOWN
    assert found.repair == "sitevault replay --status ERROR --dry-run"
