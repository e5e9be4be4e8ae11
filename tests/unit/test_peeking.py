"""What the gates promise, played out: releases watched after every event, with chance seeded."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sitevault.observe import sequential, statistics

RUNS, EVENTS = 1_000, 2_000
Bound = Callable[[int, int], float]


def _played(rate: float, seed: int) -> NDArray[np.int64]:
    """Per run, the successes after each event."""
    chance = np.random.default_rng(seed)
    return np.cumsum(chance.random((RUNS, EVENTS)) < rate, axis=1)


def _fewest_to_pass(lower: Bound, target: float, every: int = 1) -> NDArray[np.int64]:
    """At each look, the fewest successes whose lower bound reaches the target."""
    fewest, needed = 0, []
    for trials in range(every, EVENTS + 1, every):
        while fewest <= trials and lower(fewest, trials) < target:
            fewest += 1
        needed.append(fewest)
    return np.array(needed)


def _most_to_fail(upper: Bound, target: float, every: int = 1) -> NDArray[np.int64]:
    """At each look, the most successes whose upper bound is below the target; -1 for none."""
    most, needed = -1, []
    for trials in range(every, EVENTS + 1, every):
        while upper(most + 1, trials) < target:
            most += 1
        needed.append(most)
    return np.array(needed)


def _ever_passed(successes: NDArray[np.int64], needed: NDArray[np.int64], every: int = 1) -> float:
    return float((successes[:, every - 1 :: every] >= needed).any(axis=1).mean())


def _ever_failed(successes: NDArray[np.int64], needed: NDArray[np.int64], every: int = 1) -> float:
    return float((successes[:, every - 1 :: every] <= needed).any(axis=1).mean())


@pytest.fixture(scope="module")
def slightly_bad() -> NDArray[np.int64]:
    return _played(0.949, seed=949)


@pytest.fixture(scope="module")
def healthy() -> NDArray[np.int64]:
    return _played(0.99, seed=99)


def test_a_true_rate_just_below_the_target_is_promoted_in_at_most_one_run_of_twenty(
    slightly_bad: NDArray[np.int64],
) -> None:
    assert _ever_passed(slightly_bad, _fewest_to_pass(sequential.proportion_lower, 0.95)) <= 0.05


def test_the_point_rule_would_promote_it_in_nearly_every_run(slightly_bad: NDArray[np.int64]) -> None:
    needed = _fewest_to_pass(lambda good, trials: good / trials, 0.95, every=20)
    assert _ever_passed(slightly_bad, needed, every=20) > 0.9


def test_a_bound_for_one_look_would_promote_it_far_too_often(slightly_bad: NDArray[np.int64]) -> None:
    needed = _fewest_to_pass(statistics.proportion_lower, 0.95, every=20)
    assert _ever_passed(slightly_bad, needed, every=20) > 0.15


def test_a_healthy_release_is_not_rolled_back_and_is_promoted(healthy: NDArray[np.int64]) -> None:
    assert _ever_failed(healthy, _most_to_fail(sequential.proportion_upper, 0.95)) <= 0.05
    assert _ever_passed(healthy, _fewest_to_pass(sequential.proportion_lower, 0.95)) >= 0.99


def test_a_release_exactly_at_the_target_is_not_rolled_back_either(healthy: NDArray[np.int64]) -> None:
    assert _ever_failed(healthy, _most_to_fail(sequential.proportion_upper, 0.99)) <= 0.05


def test_a_bound_for_one_look_would_roll_it_back_too_often(healthy: NDArray[np.int64]) -> None:
    assert _ever_failed(healthy, _most_to_fail(statistics.proportion_upper, 0.99, every=20), every=20) > 0.1


def test_half_of_the_healthy_releases_are_promoted_within_a_hundred_and_fifty_events(
    healthy: NDArray[np.int64],
) -> None:
    needed = _fewest_to_pass(sequential.proportion_lower, 0.95)
    assert _ever_passed(healthy[:, :150], needed[:150]) >= 0.5


@pytest.mark.parametrize("target", [0.95, 0.99])
def test_a_dead_pipeline_is_stopped_within_ten_events(target: float) -> None:
    stopped = next(n for n in range(1, 100) if sequential.proportion_upper(0, n, 0.05 / 10) < target)
    assert stopped <= 10


def test_a_release_that_loses_a_fifth_is_rolled_back() -> None:
    assert _ever_failed(_played(0.8, seed=8), _most_to_fail(sequential.proportion_upper, 0.95)) == 1


def test_the_mean_of_poor_values_is_ever_proved_good_in_at_most_one_run_of_twenty() -> None:
    # values 0.4 and 0.9, each as often: a mean of 0.65, against the same target
    chance = np.random.default_rng(65)
    passed = 0
    for _ in range(200):
        good = np.cumsum(chance.random(300) < 0.5)
        looks = ((int(good[n - 1]), n) for n in range(10, 301, 10))
        passed += any(sequential.mean_log_capital({0.9: k, 0.4: n - k}, 0.65) >= math.log(20) for k, n in looks)
    assert passed <= 10
