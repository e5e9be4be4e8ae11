"""Every KPI fails on the situation it is there to see, and is not fooled by what the pipeline says of itself."""

from __future__ import annotations

import pytest

from given import Sender, land, page_view, row, sender
from observing import EVER, POISON, as_superuser, drain, judging, refuse_poison
from sitevault.db.connect import Database
from sitevault.observe import kpis, ledger
from sitevault.observe.kpis import Kpi, Verdict, Window

ENOUGH = 70
NAMES = (
    "Processing Success Rate",
    "Data Quality Score",
    "Error Rate",
    "Processing Time",
    "Tenant Isolation",
    "Validation Status",
    "Enrichment Status",
)


def measure(database: Database, window: Window = EVER, pending_limit_seconds: int = 60) -> dict[str, Kpi]:
    with judging(database) as judge, ledger.snapshot(judge):
        return {kpi.name: kpi for kpi in kpis.measure(judge, window, pending_limit_seconds)}


def load(database: Database, who: Sender, events: int = ENOUGH) -> None:
    """Good events, loaded in several claims, so that there are loads to judge."""
    for first in range(0, events, 10):
        land(database, [row(who, page_view(first + n)) for n in range(min(10, events - first))])
        drain(database)


def test_clean_traffic_passes_every_kpi(database: Database) -> None:
    load(database, sender(database))
    table = measure(database)
    assert tuple(table) == NAMES
    assert {kpi.verdict for kpi in table.values()} == {Verdict.PASS}


def test_nothing_received_is_no_data(database: Database) -> None:
    sender(database)
    assert {kpi.verdict for kpi in measure(database).values()} == {Verdict.NO_DATA}


def test_pending_beyond_the_limit_is_a_failure_to_process(database: Database) -> None:
    who = sender(database)
    land(database, [row(who, page_view(n)) for n in range(ENOUGH)])
    assert measure(database, pending_limit_seconds=3600)["Processing Success Rate"].verdict is Verdict.FAIL, (
        "the window's end is far ahead, so these are old"
    )


def test_pending_within_the_limit_is_no_sample_yet(database: Database) -> None:
    who = sender(database)
    land(database, [row(who, page_view(n)) for n in range(ENOUGH)])
    with judging(database) as judge:
        (now,) = judge.execute("SELECT clock_timestamp()").fetchone() or (None,)
    table = measure(database, Window(EVER.since, now), pending_limit_seconds=3600)
    assert table["Processing Success Rate"].verdict is Verdict.NO_DATA


def test_dead_letters_fail_success_and_error_rate(database: Database) -> None:
    refuse_poison(database)
    who = sender(database)
    load(database, who, 60)
    land(database, [row(who, page_view(100 + n, page_title=POISON)) for n in range(20)])
    drain(database)
    table = measure(database)
    assert table["Processing Success Rate"].verdict is Verdict.FAIL
    assert table["Error Rate"].verdict is Verdict.FAIL
    assert table["Error Rate"].shown == "25.00% (20/80)"


def test_a_manifest_that_claims_to_be_processed_does_not_make_it_so(database: Database) -> None:
    who = sender(database)
    load(database, who)
    land(database, [row(who, page_view(1000))])
    as_superuser(database, "UPDATE raw.batch SET state = 'PROCESSED'")
    table = measure(database)
    assert table["Processing Success Rate"].verdict is Verdict.FAIL
    assert "1 LOST" in table["Processing Success Rate"].note


def test_invalid_events_were_processed_as_intended_and_fail_validation(database: Database) -> None:
    who = sender(database)
    load(database, who, 60)
    land(database, [row(who, {"n": n}) for n in range(20)])
    drain(database)
    table = measure(database)
    assert table["Processing Success Rate"].verdict is Verdict.PASS
    assert table["Validation Status"].verdict is Verdict.FAIL


