"""Each KPI can pass, can fail, and says when a sample proves neither."""

from __future__ import annotations

from typing import Any

import pytest

from sitevault.observe import kpis
from sitevault.observe.kpis import Kpi, Verdict


def outcomes(**changes: int) -> dict[str, Any]:
    counts = {"received": 0, "processed": 0, "error": 0, "overdue": 0, "in_time": 0, "lost": 0} | changes
    return counts | {"received": changes.get("received", sum(counts.values()))}


def test_five_of_five_prove_little_and_say_how_many_more_are_needed() -> None:
    kpi = kpis.success_rate(**outcomes(processed=5))
    assert kpi.verdict is Verdict.INCONCLUSIVE
    assert kpi.shown == "100% (5/5)"
    assert kpi.note == "5 of 5 proves only ≥ 0.549, 54 more clean events needed"


@pytest.mark.parametrize(("clean", "verdict"), [(58, Verdict.INCONCLUSIVE), (59, Verdict.PASS)])
def test_59_clean_events_prove_95_percent(clean: int, verdict: Verdict) -> None:
    assert kpis.success_rate(**outcomes(processed=clean)).verdict is verdict
    assert kpis.error_rate(**outcomes(processed=clean)).verdict is verdict
    assert kpis.validation_status(clean, 0, 0, 0).verdict is verdict
    assert kpis.enrichment_status(clean, clean, 0).verdict is verdict


@pytest.mark.parametrize("failure", ["error", "overdue"])
def test_events_that_failed_or_stayed_pending_fail_the_success_rate(failure: str) -> None:
    assert kpis.success_rate(**outcomes(processed=80, **{failure: 20})).verdict is Verdict.FAIL


def test_events_still_in_time_are_in_no_denominator() -> None:
    kpi = kpis.success_rate(**outcomes(processed=100, in_time=900))
    assert (kpi.sample, kpi.verdict) == (100, Verdict.PASS)
    assert "900 still in time" in kpi.note


def test_one_lost_event_fails_however_many_arrived() -> None:
    assert kpis.success_rate(**outcomes(processed=1_000_000, lost=1)).verdict is Verdict.FAIL


def test_the_error_rate_fails_when_a_tenth_is_in_error() -> None:
    kpi = kpis.error_rate(**outcomes(processed=450, error=50))
    assert (kpi.verdict, kpi.value) == (Verdict.FAIL, 0.1)


@pytest.mark.parametrize(
    ("events", "mean", "verdict"),
    [
        (5, 0.80, Verdict.INCONCLUSIVE),
        (1000, 0.80, Verdict.PASS),
        (1000, 0.60, Verdict.FAIL),
        (1000, 0.70, Verdict.INCONCLUSIVE),
        (0, None, Verdict.NO_DATA),
    ],
)
def test_quality(events: int, mean: float | None, verdict: Verdict) -> None:
    assert kpis.data_quality(events, mean).verdict is verdict


def test_quality_that_can_never_prove_the_target_promises_no_number() -> None:
    assert "more" not in kpis.data_quality(1000, 0.70).note
    assert "such events needed" in kpis.data_quality(5, 0.80).note


@pytest.mark.parametrize(
    ("seconds", "verdict"),
    [
        ([0.01] * 4, Verdict.INCONCLUSIVE),
        ([0.01] * 5, Verdict.PASS),
        ([0.2] * 5, Verdict.FAIL),
        ([0.01, 0.2] * 20, Verdict.INCONCLUSIVE),
        ([], Verdict.NO_DATA),
    ],
)
def test_processing_time(seconds: list[float], verdict: Verdict) -> None:
    assert kpis.processing_time(seconds).verdict is verdict


@pytest.mark.parametrize(
    ("checked", "contradictions", "unverifiable", "verdict"),
    [
        (1_000_000, 0, 0, Verdict.PASS),
        (1_000_000, 1, 0, Verdict.FAIL),
        (1_000_000, 1, 1, Verdict.FAIL),
        (1_000_000, 0, 1, Verdict.INCONCLUSIVE),
        (0, 0, 0, Verdict.NO_DATA),
    ],
)
def test_isolation_knows_no_statistics(
    checked: int, contradictions: int, unverifiable: int, verdict: Verdict
) -> None:
    assert kpis.tenant_isolation(checked, contradictions, unverifiable).verdict is verdict


def test_a_share_is_never_rounded_up_to_100_percent() -> None:
    assert kpis.tenant_isolation(1_000_000, 1, 0).shown == "99.99% maintained"


def test_a_status_that_its_own_findings_contradict_fails_validation() -> None:
    assert kpis.validation_status(1000, 0, 0, 1).verdict is Verdict.FAIL


def test_events_that_only_say_they_are_enriched_are_not() -> None:
    kpi = kpis.enrichment_status(100, 80, 20)
    assert kpi.verdict is Verdict.FAIL
    assert "20 say ENRICHED with an empty device" in kpi.note


def test_the_table_is_as_good_as_its_worst_line() -> None:
    def line(verdict: Verdict) -> Kpi:
        return Kpi("x", "", None, "", 0, verdict, "")

    passing, unsure, failing = (line(verdict) for verdict in (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.FAIL))
    assert kpis.overall([passing, unsure, failing]) is Verdict.FAIL
    assert kpis.overall([passing, unsure]) is Verdict.INCONCLUSIVE
    assert kpis.overall([passing]) is Verdict.PASS
    assert kpis.overall([]) is Verdict.NO_DATA
