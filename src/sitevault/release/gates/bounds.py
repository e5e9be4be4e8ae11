"""From counts to a verdict: the rate gates' common part."""

from __future__ import annotations

from typing import NamedTuple

from sitevault.observe import sequential
from sitevault.observe.kpis import Verdict
from sitevault.release.gates.model import Risk


class Trials(NamedTuple):
    """`good` of `finished` trials, and `open` ones whose end nobody knows yet.

    `settled` are the trials before the first open one, in the order in which they came.
    """

    good: int
    finished: int
    open: int = 0
    settled_good: int = 0
    settled: int = 0


class Proof(NamedTuple):
    """What trials prove of a rate."""

    lower: float
    upper: float
    verdict: Verdict
    more_needed: int | None


def at_least(trials: Trials, target: float, risk: Risk) -> Proof:
    """Whether the true rate of good ones is at least `target`.

    What is still open may end either way: it counts against a PASS and for a FAIL, or is left out with everything
    that came after it. Leaving out only what is open would be leaving out what gets stuck. Both ways hold at once,
    because the bounds hold for every beginning of the sequence.
    """
    whole = trials.finished + trials.open
    lower = max(
        sequential.proportion_lower(trials.good, whole, risk.wrong_pass),
        sequential.proportion_lower(trials.settled_good, trials.settled, risk.wrong_pass),
    )
    upper = min(
        sequential.proportion_upper(trials.good + trials.open, whole, risk.wrong_fail),
        sequential.proportion_upper(trials.settled_good, trials.settled, risk.wrong_fail),
    )
    if not trials.finished:
        return Proof(lower, upper, Verdict.NO_DATA, None)
    if upper < target:
        return Proof(lower, upper, Verdict.FAIL, None)
    if lower >= target:
        return Proof(lower, upper, Verdict.PASS, None)
    more = sequential.trials_until(trials.good, trials.finished, target, risk.wrong_pass)
    return Proof(lower, upper, Verdict.INCONCLUSIVE, more)


def worst(verdicts: list[Verdict]) -> Verdict:
    """FAIL before NO_DATA before INCONCLUSIVE before PASS; of nothing, NO_DATA."""
    order = (Verdict.FAIL, Verdict.NO_DATA, Verdict.INCONCLUSIVE, Verdict.PASS)
    return min(verdicts, key=order.index, default=Verdict.NO_DATA)
