"""What gates make of counts and settings, without a database."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from sitevault.errors import ConfigurationError
from sitevault.observe.kpis import Verdict
from sitevault.release.gates import GATES, availability, say
from sitevault.release.gates.availability import probe
from sitevault.release.gates.baseline import MOST_TYPES, OTHERS, Baseline, OfType, frequent, pairs
from sitevault.release.gates.bounds import Trials, at_least
from sitevault.release.gates.facts import Facts
from sitevault.release.gates.model import (
    PRODUCTION,
    TESTING,
    GateResult,
    Probe,
    Risk,
    Sight,
    Thresholds,
    longest,
    thresholds,
)
from sitevault.release.judge import Judgement, risk

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
BOTH = Risk(0.05, 0.05)


def clean(events: int) -> Trials:
    return Trials(events, events, 0, events, events)


def test_the_defaults_are_the_guides() -> None:
    assert (TESTING.success_rate, TESTING.quality, TESTING.error_rate) == (0.95, 0.70, 0.05)
    assert (TESTING.processing_ms, TESTING.availability) == (100.0, None)


def test_an_environment_called_production_demands_more() -> None:
    assert thresholds("production", {}) == PRODUCTION
    assert (PRODUCTION.success_rate, PRODUCTION.availability) == (0.99, 0.999)
    assert thresholds("production", {"success_rate": 0.9}).success_rate == 0.9
    assert thresholds("mock", {}) == TESTING


def test_a_threshold_that_is_misspelt_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"\[environments\.mock\.gates\].*sucess_rate"):
        thresholds("mock", {"sucess_rate": 0.99})


@pytest.mark.parametrize("given", [{"success_rate": 1.0}, {"success_rate": 95}, {"min_events": 0}])
def test_a_threshold_that_nothing_can_reach_or_miss_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="mock"):
        thresholds("mock", given)


def test_a_gate_that_is_set_to_false_is_not_asked() -> None:
    wanted = thresholds("mock", {"quality_drop": False, "null_rate_drop": False})
    asked = {gate.name for gate in GATES if gate.asked(wanted)}
    assert {"quality_by_type", "null_rate", "availability"}.isdisjoint(asked)
    assert "success_rate" in asked


def test_no_trial_is_no_data() -> None:
    assert at_least(Trials(0, 0, 50), 0.95, BOTH).verdict is Verdict.NO_DATA


def test_a_proof_needs_as_many_clean_trials_as_the_bound_says() -> None:
    assert at_least(clean(73), 0.95, BOTH).verdict is Verdict.INCONCLUSIVE
    assert at_least(clean(73), 0.95, BOTH).more_needed == 1
    assert at_least(clean(74), 0.95, BOTH).verdict is Verdict.PASS


def test_what_is_open_counts_against_a_pass_and_for_a_fail() -> None:
    assert at_least(Trials(100, 100, 40), 0.95, BOTH).verdict is Verdict.INCONCLUSIVE
    assert at_least(Trials(0, 10, 1_000), 0.95, BOTH).verdict is Verdict.INCONCLUSIVE


def test_what_came_before_the_first_open_trial_may_decide_alone() -> None:
    assert at_least(Trials(100, 100, 40, 80, 80), 0.95, BOTH).verdict is Verdict.PASS
    assert at_least(Trials(0, 10, 1_000, 0, 10), 0.95, BOTH).verdict is Verdict.FAIL


def test_a_pipeline_that_gets_stuck_is_never_passed_before_its_limit_is_over() -> None:
    """A tenth of the events gets stuck, and the limit is not over yet: leaving out what is open would pass it."""
    chance = np.random.default_rng(10)
    passed = left_out = 0
    for _ in range(200):
        stuck = chance.random(600) < 0.1
        for seen in range(50, 601, 50):
            open_now = int(stuck[:seen].sum())
            good = seen - open_now
            before = int(np.argmax(stuck[:seen])) if open_now else seen
            passed += at_least(Trials(good, good, open_now, before, before), 0.95, BOTH).verdict is Verdict.PASS
            left_out += at_least(clean(good), 0.95, BOTH).verdict is Verdict.PASS
    assert passed <= 10
    assert left_out > 2_000


def test_a_wrong_fail_may_come_from_any_gate_so_they_share_its_risk() -> None:
    shared = risk(GATES)
    assert shared.wrong_pass == 0.05
    assert shared.wrong_fail == pytest.approx(0.05 / sum(gate.statistical for gate in GATES))


def test_rare_types_are_compared_together() -> None:
    def of(events: int) -> OfType:
        return OfType(events, ((1.0, events),), events, {"browser": events})

    before = {"page_view": of(900), "click": of(100), "rare": of(29), "rarer": of(5)}
    compared = pairs(before, {"page_view": of(10), "new": of(7)}, 30)
    assert set(compared) == {"page_view", "click", OTHERS}
    assert compared["click"][1].events == 0
    assert compared[OTHERS][0].events == 34
    assert compared[OTHERS][1].events == 7


def test_a_baseline_of_a_few_events_is_nothing_to_compare_with() -> None:
    def of(events: int) -> Baseline:
        return Baseline(NOON, NOON, {"page_view": OfType(events, ((1.0, events),), events, {})})

    assert of(30).comparable(30)
    assert not of(29).comparable(30)


def test_figures_are_never_rounded_in_their_own_favour() -> None:
    assert say.at_least(0.949999) == "94.99 %"
    assert say.at_most(0.050001) == "5.01 %"
    assert say.percent(0.999) == "99.9 %"


def test_a_type_is_shown_without_what_would_deceive_a_terminal() -> None:
    assert say.name("page\x1b[2Jview") == "page?[2Jview"
    assert len(say.name("x" * 500)) == 40


def test_types_that_somebody_invents_without_end_are_kept_together() -> None:
    many = {f"type-{number}": OfType(1, ((1.0, 1),), 1, {}) for number in range(MOST_TYPES + 50)}
    kept = frequent(many | {"page_view": OfType(10, ((1.0, 10),), 10, {})})
    assert len(kept) == MOST_TYPES + 1
    assert kept["page_view"].events == 10
    assert kept[OTHERS].events == 51


def test_a_baseline_survives_its_json() -> None:
    kept = Baseline(
        NOON, NOON + timedelta(hours=1), {"page_view": OfType(3, ((0.8, 1), (1.0, 2)), 3, {"browser": 3})}
    )
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Baseline) == kept


def test_a_judgement_survives_its_json() -> None:
    result = GateResult(name="ledger", target="balances", verdict=Verdict.PASS, n=3)
    judged = Judgement(verdict=Verdict.PASS, results=(result,), since=NOON, until=NOON + timedelta(minutes=2))
    assert msgspec.json.decode(msgspec.json.encode(judged), type=Judgement) == judged
    assert judged.as_dict()["seconds"] == 120


def test_the_longest_wait_is_known_only_where_every_wait_is() -> None:
    assert longest([3, 5, 4]) == 5
    assert longest([3, None]) is None
    assert longest([]) is None


def _availability(probes: list[Probe] | None, wanted: float | None = 0.9) -> GateResult:
    facts = cast(Facts, None)  # it asks nothing of the database
    return availability.GATE.result(Sight(facts, Thresholds(availability=wanted), BOTH, 60, probes=probes))


def test_availability_nobody_can_ask_for_is_no_data_and_says_so() -> None:
    found = _availability(None)
    assert found.verdict is Verdict.NO_DATA
    assert "no address of /health/ready is configured" in found.note


@pytest.mark.parametrize(
    ("ready", "down", "verdict"),
    [(36, 0, Verdict.PASS), (10, 0, Verdict.INCONCLUSIVE), (2, 8, Verdict.FAIL), (0, 0, Verdict.NO_DATA)],
)
def test_availability_is_the_share_of_probes_that_were_answered_ready(
    ready: int, down: int, verdict: Verdict
) -> None:
    found = _availability([Probe(NOON, True)] * ready + [Probe(NOON, False, "503")] * down)
    assert found.verdict is verdict
    assert ("(503)" in found.note) is bool(down)


@pytest.fixture
def door() -> Iterator[tuple[str, list[int]]]:
    """A server that answers with the status at the end of the list."""
    answers = [200]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers[-1] if self.path == "/health/ready" else 200)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Silent."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/health/ready", answers
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False), (204, False), (302, False)])
def test_ready_is_two_hundred_and_nothing_else(door: tuple[str, list[int]], status: int, ready: bool) -> None:
    url, answers = door
    answers.append(status)
    found = probe(url)
    assert (found.ready, found.said) == (ready, str(status))


def test_a_door_that_nobody_keeps_is_not_ready() -> None:
    found = probe("http://127.0.0.1:9/health/ready", timeout=1)
    assert not found.ready
    assert found.said


def test_an_address_that_is_no_url_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not an http or https URL"):
        probe("file:///etc/passwd")


def test_every_gate_says_all_that_its_reference_needs() -> None:
    for gate in GATES:
        assert all((gate.title, gate.target(PRODUCTION), gate.formula, gate.denominator, gate.house, gate.guide))
    assert len({gate.name for gate in GATES}) == len(GATES) == 13
