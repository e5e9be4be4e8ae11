"""What a soak yields."""

from __future__ import annotations

from datetime import datetime
from statistics import median
from typing import NamedTuple

import msgspec
from bench.machine import Machine

from chaos.soak.slope import slope

HOUR = 3600.0


class Limit(NamedTuple):
    """How much of a figure may come in an hour: a share of what there is, or so much."""

    share: float
    least: float


class Trend(msgspec.Struct, frozen=True):
    """One figure over the run, and whether it is flat. Slopes are per hour."""

    name: str
    first: float
    median: float
    last: float
    slope: float
    low: float
    high: float
    limit: float
    verdict: str


class Soak(msgspec.Struct, frozen=True):
    """One soak."""

    machine: Machine
    command: str
    started: datetime
    minutes: float
    rate: float
    why_rate: str
    every: float
    sent: int
    acknowledged: int
    samples: dict[str, list[float]]
    """`seconds`, and every figure beside it."""
    trends: list[Trend]
    notes: list[str]

    @property
    def flat(self) -> bool:
        """Whether no figure grows."""
        return all(trend.verdict == "flat" for trend in self.trends)


def judge(name: str, times: list[float], values: list[float], limit: Limit) -> Trend:
    """The second half is judged: caches and pools fill in the first."""
    half = len(times) // 2
    per_second = slope(times[half:], values[half:])
    estimate, low, high = (one * HOUR for one in per_second)
    middle = median(values[half:] or [0.0])
    allowed = max(limit.share * middle, limit.least)
    verdict = "flat" if high <= allowed else "GROWS" if low > allowed else "undecided"
    return Trend(name, values[0], middle, values[-1], estimate, low, high, allowed, verdict)
