"""Every gate on a database of the guide's shape: seen to pass, seen to fail, honest about what is not there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from doctoring import guide_shape
from gating import EVENTS, LONG_AGO, Released, carried, guide_deployed, now, sent, verdicts
from sitevault.db.connect import Database, connect
from sitevault.demo import incident
from sitevault.observe.kpis import Verdict
from sitevault.release.judge import freeze

PASS, FAIL, INCONCLUSIVE, NO_DATA = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NO_DATA


@pytest.fixture
def released(new_database: Callable[[str], Database]) -> Released:
    return guide_deployed(new_database("template0"))


@pytest.fixture
def healthy(released: Released) -> Released:
    carried(released.database)
    return released


def test_healthy_traffic_passes_every_gate(healthy: Released) -> None:
    judgement = healthy.judged()
    assert set(verdicts(judgement).values()) == {PASS}, [
        one for one in judgement.results if one.verdict is not PASS
    ]
    assert judgement.verdict is PASS


def test_nothing_received_is_no_data(released: Released) -> None:
    found = verdicts(released.judged())
    assert {name for name, one in found.items() if one is not NO_DATA} == {"drift"}


def test_the_five_events_of_the_incident_prove_nothing(new_database: Callable[[str], Database]) -> None:
    database = new_database("template0")
    with connect(database.admin_conninfo) as conn:
        incident.build(conn, "v1", events=False)
        incident.mend(conn)
    released = Released(database, "guide", LONG_AGO)
    carried(database, 5)
    judgement = released.judged()
    found = verdicts(judgement)
    assert found["success_rate"] is found["error_rate"] is INCONCLUSIVE
    assert judgement.verdict is NO_DATA
    assert released.gate("success_rate").more_needed == 69


def test_a_dead_pipeline_is_stopped_after_ten_events(released: Released) -> None:
    sent(released.database, 10)
    found = released.gate("success_rate", now(released.database) + timedelta(hours=1))
    assert (found.verdict, found.k, found.n) == (FAIL, 0, 10)


def test_an_event_that_says_processed_and_has_no_staging_row_is_lost(healthy: Released) -> None:
    sent(healthy.database, 1)
    healthy.run("UPDATE raw.site_tracking_events_r SET processing_status = 'PROCESSED'")
    found = healthy.judged()
    assert verdicts(found)["ledger"] is FAIL
    assert "1 events are marked as done and have no staging row" in healthy.gate("ledger").note


def test_events_in_error_fail_the_success_and_the_error_rate(healthy: Released) -> None:
    sent(healthy.database, 60)
    healthy.run(
        "UPDATE raw.site_tracking_events_r SET processing_status = 'ERROR' WHERE processing_status = 'PENDING'"
    )
    found = verdicts(healthy.judged())
    assert found["success_rate"] is found["error_rate"] is FAIL


def test_a_release_that_is_green_by_every_figure_and_takes_any_tenant_fails_by_the_tenancy_alone(
    released: Released,
) -> None:
    with connect(released.database.admin_conninfo) as conn:
        conn.execute(incident.text("03_functions").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"))
        incident.mend(conn, "staging", "browser", "second_door")
    carried(released.database)
    judgement = released.judged()
    assert {name for name, one in verdicts(judgement).items() if one is not PASS} == {"tenancy"}
    assert judgement.verdict is FAIL
    (found,) = judgement.of(FAIL)
    assert f"{EVENTS} contradict what shows whose they are" in found.note


def test_a_staging_function_that_looks_the_tenant_up_again_fails_the_tenancy(healthy: Released) -> None:
    healthy.run(
        "UPDATE staging.site_tracking_events_s"
        " SET tenant_hk = (SELECT tenant_hk FROM auth.tenant_h ORDER BY load_date LIMIT 1)"
        " WHERE raw_event_id = (SELECT max(raw_event_id) FROM raw.site_tracking_events_r)"
    )
    found = healthy.gate("tenancy")
    assert found.verdict is FAIL
    assert "1 contradict" in found.note


def test_events_without_a_key_are_counted_and_never_green(healthy: Released) -> None:
    healthy.run("UPDATE raw.site_tracking_events_r SET api_key_hk = NULL")
    found = healthy.gate("tenancy")
    assert found.verdict is INCONCLUSIVE
    assert f"{EVENTS} carry nothing that shows whose they are" in found.note


def test_events_that_the_door_of_before_misplaced_are_said_and_are_not_this_releases_doing(
    new_database: Callable[[str], Database],
) -> None:
    """The incident's own fix carries five such events: two contradict their tenant, two came without a key."""
    database = new_database("template0")
    with connect(database.admin_conninfo) as conn:
        incident.build(conn)
    released = Released(database, "guide", now(database))
    with connect(database.admin_conninfo) as conn:
        incident.mend(conn)
    carried(database)
    found = released.gate("tenancy")
    assert found.verdict is PASS
    assert "4 from before the deploy are not proved" in found.note


def test_a_fix_that_drops_enrichment_fails_by_the_null_rate(released: Released) -> None:
    with connect(released.database.admin_conninfo) as conn:
        mended = incident.text("fixed/staging")
        conn.execute(mended.replace("v_details->>'device_type', staging.browser_of(v_details)", "NULL, NULL"))
    carried(released.database)
    judgement = released.judged()
    failed = {one.name: one for one in judgement.of(FAIL)}
    assert {name for name, one in verdicts(judgement).items() if one is not PASS} == {"null_rate", "mapping"}
    found = failed["null_rate"]
    assert "browser of page_view: 100 % filled before, 0 of 100 now" in found.note
    assert "device_type of button_click" in found.note