def test_poor_events_fail_the_quality(database: Database) -> None:
    who = sender(database)
    land(database, [row(who, {"event_type": "page_view", "event_id": str(n)}) for n in range(400)])
    drain(database)
    assert measure(database)["Data Quality Score"].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "claim",
    [
        "UPDATE staging.site_tracking_events_s SET quality_score = 0.9",
        'UPDATE staging.site_tracking_events_s SET validation_errors = \'[{"code": "validate.session_missing"}]\'',
        "UPDATE staging.site_tracking_events_s SET event_type = NULL",
        "UPDATE staging.site_tracking_events_s SET validation_status = 'INVALID'",
    ],
)
def test_a_score_or_status_its_findings_do_not_bear_out_fails_validation(database: Database, claim: str) -> None:
    load(database, sender(database))
    as_superuser(database, claim)
    assert measure(database)["Validation Status"].verdict is Verdict.FAIL


def test_slow_loads_fail_the_processing_time(database: Database) -> None:
    load(database, sender(database))
    as_superuser(database, "UPDATE ops.load SET finished_at = load_date + events * interval '150 ms'")
    kpi = measure(database)["Processing Time"]
    assert (kpi.verdict, kpi.value) == (Verdict.FAIL, pytest.approx(0.150))


def test_enrichment_that_lost_its_device_fails_though_it_says_enriched(database: Database) -> None:
    load(database, sender(database))
    as_superuser(database, "UPDATE staging.site_tracking_events_s SET device_class = NULL, browser = NULL")
    assert measure(database)["Enrichment Status"].verdict is Verdict.FAIL


def test_partial_enrichment_fails(database: Database) -> None:
    load(database, sender(database))
    as_superuser(database, "UPDATE staging.site_tracking_events_s SET enrichment_status = 'PARTIAL'")
    assert measure(database)["Enrichment Status"].verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "leak",
    [
        "UPDATE raw.landed_event SET tenant_hk = '{other}' WHERE raw_event_id = {raw}",
        "UPDATE raw.landed_event SET api_key_hk = sha256('a') WHERE raw_event_id = {raw}",
        "UPDATE staging.site_tracking_events_s SET tenant_hk = '{other}' WHERE raw_event_id = {raw}",
        "UPDATE business.site_event_nl SET tenant_hk = '{other}' WHERE raw_event_id = {raw}",
        "UPDATE business.site_page_h SET tenant_hk = '{other}' WHERE page_bk LIKE '%/3'",
        "UPDATE business.site_session_h SET session_bk = 'stolen' WHERE session_bk = 'session-1'",
        "UPDATE business.site_session_h SET session_bk = NULL WHERE session_bk = 'session-1'",
    ],
)
def test_one_row_under_another_tenant_fails_the_isolation(database: Database, leak: str) -> None:
    who, other = sender(database), sender(database, "Test Company")
    load(database, who)
    assert measure(database)["Tenant Isolation"].verdict is Verdict.PASS
    with judging(database) as judge:
        (raw,) = judge.execute("SELECT max(raw_event_id) FROM raw.landed_event").fetchone() or (None,)
    as_superuser(database, leak.replace("{other}", f"\\x{other.tenant_hk.hex()}").replace("{raw}", str(raw)))
    assert measure(database)["Tenant Isolation"].verdict is Verdict.FAIL


def test_vault_rows_without_their_raw_rows_are_unverifiable_and_not_green(database: Database) -> None:
    load(database, sender(database))
    as_superuser(database, "DELETE FROM raw.landed_event WHERE raw_event_id % 65536 = 3")
    kpi = measure(database)["Tenant Isolation"]
    assert kpi.verdict is Verdict.INCONCLUSIVE
    assert "no raw row to compare with" in kpi.note


def test_a_tenants_table_is_of_its_events_only(database: Database) -> None:
    one, other = sender(database), sender(database, "Test Company")
    load(database, one, 10)
    land(database, [row(other, {"n": n}) for n in range(5)])
    drain(database)
    table = measure(database, Window(EVER.since, EVER.until, other.tenant_hk))
    assert table["Processing Success Rate"].sample == 5
    assert table["Validation Status"].value == 0.0
