"""The bounds that may be looked at all the time: their shape, and their integrals against scipy's."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from sitevault.observe import sequential, statistics

SAMPLES = st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
RATES = st.floats(0.01, 0.999)
HISTOGRAMS = st.dictionaries(
    st.integers(0, 100).map(lambda hundredths: hundredths / 100), st.integers(1, 2_000), min_size=1, max_size=8
)


@pytest.mark.parametrize(("target", "clean"), [(0.90, 36), (0.95, 74), (0.99, 377), (0.999, 3788)])
def test_so_many_clean_events_prove_a_rate(target: float, clean: int) -> None:
    assert sequential.trials_until(0, 0, target) == clean
    assert sequential.proportion_lower(clean, clean) >= target > sequential.proportion_lower(clean - 1, clean - 1)


def test_always_valid_costs_a_quarter_more_than_one_look() -> None:
    assert (sequential.trials_until(0, 0, 0.95) or 0) < 1.3 * 59


def test_two_failures_of_two_disprove_a_rate_of_ninety_five_percent() -> None:
    assert sequential.proportion_upper(0, 2) < 0.95 < sequential.proportion_upper(0, 1)


@given(SAMPLES)
def test_the_bounds_enclose_what_was_seen(sample: tuple[int, int]) -> None:
    successes, trials = sample
    low, high = sequential.proportion_lower(*sample), sequential.proportion_upper(*sample)
    assert 0 <= low <= successes / trials <= high <= 1


@given(SAMPLES)
def test_the_bounds_lie_outside_those_of_a_single_look(sample: tuple[int, int]) -> None:
    assert sequential.proportion_lower(*sample) <= statistics.proportion_lower(*sample) + 1e-9
    assert sequential.proportion_upper(*sample) >= statistics.proportion_upper(*sample) - 1e-9


@given(SAMPLES)
def test_the_upper_bound_is_the_lower_bound_of_the_failures(sample: tuple[int, int]) -> None:
    successes, trials = sample
    mirrored = 1 - sequential.proportion_lower(trials - successes, trials)
    assert sequential.proportion_upper(successes, trials) == mirrored


@given(SAMPLES)
def test_less_risk_gives_wider_bounds(sample: tuple[int, int]) -> None:
    assert sequential.proportion_lower(*sample, 0.01) <= sequential.proportion_lower(*sample, 0.05)
    assert sequential.proportion_upper(*sample, 0.01) >= sequential.proportion_upper(*sample, 0.05)


@given(SAMPLES, RATES)
def test_a_success_never_weakens_the_proof_and_a_failure_never_strengthens_it(
    sample: tuple[int, int], rate: float
) -> None:
    successes, trials = sample
    before = sequential.proportion_log_capital(successes, trials, rate)
    assert sequential.proportion_log_capital(successes + 1, trials + 1, rate) >= before - 1e-6
    assert sequential.proportion_log_capital(successes, trials + 1, rate) <= before + 1e-6


@given(SAMPLES, RATES, RATES)
def test_more_is_harder_to_prove(sample: tuple[int, int], one: float, other: float) -> None:
    low, high = sorted((one, other))
    easier = sequential.proportion_log_capital(*sample, low)
    assert sequential.proportion_log_capital(*sample, high) <= easier + 1e-6


def _wealth(successes: int, failures: int, rate: float) -> float:
    """The mixture as it is defined, with u = v ** 2, whose density is then 1 on [0, 1]."""

    def wealth(v: float) -> float:
        u = v * v
        return float(u**failures * (u + (1 - u) / rate) ** successes)

    whole, _ = integrate.quad(wealth, 0, 1, epsabs=0, epsrel=1e-10, limit=500)
    return float(whole)


@given(st.integers(0, 120), st.integers(0, 40), st.floats(0.05, 0.99))
def test_the_capital_is_the_mixtures_integral_or_a_little_less(successes: int, failures: int, rate: float) -> None:
    exact = _wealth(successes, failures, rate)
    ours = math.exp(sequential.proportion_log_capital(successes, successes + failures, rate))
    assert ours <= exact * (1 + 1e-8)
    if exact >= 20:
        assert ours >= 0.97 * exact


@given(st.integers(0, 60), st.integers(0, 20), st.floats(0.05, 0.99))
def test_a_step_of_the_bet_gains_nothing_on_average_at_the_rate_it_is_against(
    successes: int, failures: int, rate: float
) -> None:
    now = _wealth(successes, failures, rate)
    after = rate * _wealth(successes + 1, failures, rate) + (1 - rate) * _wealth(successes, failures + 1, rate)
    assert after == pytest.approx(now, rel=1e-6)


def test_a_billion_events_are_bounded_closely() -> None:
    low, high = (bound(999_000_000, 10**9) for bound in (sequential.proportion_lower, sequential.proportion_upper))
    assert 0.999 - 1e-5 < low < 0.999 < high < 0.999 + 1e-5


def test_a_sample_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="6 of 5 is not a sample"):
        sequential.proportion_lower(6, 5)


@given(SAMPLES, st.sampled_from((0.9, 0.95, 0.99)))
def test_the_events_still_needed_are_the_fewest(sample: tuple[int, int], target: float) -> None:
    successes, trials = sample
    more = sequential.trials_until(successes, trials, target)
    assert more is not None
    won = math.log(20)
    assert sequential.proportion_log_capital(successes + more, trials + more, target) >= won
    if more:
        assert sequential.proportion_log_capital(successes + more - 1, trials + more - 1, target) < won


@given(HISTOGRAMS)
def test_the_bounds_of_a_mean_enclose_it(values: dict[float, int]) -> None:
    seen = sequential.mean(values)
    assert seen is not None
    assert 0 <= sequential.mean_lower(values) <= seen + 1e-12
    assert seen - 1e-12 <= sequential.mean_upper(values) <= 1


@given(HISTOGRAMS, st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_a_larger_mean_is_harder_to_prove(values: dict[float, int], one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert sequential.mean_log_capital(values, high) <= sequential.mean_log_capital(values, low) + 1e-6


@given(HISTOGRAMS)
def test_less_risk_gives_wider_bounds_of_a_mean(values: dict[float, int]) -> None:
    assert sequential.mean_lower(values, 0.01) <= sequential.mean_lower(values, 0.05) + 1e-12


@given(HISTOGRAMS, st.floats(0.05, 0.95))
def test_a_bet_on_a_mean_gains_nothing_where_the_mean_is_what_it_is_against(
    values: dict[float, int], least: float
) -> None:
    now = sequential.mean_log_capital(values, least)
    best = sequential.mean_log_capital({**values, 1.0: values.get(1.0, 0) + 1}, least)
    worst = sequential.mean_log_capital({**values, 0.0: values.get(0.0, 0) + 1}, least)
    average = least * math.exp(best - now) + (1 - least) * math.exp(worst - now)
    assert average == pytest.approx(1, rel=1e-6)


def test_the_mean_of_equal_values_is_known_better_than_that_of_zeros_and_ones() -> None:
    assert sequential.mean_lower({0.8: 100}) > sequential.mean_lower({0.0: 20, 1.0: 80}) + 0.05


def test_no_values_prove_nothing() -> None:
    assert sequential.mean({}) is None
    assert (sequential.mean_lower({}), sequential.mean_upper({})) == (0.0, 1.0)


def test_a_value_outside_its_range_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a sample of values"):
        sequential.mean({1.5: 2})


def test_so_many_more_values_like_these_prove_a_mean() -> None:
    more = sequential.values_until({0.8: 5}, 0.7)
    assert more is not None
    assert sequential.mean_lower({0.8: 5 + more}) >= 0.7 > sequential.mean_lower({0.8: 4 + more})


def test_values_below_the_target_never_prove_it() -> None:
    assert sequential.values_until({0.6: 500}, 0.7) is None
