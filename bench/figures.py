"""What a measurement yields: rounds become medians with their spread, and ratios paired within a round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median

import msgspec

Figures = dict[str, float]
"""What one run of one side measured: name with unit -> value."""


class Spread(msgspec.Struct, frozen=True):
    """A figure over the rounds."""

    median: float
    low: float
    high: float
    rounds: list[float]


class Bar(msgspec.Struct, frozen=True):
    """What a figure must reach."""

    limit: float
    at_least: bool = True


class Verdict(msgspec.Struct, frozen=True):
    """A bar and what came of it; `missed_by` is the share of the bar that is lacking (or too much)."""

    what: str
    bar: Bar
    got: float
    met: bool
    missed_by: float


class Point(msgspec.Struct, frozen=True):
    """A place on the way: how many events there were, and the medians of what was measured since the last."""

    events: int
    figures: Figures


class Result(msgspec.Struct, frozen=True):
    """One row of the table: every side's figures, the ratios between sides, and the verdicts."""

    name: str
    title: str
    sides: dict[str, dict[str, Spread]]
    ratios: dict[str, Spread]
    verdicts: list[Verdict]
    checks: list[str]
    """What was proved of the run itself: a figure of events that were not stored would be worth nothing."""
    notes: list[str] = []
    way: list[Point] = []
    """How the figures went as the database grew."""
    stopped_early: str = ""
    """Why not everything was measured that was asked for."""


class HarnessError(Exception):
    """A measurement that cannot be believed: something was lost, refused or counted twice."""


def spread(values: list[float]) -> Spread:
    """The median and extremes of one figure."""
    return Spread(median(values), min(values), max(values), values)


def interleave(rounds: int, sides: Mapping[str, Callable[[], Figures]]) -> dict[str, list[Figures]]:
    """Run every side once per round, A B then B A, so that whatever drifts falls on all of them alike."""
    measured: dict[str, list[Figures]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(sides) if number % 2 == 0 else list(sides)[::-1]:
            measured[name].append(sides[name]())
    return measured


def summarise(measured: Mapping[str, list[Figures]]) -> dict[str, dict[str, Spread]]:
    """Side -> figure -> spread over the rounds."""
    return {
        side: {figure: spread([one[figure] for one in rounds]) for figure in rounds[0]}
        for side, rounds in measured.items()
    }


def ratio(measured: Mapping[str, list[Figures]], figure: str, ours: str, reference: str) -> Spread:
    """Ours over the reference's, round by round: neighbours in time share the machine's mood."""
    pairs = zip(measured[ours], measured[reference], strict=True)
    return spread([mine[figure] / theirs[figure] for mine, theirs in pairs])


def judge(what: str, got: float, bar: Bar) -> Verdict:
    """Whether the median reaches the bar."""
    met = got >= bar.limit if bar.at_least else got <= bar.limit
    return Verdict(what, bar, got, met, 0.0 if met else abs(got / bar.limit - 1))
