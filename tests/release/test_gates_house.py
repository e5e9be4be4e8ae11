"""Every gate on our own database: seen to pass, seen to fail, and honest where it knows nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gating import EVENTS, Released, house_deployed, many_loads, now, verdicts, visits
from given import Sender, land, page_view, row, sender
from observing import POISON, drain, refuse_poison
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.observe.kpis import Verdict
from sitevault.release.gates.model import Drift
from sitevault.release.judge import judge

PASS, FAIL, INCONCLUSIVE, NO_DATA = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NO_DATA


@pytest.fixture
def who(database: Database) -> Sender:
    return sender(database)


@pytest.fixture
def released(database: Database, who: Sender) -> Released:
    return house_deployed(database, who)


@pytest.fixture
def healthy(released: Released, who: Sender) -> Released:
    visits(released.database, who, 1_000)
    return released


def test_healthy_traffic_passes_every_gate(healthy: Released) -> None:
    many_loads(healthy)
    judgement = healthy.judged()
    assert set(verdicts(judgement).values()) == {PASS}, [
        one for one in judgement.results if one.verdict is not PASS
    ]
    assert judgement.verdict is PASS
    assert judgement.not_asked == ("availability",)


def test_nothing_received_is_no_data_for_every_gate_that_looks_at_the_window(released: Released) -> None:
    found = verdicts(released.judged())
    assert {name: one for name, one in found.items() if one is not NO_DATA} == {"ledger": PASS, "drift": PASS}
    assert released.judged().verdict is NO_DATA


def test_ten_good_events_are_inconclusive_and_say_how_many_more(released: Released, who: Sender) -> None:
    visits(released.database, who, 1_000, 10)
    found = released.gate("success_rate")
    assert (found.verdict, found.k, found.n, found.more_needed) == (INCONCLUSIVE, 10, 10, 64)
    assert found.seconds_needed is not None


def test_a_dead_pipeline_is_stopped_after_ten_events(released: Released, who: Sender) -> None:
    land(released.database, [row(who, page_view(1_000 + number)) for number in range(10)])
    found = released.gate("success_rate", now(released.database) + timedelta(hours=1))
    assert (found.verdict, found.k, found.n) == (FAIL, 0, 10)
    assert "10 overdue" in found.note


def test_events_still_in_time_are_no_sample(released: Released, who: Sender) -> None:
    land(released.database, [row(who, page_view(1_000 + number)) for number in range(10)])
    found = released.gate("success_rate")
    assert (found.verdict, found.n) == (NO_DATA, 0)
    assert "10 still in time" in found.note


def test_events_that_are_stuck_but_still_in_time_keep_a_release_from_passing(
    healthy: Released, who: Sender
) -> None:
    assert healthy.gate("success_rate").verdict is PASS
    stuck = [row(who, page_view(9_000 + number), received=healthy.since) for number in range(40)]
    land(healthy.database, stuck)
    found = healthy.gate("success_rate")
    assert (found.verdict, found.k, found.n) == (INCONCLUSIVE, EVENTS, EVENTS)


def test_events_that_came_last_and_are_still_in_time_keep_nobody_from_passing(
    healthy: Released, who: Sender
) -> None:
    land(healthy.database, [row(who, page_view(9_000 + number)) for number in range(40)])
    found = healthy.gate("success_rate")
    assert (found.verdict, found.k, found.n) == (PASS, EVENTS, EVENTS)


def test_events_in_error_fail_the_success_and_the_error_rate(healthy: Released, who: Sender) -> None:
    refuse_poison(healthy.database)
    land(healthy.database, [row(who, page_view(2_000 + number, page_title=POISON)) for number in range(60)])
    drain(healthy.database)
    found = verdicts(healthy.judged())
    assert found["success_rate"] is found["error_rate"] is FAIL
    assert healthy.gate("error_rate").k == 60


def test_an_event_that_is_in_no_place_breaks_the_ledger(healthy: Released, who: Sender) -> None:
    land(healthy.database, [row(who, page_view(2_000))])
    healthy.run("UPDATE raw.batch SET state = 'PROCESSED'")
    found = healthy.gate("ledger")
    assert found.verdict is FAIL
    assert "1 events of the window are in no place" in found.note


def test_poor_events_fail_the_quality(released: Released, who: Sender) -> None:
    poor = [row(who, {"event_type": "page_view", "event_id": str(number)}) for number in range(400)]
    land(released.database, poor)
    drain(released.database)
    assert released.gate("quality").verdict is FAIL
    assert released.gate("quality_by_type").verdict is FAIL


def test_a_score_counts_only_as_far_as_its_findings_bear_it_out(released: Released, who: Sender) -> None:
    poor = [row(who, {"event_type": "page_view", "event_id": str(number)}) for number in range(400)]
    land(released.database, poor)
    drain(released.database)
    released.run("UPDATE staging.site_tracking_events_s SET quality_score = 1")
    assert released.gate("quality").verdict is FAIL


def test_few_events_leave_the_quality_open(released: Released, who: Sender) -> None:
    visits(released.database, who, 1_000, 3)
    found = released.gate("quality")
    assert found.verdict is INCONCLUSIVE
    assert found.more_needed is not None


def test_a_type_that_lost_its_sessions_fails_against_its_baseline_though_the_mean_is_good(
    released: Released, who: Sender
) -> None:
    bare = [page_view(1_000 + number, session_id=None) for number in range(EVENTS)]
    land(released.database, [row(who, event) for event in bare])
    drain(released.database)
    assert released.gate("quality").verdict is PASS
    found = released.gate("quality_by_type")
    assert found.verdict is FAIL
    assert "page_view: 1.000 before, 0.800 now" in found.note


def test_without_a_baseline_nothing_is_compared_and_nothing_is_green(healthy: Released) -> None:
    alone = Released(healthy.database, "house", healthy.since)
    for name in ("quality_by_type", "null_rate"):
        assert alone.gate(name).verdict is NO_DATA


def test_enrichment_that_was_dropped_fails_by_the_null_rate_and_by_nothing_else(healthy: Released) -> None:
    many_loads(healthy)
    healthy.run(
        "UPDATE staging.site_tracking_events_s SET browser = NULL, os = NULL, device_class = NULL"
        f" WHERE processed_timestamp >= '{healthy.since.isoformat()}'"
    )
    judgement = healthy.judged()
    assert [one.name for one in judgement.of(FAIL)] == ["null_rate"]
    assert judgement.verdict is FAIL
    (found,) = judgement.of(FAIL)
    assert f"browser of page_view: 100 % filled before, 0 of {EVENTS} now" in found.note


def test_a_mapping_that_lost_a_field_fails_without_a_baseline_too(healthy: Released) -> None:
    healthy.run("UPDATE staging.site_tracking_events_s SET page_title = NULL")
    found = Released(healthy.database, "house", healthy.since).gate("mapping")
    assert (found.verdict, found.note) == (FAIL, f"page_title: 0 of {EVENTS}")


def test_a_column_filled_with_nothing_is_empty(healthy: Released) -> None:
    healthy.run("UPDATE staging.site_tracking_events_s SET page_title = ''")
    assert "page_title of page_view" in healthy.gate("null_rate").note


def test_slow_loads_fail_the_processing_time(healthy: Released) -> None:
    many_loads(healthy)
    assert healthy.gate("processing_time").verdict is PASS
    healthy.run("UPDATE ops.load SET finished_at = load_date + events * interval '150 ms'")
    found = healthy.gate("processing_time")
    assert (found.verdict, found.k) == (FAIL, 0)


def test_one_load_does_not_settle_how_fast_events_are(healthy: Released) -> None:
    assert healthy.gate("processing_time").verdict is INCONCLUSIVE


@pytest.mark.parametrize(
    "leak",
    [
        "UPDATE raw.landed_event SET tenant_hk = '{other}' WHERE raw_event_id = {raw}",
        "UPDATE staging.site_tracking_events_s SET tenant_hk = '{other}' WHERE raw_event_id = {raw}",
        "UPDATE business.site_event_nl SET tenant_hk = '{other}' WHERE raw_event_id = {raw}",
    ],
)
def test_one_event_under_another_tenant_fails_the_tenancy(healthy: Released, leak: str) -> None:
    assert healthy.gate("tenancy").verdict is PASS
    other = sender(healthy.database, "Test Company")
    with healthy.reading() as conn:
        (raw,) = conn.execute("SELECT max(raw_event_id) FROM raw.landed_event").fetchone() or (0,)
    healthy.run(leak.replace("{other}", f"\\x{other.tenant_hk.hex()}").replace("{raw}", str(raw)))
    found = healthy.gate("tenancy")
    assert found.verdict is FAIL
    assert "contradict" in found.note


def test_rows_that_nothing_confirms_are_never_green(healthy: Released) -> None:
    healthy.run("DELETE FROM raw.landed_event WHERE raw_event_id % 65536 = 3")
    found = healthy.gate("tenancy")
    assert found.verdict is INCONCLUSIVE
    assert "nothing that shows whose they are" in found.note


def test_a_reference_that_leads_nowhere_fails(healthy: Released) -> None:
    assert healthy.gate("references").verdict is PASS
    healthy.run("DELETE FROM business.site_page_h WHERE page_bk LIKE '%/3'")
    found = healthy.gate("references")
    assert found.verdict is FAIL
    assert "site_event_nl.page_hk" in found.note


def test_an_event_that_waits_too_long_fails_the_freshness(healthy: Released, who: Sender) -> None:
    land(healthy.database, [row(who, page_view(2_000))])
    assert healthy.gate("freshness").verdict is PASS
    found = healthy.gate("freshness", now(healthy.database) + timedelta(minutes=2))
    assert (found.verdict, found.n) == (FAIL, 1)


def test_who_waits_since_before_the_deploy_is_said_and_fails_nothing(healthy: Released, who: Sender) -> None:
    old = healthy.since - timedelta(hours=1)
    land(healthy.database, [row(who, page_view(2_000), received=old)])
    found = healthy.gate("freshness")
    assert found.verdict is PASS
    assert "1 wait since before the deploy" in found.note


def test_an_object_that_moved_since_is_drift(healthy: Released) -> None:
    with healthy.reading() as conn:
        moved = judge(conn, "house", healthy.since, drift=lambda: Drift(3, ("function business.hash_key",)))
        unknown = judge(conn, "house", healthy.since)
    assert verdicts(moved)["drift"] is FAIL
    assert verdicts(unknown)["drift"] is NO_DATA


def test_a_release_that_left_nothing_behind_has_nothing_that_could_drift(healthy: Released) -> None:
    with healthy.reading() as conn:
        assert verdicts(judge(conn, "house", healthy.since, drift=lambda: Drift(0)))["drift"] is PASS


def test_a_connection_that_commits_by_itself_does_as_well(healthy: Released) -> None:
    with healthy.database.connect(Role.JUDGE, autocommit=True) as conn:
        assert verdicts(judge(conn, "house", healthy.since))["success_rate"] is PASS


def test_judging_leaves_no_transaction_open_and_writes_nothing(healthy: Released) -> None:
    with healthy.reading() as conn:
        judge(conn, "house", healthy.since)
        assert conn.info.transaction_status.name == "IDLE"


def test_a_gate_that_may_not_read_is_no_data_and_the_others_are_judged(healthy: Released) -> None:
    healthy.run("REVOKE SELECT ON ops.load FROM sitevault_judge")
    judgement = healthy.judged()
    assert verdicts(judgement)["processing_time"] is NO_DATA
    assert verdicts(judgement)["success_rate"] is PASS
    assert "InsufficientPrivilege" in healthy.gate("processing_time").note