def test_a_fix_that_drops_what_payloads_carry_fails_without_a_baseline_too(released: Released) -> None:
    with connect(released.database.admin_conninfo) as conn:
        mended = incident.text("fixed/staging")
        conn.execute(mended.replace("v_details->>'device_type', staging.browser_of(v_details)", "NULL, NULL"))
    carried(released.database)
    alone = Released(released.database, "guide", released.since)
    found = alone.gate("mapping")
    assert (found.verdict, found.note) == (FAIL, f"device_type: 0 of {EVENTS}")


def test_few_events_leave_the_mapping_open(released: Released) -> None:
    carried(released.database, 3)
    found = released.gate("mapping")
    assert found.verdict is INCONCLUSIVE
    assert found.more_needed is not None


def test_a_column_that_is_gone_is_empty(healthy: Released) -> None:
    healthy.run("ALTER TABLE staging.site_tracking_events_s DROP COLUMN browser")
    found = healthy.gate("null_rate")
    assert found.verdict is FAIL
    assert "browser of page_view" in found.note


def test_sessions_that_are_no_longer_found_fail_the_quality_whatever_score_is_claimed(healthy: Released) -> None:
    healthy.run(
        "UPDATE staging.site_tracking_events_s SET session_id = NULL, event_type = '', quality_score = 1"
        f" WHERE processed_timestamp >= '{healthy.since.isoformat()}'"
    )
    assert healthy.gate("quality").verdict is FAIL
    assert healthy.gate("quality_by_type").verdict is FAIL


def test_without_a_baseline_nothing_is_compared_and_nothing_is_green(healthy: Released) -> None:
    alone = Released(healthy.database, "guide", healthy.since)
    for name in ("quality_by_type", "null_rate"):
        assert alone.gate(name).verdict is NO_DATA


def test_the_time_from_arrival_can_prove_speed_and_never_slowness(healthy: Released) -> None:
    assert healthy.gate("processing_time").verdict is PASS
    healthy.run(
        "UPDATE staging.site_tracking_events_s SET processed_timestamp = processed_timestamp + interval '1 s'"
    )
    found = healthy.gate("processing_time")
    assert found.verdict is INCONCLUSIVE
    assert "the waiting is in it" in found.note


def test_times_that_somebody_measured_can_prove_both(healthy: Released) -> None:
    assert healthy.gate("processing_time", timings=[0.01] * 100).verdict is PASS
    assert healthy.gate("processing_time", timings=[0.2] * 100).verdict is FAIL


def test_staged_rows_without_their_event_or_twice_fail_the_references(healthy: Released) -> None:
    assert healthy.gate("references").verdict is PASS
    healthy.run(
        "ALTER TABLE staging.site_tracking_events_s DROP CONSTRAINT site_tracking_events_s_raw_event_id_key",
        "INSERT INTO staging.site_tracking_events_s"
        " (raw_event_id, tenant_hk, event_type, quality_score, record_source)"
        " SELECT raw_event_id, tenant_hk, event_type, 1, 'again' FROM staging.site_tracking_events_s"
        " ORDER BY raw_event_id DESC LIMIT 1",
    )
    found = healthy.gate("references")
    assert found.verdict is FAIL
    assert "twice for one event" in found.note


def test_an_event_that_waits_too_long_fails_the_freshness(healthy: Released) -> None:
    sent(healthy.database, 1)
    assert healthy.gate("freshness").verdict is PASS
    assert healthy.gate("freshness", now(healthy.database) + timedelta(minutes=2)).verdict is FAIL


def test_a_database_of_another_making_is_judged_as_far_as_it_can_be(
    new_database: Callable[[str], Database],
) -> None:
    """No keys, no score that could be about anything, no link from staging to raw."""
    database = new_database("template0")
    with connect(database.admin_conninfo) as conn:
        guide_shape(conn)
        conn.execute("ALTER TABLE staging.site_tracking_events_s DROP COLUMN raw_event_id")
        conn.execute("INSERT INTO auth.tenant_h (tenant_hk, tenant_bk) VALUES ('a', 'A')")
        conn.execute("INSERT INTO raw.site_tracking_events_r (tenant_hk, raw_payload) VALUES ('a', '{}')")
    released = Released(database, "guide", LONG_AGO)
    judgement = released.judged()
    assert {one for name, one in verdicts(judgement).items() if name != "drift"} == {NO_DATA}
    assert "does not name the raw event" in released.gate("success_rate").note
    with connect(database.admin_conninfo) as conn:
        assert freeze(conn, "guide", LONG_AGO).types == {}


def test_a_sample_of_another_making_without_keys_is_inconclusive_in_its_tenancy(
    new_database: Callable[[str], Database],
) -> None:
    database = new_database("template0")
    with connect(database.admin_conninfo) as conn:
        guide_shape(conn)
        conn.execute("INSERT INTO auth.tenant_h (tenant_hk, tenant_bk) VALUES ('a', 'A')")
        conn.execute("INSERT INTO raw.site_tracking_events_r (tenant_hk, raw_payload) VALUES ('a', '{}')")
    found = Released(database, "guide", LONG_AGO).gate("tenancy")
    assert found.verdict is INCONCLUSIVE
    assert "no column records the API key" in found.note
