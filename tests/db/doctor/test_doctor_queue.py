"""The queue's checks: each finds its fault, and is quiet beside it."""

from __future__ import annotations

import pytest
from hypothesis import given as varied
from hypothesis import strategies as st
from tests import given
from tests.doctoring import look, run
from tests.observing import POISON, drain, refuse_poison

from sitevault.db.connect import Database
from sitevault.doctor.checks.queue import errors, ledger, pending, retries, silence, workers
from sitevault.doctor.model import Verdict
from sitevault.doctor.queue import anonymous
from sitevault.doctor.snapshot import Options

AT_ONCE = Options(pending_limit_seconds=0)
ROOM = (pending, errors, retries, ledger, workers, silence)

TENANTS = "INSERT INTO auth.tenant_h VALUES ('\\x01', 'spa'), ('\\x02', 'other')"


def events(
    status: str = "PENDING", age: str = "1 hour", error: str = "NULL", *, count: int = 1, more: str = "0"
) -> str:
    return (
        "INSERT INTO raw.site_tracking_events_r (tenant_hk, raw_payload, processing_status, received_timestamp,"
        f" error_message, retry_count) SELECT '\\x01', '{{}}', '{status}', now() - interval '{age}', {error}, "
        f"{more} FROM generate_series(1, {count}) AS n"
    )


@pytest.mark.parametrize("module", ROOM, ids=lambda module: module.ID)
def test_a_healthy_house_is_left_alone(database: Database, module: object) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(number)) for number in range(20)])
    drain(database)
    outcome = look(database, module.CHECK, AT_ONCE)  # type: ignore[attr-defined]
    assert outcome.findings == ()
    assert outcome.verdict is Verdict.OK


@pytest.mark.parametrize("module", ROOM, ids=lambda module: module.ID)
def test_healthy_tables_of_the_guides_shape_are_left_alone(guide: str, module: object) -> None:
    run(guide, TENANTS, events("PROCESSED", count=50), events("PENDING", "5 seconds"))
    outcome = look(guide, module.CHECK)  # type: ignore[attr-defined]
    assert outcome.findings == ()
    assert outcome.verdict is Verdict.OK


def test_pending_events_past_their_limit_are_found_with_their_tenant(database: Database) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(number)) for number in range(3)])
    (finding,) = look(database, pending.CHECK, AT_ONCE).findings
    assert finding.verdict is Verdict.PROBLEM
    assert finding.evidence[0].object == f"tenant {who.tenant_bk}"
    assert finding.evidence[0].counts["pending"] == 3
    assert look(database, pending.CHECK).findings == ()


@pytest.mark.parametrize("status", ["PENDING", "PROCESSING"])
def test_events_stuck_in_the_guides_table_are_found(guide: str, status: str) -> None:
    run(guide, TENANTS, events(status, "3 days", count=5))
    (finding,) = look(guide, pending.CHECK).findings
    assert "5 events" in finding.message
    assert "3 days" in finding.message
    assert finding.evidence[0].object == "tenant spa"


def test_a_table_without_a_status_cannot_tell_what_waits(guide: str) -> None:
    run(guide, "ALTER TABLE raw.site_tracking_events_r DROP COLUMN processing_status")
    assert look(guide, pending.CHECK).verdict is Verdict.UNKNOWN


def test_failed_events_of_the_house_are_grouped_by_their_cause(database: Database) -> None:
    one, other = given.sender(database), given.sender(database, "Test Company")
    refuse_poison(database)
    given.land(database, [given.row(one, given.page_view(n, page_title=POISON)) for n in range(3)])
    given.land(database, [given.row(other, given.page_view(9, page_title=POISON))])
    drain(database)
    (finding,) = look(database, errors.CHECK).findings
    assert finding.subject == "no_poison"
    assert finding.evidence[0].sqlstate == "23514"
    assert [evidence.counts["errors"] for evidence in finding.evidence] == [3, 1]
    assert POISON not in repr(finding)


def test_messages_that_differ_in_their_values_only_are_one_cause(guide: str) -> None:
    run(
        guide,
        TENANTS,
        events("ERROR", error="'invalid input syntax for type integer: \"secret' || n || '\"'", count=7),
        events(
            "ERROR", error='\'null value in column "event_type" of relation "site_tracking_events_s"\'', count=2
        ),
        events("ERROR"),
    )
    found = look(guide, errors.CHECK).findings
    assert [next(iter(one.evidence)).counts["errors"] for one in found] == [7, 2, 1]
    assert "secret" not in repr(found)
    assert '"event_type"' in found[1].message
    assert "no message was kept" in found[2].message


