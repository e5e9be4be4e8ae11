"""Whether a figure grows: Theil and Sen's slope with Sen's interval, which a few wild samples do not move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, median
from typing import NamedTuple


class Slope(NamedTuple):
    """Growth per second, and the interval that holds it with the confidence asked for."""

    estimate: float
    low: float
    high: float


def slope(times: Sequence[float], values: Sequence[float], confidence: float = 0.95) -> Slope:
    """The median of the slopes between all pairs; the interval is Sen's (1968), with ties corrected for.

    Samples that follow one another are alike, so that the interval is somewhat too narrow: hence the limits of
    the verdicts are wide. Fewer than four samples say nothing: an interval without ends.
    """
    count = len(times)
    if count < 4:
        return Slope(0.0, -math.inf, math.inf)
    slopes = sorted(
        (values[later] - values[earlier]) / (times[later] - times[earlier])
        for earlier in range(count)
        for later in range(earlier + 1, count)
    )
    variance = count * (count - 1) * (2 * count + 5)
    for tied in _ties(values):
        variance -= tied * (tied - 1) * (2 * tied + 5)
    width = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(max(variance, 0.0) / 18)
    low = max(math.floor((len(slopes) - width) / 2), 0)
    high = min(math.ceil((len(slopes) + width) / 2), len(slopes) - 1)
    return Slope(median(slopes), slopes[low], slopes[high])


def _ties(values: Sequence[float]) -> list[int]:
    counts: dict[float, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return [count for count in counts.values() if count > 1]
