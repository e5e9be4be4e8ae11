"""Bounds that stay honest with few events: what a sample proves, not what it looks like.

Each bound is one-sided at confidence 1 - alpha and exact or conservative at any sample size, so five clean
events never pass for a rate of 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

ALPHA = 0.05
_STEPS = 60
"""Halvings of [0, 1]: an answer good to 1e-18."""


def proportion_lower(successes: int, trials: int, alpha: float = ALPHA) -> float:
    """The smallest true rate that `successes` of `trials` leave believable (Clopper-Pearson, one-sided)."""
    _check(successes, trials)
    if successes == 0:
        return 0.0
    # P(X >= k | p) = I_p(k, n - k + 1) grows with p; the bound is where it reaches alpha.
    return bisect(lambda p: incomplete_beta(p, successes, trials - successes + 1) >= alpha)


def proportion_upper(successes: int, trials: int, alpha: float = ALPHA) -> float:
    """The largest true rate that `successes` of `trials` leave believable (Clopper-Pearson, one-sided)."""
    return 1.0 - proportion_lower(trials - successes, trials, alpha)


def mean_lower(mean: float, samples: int, alpha: float = ALPHA) -> float:
    """The smallest true mean that a sample mean of values in [0, 1] leaves believable.

    Chernoff-Hoeffding: n * KL(mean, bound) = ln(1 / alpha); holds for every distribution on [0, 1].
    """
    if not 0 <= mean <= 1:
        raise ValueError(f"a mean of values in [0, 1] cannot be {mean}")
    if samples == 0 or mean == 0:
        return 0.0
    limit = math.log(1 / alpha) / samples
    return bisect(lambda x: _divergence(mean, x * mean) <= limit) * mean


def mean_upper(mean: float, samples: int, alpha: float = ALPHA) -> float:
    """The largest true mean that a sample mean of values in [0, 1] leaves believable."""
    return 1.0 - mean_lower(1.0 - mean, samples, alpha)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the ordered sample does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def quantile_upper(ordered: Sequence[float], share: float, alpha: float = ALPHA) -> float:
    """The value that the true quantile exceeds with probability alpha at most; infinite for too small a sample.

    By order statistics: the k-th smallest is such a bound if P(Binomial(n, share) >= k) <= alpha.
    """
    trials = len(ordered)
    for rank in range(math.ceil(share * trials), trials + 1):
        if rank and incomplete_beta(share, rank, trials - rank + 1) <= alpha:
            return ordered[rank - 1]
    return math.inf


def quantile_lower(ordered: Sequence[float], share: float, alpha: float = ALPHA) -> float:
    """The value that the true quantile is below with probability alpha at most; minus infinity if too few."""
    mirrored = [-value for value in reversed(ordered)]
    return -quantile_upper(mirrored, 1 - share, alpha)


def more_until(proven: Callable[[int], bool], limit: int = 10**9) -> int | None:
    """The least number of further events after which `proven(number)` holds, if it ever does; it must stay so."""
    high = 1
    while not proven(high):
        high *= 2
        if high > limit:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if proven(middle) else (middle, high)
    return high


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), by Lentz's continued fraction."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast only below its mean
        return 1.0 - incomplete_beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return front * _beta_fraction(x, a, b) / a


def _beta_fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 / (_away_from_zero(1 - (a + b) * x / (a + 1), tiny))
    value = d
    # About sqrt(max(a, b)) rounds are needed; the cap is far above that for a billion events.
    for m in range(1, 200_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1 + term * d, tiny)
            c = _away_from_zero(1 + term / c, tiny)
            change = c * d
            value *= change
        if abs(change - 1) < 1e-14:
            return value
    raise ArithmeticError(f"the incomplete beta function did not converge at ({x}, {a}, {b})")


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def _divergence(mean: float, other: float) -> float:
    """Kullback-Leibler divergence of two coins, in nats."""
    if other <= 0 or other >= 1:
        return 0.0 if mean == other else math.inf
    first = mean * math.log(mean / other) if mean > 0 else 0.0
    second = (1 - mean) * math.log((1 - mean) / (1 - other)) if mean < 1 else 0.0
    return first + second


def bisect(reached: Callable[[float], bool], steps: int = _STEPS) -> float:
    """The least x in [0, 1] at which a condition that stays true once true holds."""
    low, high = 0.0, 1.0
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def _check(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is not a sample")