@varied(st.text(max_size=40), st.text(max_size=20))
def test_no_message_shows_a_quoted_value(value: str, key: str) -> None:
    clean = value.replace('"', "").replace("'", "").replace(")", "").replace("(", "")
    shown = anonymous(f'duplicate key: Key (x)=({clean}) and "{clean}" of "event_type" in {key}', {"event_type"})
    assert '"event_type"' in shown or len(shown) == 160
    if len(clean.strip()) > 3 and clean.strip() not in "duplicate key: Key and of event_type in" + key:
        assert clean.strip() not in shown


def test_what_was_tried_in_vain_is_found(guide: str) -> None:
    run(guide, TENANTS, events("PENDING", more="6"), events("ERROR", more="2"))
    (finding,) = look(guide, retries.CHECK).findings
    assert "6 times" in finding.message


def test_a_batch_that_is_retried_for_ever_is_found(database: Database) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(1))])
    assert look(database, retries.CHECK).findings == ()
    run(database, "UPDATE raw.batch SET attempts = 9")
    (finding,) = look(database, retries.CHECK).findings
    assert "9 times" in finding.message


def test_a_ledger_that_does_not_balance_is_found(database: Database) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(number)) for number in range(4)])
    drain(database)
    run(database, "UPDATE ops.ledger_d SET landed = landed + 2")
    (finding,) = look(database, ledger.CHECK).findings
    assert "+2" in finding.message


def test_work_without_a_worker_is_found(database: Database) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(1))])
    (finding,) = look(database, workers.CHECK, AT_ONCE).findings
    assert finding.verdict is Verdict.PROBLEM
    assert finding.repair == "sitevault serve --only worker"


def test_the_guides_queue_with_nobody_at_it_is_found(guide: str) -> None:
    run(guide, TENANTS, events("PENDING", "2 days", count=5))
    (finding,) = look(guide, workers.CHECK).findings
    assert "nothing was ever done" in finding.message
    run(guide, "INSERT INTO staging.site_tracking_events_s (tenant_hk, event_type) VALUES ('\\x01', 'page_view')")
    assert look(guide, workers.CHECK).findings == ()


def rhythm(tenant: str, days: int, *, silent: str) -> str:
    """An event every ten minutes by day, nothing by night, until it falls silent."""
    return (
        "INSERT INTO raw.site_tracking_events_r (tenant_hk, raw_payload, processing_status, received_timestamp)"
        f" SELECT '\\x{tenant}', '{{}}', 'PROCESSED', now() - interval '{silent}' - n * interval '10 minutes'"
        f" FROM generate_series(1, {days} * 144) AS n WHERE n % 144 < 90"
    )


@pytest.mark.parametrize(("silent", "found"), [("30 minutes", 0), ("8 hours", 0), ("3 days", 1)])
def test_silence_is_judged_by_the_tenants_own_rhythm(guide: str, silent: str, found: int) -> None:
    run(guide, TENANTS, rhythm("01", 14, silent=silent), rhythm("02", 14, silent="1 minute"))
    findings = look(guide, silence.CHECK).findings
    assert len(findings) == found
    assert all(finding.subject == "tenant spa" for finding in findings)


def test_who_has_no_rhythm_yet_is_not_judged_and_that_is_said(guide: str) -> None:
    run(guide, TENANTS, rhythm("01", 3, silent="2 days"))
    outcome = look(guide, silence.CHECK)
    assert outcome.findings == ()
    assert "1 tenants have too short a history" in outcome.notes[0]


def test_a_tenant_of_the_house_that_fell_silent_is_found_unless_suspended(database: Database) -> None:
    who = given.sender(database)
    run(
        database,
        "INSERT INTO raw.batch (batch_id, received_timestamp, events, tenant_hks, tenant_events, state)"
        " SELECT 9000 - n, now() - interval '4 days' - n * interval '1 hour', 1,"
        f" ARRAY['\\x{who.tenant_hk.hex()}'::bytea], ARRAY[1], 'PROCESSED' FROM generate_series(1, 400) AS n",
    )
    (finding,) = look(database, silence.CHECK).findings
    assert finding.subject == f"tenant {who.tenant_bk}"
    run(database, "ALTER TABLE auth.tenant_profile_s DISABLE TRIGGER USER")
    run(
        database,
        "INSERT INTO auth.tenant_profile_s SELECT tenant_hk, now(), name, 'suspended', ip_policy, mapping, "
        "hash_diff, record_source FROM auth.tenant_profile_s",
    )
    assert look(database, silence.CHECK).findings == ()
