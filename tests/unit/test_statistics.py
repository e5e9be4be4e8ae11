"""The bounds against published values, against brute force, and against chance itself."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitevault.observe import statistics


@pytest.mark.parametrize(
    ("successes", "trials", "proven"),
    [
        (5, 5, 0.5493),
        (59, 59, 0.9505),
        (58, 58, 0.9497),
        (299, 299, 0.9900),
        (2995, 2995, 0.9990),
        (0, 5, 0.0),
        (8, 10, 0.4931),
        (95, 100, 0.8977),
    ],
)
def test_what_a_clean_sample_proves(successes: int, trials: int, proven: float) -> None:
    assert statistics.proportion_lower(successes, trials) == pytest.approx(proven, abs=5e-5)


def _tail(successes: int, trials: int, rate: float) -> float:
    return sum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(successes, trials + 1))


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))))
def test_the_lower_bound_is_where_the_binomial_tail_is_five_percent(sample: tuple[int, int]) -> None:
    successes, trials = sample
    bound = statistics.proportion_lower(successes, trials)
    assert _tail(successes, trials, bound) == pytest.approx(0.05, rel=1e-6)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_bounds_enclose_what_was_seen(sample: tuple[int, int]) -> None:
    successes, trials = sample
    assert statistics.proportion_lower(successes, trials) <= successes / trials
    assert statistics.proportion_upper(successes, trials) >= successes / trials


def test_a_sample_of_ten_million_is_bounded_too() -> None:
    assert statistics.proportion_lower(9_990_000, 10_000_000) == pytest.approx(0.998983, abs=1e-6)


@given(st.floats(0.01, 0.99), st.integers(1, 10_000))
def test_the_mean_bounds_enclose_the_mean_and_are_where_the_divergence_says(mean: float, samples: int) -> None:
    low, high = statistics.mean_lower(mean, samples), statistics.mean_upper(mean, samples)
    assert 0 <= low <= mean <= high <= 1
    for bound in (low, high):
        if 1e-9 < bound < 1 - 1e-9:
            divergence = mean * math.log(mean / bound) + (1 - mean) * math.log((1 - mean) / (1 - bound))
            assert divergence * samples == pytest.approx(math.log(20), rel=1e-4)


def test_the_mean_bound_of_a_perfect_sample_is_that_of_a_perfect_proportion() -> None:
    assert statistics.mean_lower(1.0, 59) == pytest.approx(statistics.proportion_lower(59, 59), abs=1e-9)


def test_a_mean_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cannot be 1\.5"):
        statistics.mean_lower(1.5, 10)


def test_the_mean_bound_is_wrong_in_at_most_one_sample_of_twenty() -> None:
    chance = random.Random(7)
    wrong = 0
    for _ in range(2_000):
        values = [chance.choice((0.2, 0.8, 1.0)) for _ in range(40)]
        wrong += statistics.mean_lower(sum(values) / 40, 40) > 2.0 / 3
    assert wrong <= 100


def test_the_median_needs_five_values_to_have_an_upper_bound() -> None:
    assert statistics.quantile_upper([1.0, 2.0, 3.0, 4.0], 0.5) == math.inf
    assert statistics.quantile_upper([1.0, 2.0, 3.0, 4.0, 5.0], 0.5) == 5.0
    assert statistics.quantile_lower([1.0, 2.0, 3.0, 4.0, 5.0], 0.5) == 1.0


def test_the_95th_percentile_needs_59_values_to_have_an_upper_bound() -> None:
    assert statistics.quantile_upper([float(n) for n in range(58)], 0.95) == math.inf
    assert statistics.quantile_upper([float(n) for n in range(59)], 0.95) == 58.0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=80).map(sorted), st.floats(0.05, 0.95))
def test_quantile_bounds_enclose_the_quantile(ordered: list[float], share: float) -> None:
    seen = statistics.quantile(ordered, share)
    assert statistics.quantile_lower(ordered, share) <= seen <= statistics.quantile_upper(ordered, share)


@pytest.mark.parametrize(("start", "target", "more"), [(5, 0.95, 54), (0, 0.95, 59), (0, 0.99, 299)])
def test_how_many_more_clean_events_are_needed(start: int, target: float, more: int) -> None:
    def proven(further: int) -> bool:
        return statistics.proportion_lower(start + further, start + further) >= target

    assert statistics.more_until(proven) == more


def test_what_can_never_be_proven_says_so() -> None:
    assert statistics.more_until(lambda _: False, limit=1000) is None


def test_a_sample_with_more_successes_than_trials_is_refused() -> None:
    with pytest.raises(ValueError, match="6 of 5 is not a sample"):
        statistics.proportion_lower(6, 5)
