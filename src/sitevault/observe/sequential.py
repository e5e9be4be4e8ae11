"""Bounds that stay true however often one looks: what the events so far prove, at every moment at once.

A fixed-sample bound is wrong in one sample of twenty; looked at after every event, it is wrong sooner or later in
most. These bounds are wrong *ever* with probability alpha at most, so a gate may be watched without a pause, and
stopped whenever it has decided.

The device is a bet against the target (Ville 1939; Robbins 1970, "Statistical methods related to the law of the
iterated logarithm"). Whoever doubts that a mean is above m starts with a capital of 1 and before each value x in
[0, 1] keeps the share u and stakes the rest, which pays x / m. If the mean is m or less whatever came before,
no such bet gains on average: the capital ever reaches 1 / alpha with probability alpha at most. The lower bound is
the largest m against which the capital stands at 1 / alpha. Nothing is assumed of the events but that: not that
they are alike, and not that they are independent.

The share is not chosen but mixed: capital is spread over all shares beforehand, which is nearly as good as the
best share in hindsight (Howard, Ramdas, McAuliffe & Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic
confidence sequences"; Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting").
For values that are 0 or 1 the mixture is an incomplete beta integral: the beta-binomial mixture, cut off at m.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from sitevault.observe.statistics import ALPHA, bisect, more_until

_B = 0.5
"""The mixture over the kept share u is Beta(1/2, 1): much weight on small u, the share that fits rare failures.

Against a rate of 0.95: 74 clean events decide, the mean for a true 0.99 is 141. Beta(1, 1) takes 88 and 148;
Beta(1/4, 1) takes 67 and 130, but is slower where the margin is small (0.98: 326 against 310)."""

_STEPS = 32
"""Halvings for the bound of a mean: good to 1e-9; 7 ms where eleven scores occur, 56 where all 101 do."""

Histogram = Mapping[float, float]
"""How often each value in [0, 1] came."""

_STEP, _REACH = 0.4, 12.0
_SHARES = [
    1 / (1 + math.exp(-_STEP * place)) for place in range(-round(_REACH / _STEP), round(_REACH / _STEP) + 1)
]
_TOTAL = sum(math.sqrt(share * (1 - share)) for share in _SHARES)
_MIXTURE = [(share, 0.5 * math.log(share * (1 - share)) - math.log(_TOTAL)) for share in _SHARES]
"""61 kept shares with the logarithm of each one's part of the first capital: Beta(1/2, 1/2), made discrete."""


def proportion_lower(successes: int, trials: int, alpha: float = ALPHA) -> float:
    """The smallest true rate that is still believable; ever above the true one with probability alpha at most."""
    _check(successes, trials)
    if successes == 0:
        return 0.0
    won = -math.log(alpha)
    bound = bisect(lambda rate: proportion_log_capital(successes, trials, rate) < won)
    return min(bound, successes / trials)


def proportion_upper(successes: int, trials: int, alpha: float = ALPHA) -> float:
    """The largest true rate that is still believable; ever below the true one with probability alpha at most."""
    return 1.0 - proportion_lower(trials - successes, trials, alpha)


def trials_until(successes: int, trials: int, target: float, alpha: float = ALPHA) -> int | None:
    """How many more events, all of them successes, prove a rate of at least `target`; 0 if that is proved."""
    _check(successes, trials)
    won = -math.log(alpha)

    def proven(more: int) -> bool:
        return proportion_log_capital(successes + more, trials + more, target) >= won

    return 0 if proven(0) else more_until(proven)


def proportion_log_capital(successes: int, trials: int, rate: float) -> float:
    """The logarithm of what a bet that the rate is above `rate` has made of 1; never too high.

    The integral over u of u ** failures * (u + (1 - u) / rate) ** successes, weighted. It is a beta function, less
    its part beyond u = 1; that part is replaced by a slightly larger one, the first term of its series carried on
    as a geometric one, which leaves the bound valid and needs no iteration at a billion events.
    """
    if not 0 < rate < 1:
        return math.inf if rate <= 0 and successes else -math.inf
    failures = trials - successes
    ratio = rate * max(1.0, (trials + 1 + _B) / (successes + 2))
    if ratio >= 1:
        return -math.inf  # as many failures as the rate allows, or more: nothing is won
    whole = (
        math.log(_B) + math.lgamma(failures + _B) + math.lgamma(successes + 1) - math.lgamma(trials + _B + 1)
        - (failures + _B) * math.log1p(-rate) - successes * math.log(rate)
    )  # fmt: skip
    beyond = math.log(_B * rate / ((successes + 1) * (1 - ratio)))
    return whole + math.log1p(-math.exp(beyond - whole)) if beyond < whole else -math.inf


def mean_lower(values: Histogram, alpha: float = ALPHA) -> float:
    """The smallest true mean of values in [0, 1] that is still believable, ever."""
    seen = mean(values)
    if not seen:
        return 0.0
    won = -math.log(alpha)
    return min(seen, bisect(lambda part: mean_log_capital(values, part * seen) < won, _STEPS) * seen)


def mean_upper(values: Histogram, alpha: float = ALPHA) -> float:
    """The largest true mean of values in [0, 1] that is still believable, ever."""
    return 1.0 - mean_lower({1.0 - value: count for value, count in values.items()}, alpha)


def mean(values: Histogram) -> float | None:
    """The mean of what came; None if nothing did. Raises ValueError for a value outside [0, 1]."""
    total = 0.0
    for value, count in values.items():
        if not 0 <= value <= 1 or count < 0:
            raise ValueError(f"{count} times {value} is not a sample of values in [0, 1]")
        total += count
    return math.fsum(value * count for value, count in values.items()) / total if total else None


def values_until(values: Histogram, target: float, alpha: float = ALPHA) -> int | None:
    """How many more events like these prove a mean of at least `target`; None if such events never do."""
    seen, count = mean(values), sum(values.values())
    won = -math.log(alpha)

    def proven(more: int) -> bool:
        scale = 1 + more / count
        return mean_log_capital({value: many * scale for value, many in values.items()}, target) >= won

    if seen is None or seen <= target:
        return None
    return 0 if proven(0) else more_until(proven)


def mean_log_capital(values: Histogram, least: float) -> float:
    """The logarithm of what a bet that the mean is above `least` has made of 1."""
    if not 0 < least < 1:
        return math.inf if least <= 0 else -math.inf
    parts = [
        weight
        + math.fsum(count * math.log(kept + (1 - kept) * (value / least)) for value, count in values.items())
        for kept, weight in _MIXTURE
    ]
    most = max(parts)
    return most + math.log(math.fsum(math.exp(part - most) for part in parts))


def _check(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is not a sample")
