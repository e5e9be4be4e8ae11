"""Gates that compare with the window before the deploy, played out with chance seeded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sitevault.observe.kpis import Verdict
from sitevault.release.gates import null_rate, quality_by_type
from sitevault.release.gates.baseline import Baseline, OfType, together
from sitevault.release.gates.model import Gate, GateResult, Risk, Sight, Thresholds

TYPES = {"page_view": 0.7, "click": 0.3}
FILLED = {"session_id": 1.0, "browser": 0.97, "page_title": 0.9, "referrer_host": 0.5, "utm_source": 0.2}
SCORES, CHANCES = np.array([0.5, 0.8, 0.95, 1.0]), (0.05, 0.2, 0.25, 0.5)
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
RUNS = 20
SHARED = Risk(0.05, 0.05 / 7)


def _events(chance: np.random.Generator, count: int, lost: dict[str, float], poorer: float) -> dict[str, OfType]:
    found = {}
    for name, share in TYPES.items():
        events = int(chance.binomial(count, share))
        scores, times = np.unique(chance.choice(SCORES, events, p=CHANCES) - poorer, return_counts=True)
        filled = {
            column: int(chance.binomial(events, rate * (1 - lost.get(column, 0))))
            for column, rate in FILLED.items()
        }
        pairs = tuple((float(score), int(many)) for score, many in zip(scores, times, strict=True))
        found[name] = OfType(events, pairs, events, filled)
    return found


def _watched(
    gate: Gate, seed: int, *, looks: int = 5, step: int = 160, poorer: float = 0.0, **lost: float
) -> Iterator[list[GateResult]]:
    """Per run, what the gate says at each look."""
    chance = np.random.default_rng(seed)
    for _ in range(RUNS):
        baseline = Baseline(NOON, NOON, _events(chance, 1_000, {}, 0))
        now: dict[str, OfType] = {}
        said = []
        for _ in range(looks):
            more = _events(chance, step, lost, poorer)
            now = {name: together((more[name], *([now[name]] if now else []))) for name in TYPES}
            facts: Any = SimpleNamespace(types=now)
            said.append(gate.result(Sight(facts, Thresholds(), SHARED, 60, baseline=baseline)))
        yield said


def _ever(said: list[GateResult], verdict: Verdict) -> bool:
    return any(one.verdict is verdict for one in said)


@pytest.mark.parametrize("gate", [null_rate.GATE, quality_by_type.GATE], ids=lambda gate: gate.name)
def test_a_release_that_changes_nothing_is_not_rolled_back_and_passes(gate: Gate) -> None:
    runs = list(_watched(gate, 1))
    assert sum(_ever(said, Verdict.FAIL) for said in runs) <= 0.05 * RUNS
    assert sum(said[-1].verdict is Verdict.PASS for said in runs) >= 0.8 * RUNS


def test_a_column_that_is_no_longer_filled_fails_within_forty_events() -> None:
    for said in _watched(null_rate.GATE, 2, looks=1, step=40, browser=1.0):
        assert said[-1].verdict is Verdict.FAIL
        assert "browser of page_view" in said[-1].note


def test_a_sparse_column_that_is_no_longer_filled_fails_too() -> None:
    runs = list(_watched(null_rate.GATE, 3, looks=1, step=400, utm_source=1.0))
    assert all("utm_source" in said[-1].note for said in runs)
    assert all(said[-1].verdict is Verdict.FAIL for said in runs)


def test_a_column_that_lost_a_little_more_than_it_may_does_not_pass() -> None:
    runs = list(_watched(null_rate.GATE, 4, session_id=0.26))
    assert sum(_ever(said, Verdict.PASS) for said in runs) <= 0.05 * RUNS


def test_types_that_lost_a_session_fail() -> None:
    runs = list(_watched(quality_by_type.GATE, 5, looks=3, step=100, poorer=0.2))
    assert sum(_ever(said, Verdict.FAIL) for said in runs) >= 0.95 * RUNS


def test_types_a_little_poorer_than_they_may_be_do_not_pass() -> None:
    runs = list(_watched(quality_by_type.GATE, 6, poorer=0.101))
    assert sum(_ever(said, Verdict.PASS) for said in runs) <= 0.05 * RUNS


def test_sparser_columns_are_said_to_be_watched_only() -> None:
    (first, *_) = _watched(null_rate.GATE, 7, looks=1, step=400)
    assert "4 are sparser and only watched" in first[-1].note
