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


LIMITS = {
    "collector RSS MB": Limit(0.05, 5),
    "worker RSS MB": Limit(0.05, 10),
    "backends private MB": Limit(0.05, 10),
    "collector file handles": Limit(0.0, 2),
    "worker file handles": Limit(0.0, 2),
    "backends file handles": Limit(0.1, 10),
    "connections": Limit(0.0, 2),
    "raw.batch dead % above 20": Limit(0.0, 5),
    "mart dead % above 20": Limit(0.0, 5),
    "ops.ledger_d MB": Limit(0.0, 1),
    "raw.dead_letter MB": Limit(0.0, 1),
    "raw.batch_pending_ix MB": Limit(0.0, 1),
    "mart.event_day_f MB": Limit(0.0, 1),
    "catalog MB": Limit(0.02, 1),
    "oldest pending s": Limit(0.25, 0.5),
    "pending batches": Limit(0.25, 20),
    "KB per event": Limit(0.1, 0.1),
}
"""What each may gain in an hour, as a share of its median or so much, whichever is more. A backend keeps a handle
on every table it reads. Rows die by design, and autovacuum comes when a fifth of a
table is dead: only what lies above that is left behind. (All of it rises and falls like a saw; a slope over a few
teeth says nothing.)"""


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
    notes: list[str]

    @property
    def trends(self) -> list[Trend]:
        """Every figure with its verdict, judged from the samples."""
        return [judge(name, self.samples["seconds"], self.samples[name], limit) for name, limit in LIMITS.items()]


def judge(name: str, times: list[float], values: list[float], limit: Limit) -> Trend:
    """The second half is judged: caches and pools fill in the first."""
    half = len(times) // 2
    per_second = slope(times[half:], values[half:])
    estimate, low, high = (one * HOUR for one in per_second)
    middle = median(values[half:] or [0.0])
    allowed = max(limit.share * middle, limit.least)
    verdict = "flat" if high <= allowed else "GROWS" if low > allowed else "undecided"
    return Trend(name, values[0], middle, values[-1], estimate, low, high, allowed, verdict)
