"""Each kind of event is as complete as it was before the deploy."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from sitevault.observe import sequential
from sitevault.observe.kpis import Verdict
from sitevault.release.gates import say
from sitevault.release.gates.baseline import OfType, pairs
from sitevault.release.gates.bounds import worst
from sitevault.release.gates.model import Gate, GateResult, Sight, longest


class _Compared(NamedTuple):
    """One type: how far its mean moved, at least and at most."""

    name: str
    verdict: Verdict
    events: int
    moved: float | None
    lower: float
    upper: float
    more: int | None
    said: str


def _judge(sight: Sight) -> GateResult:
    drop = sight.thresholds.quality_drop
    if sight.baseline is None or drop is None:
        return GATE.no_data(sight, "no window before the deploy was frozen to compare with")
    compared = pairs(sight.baseline.types, sight.facts.types, sight.thresholds.min_events)
    if not compared:
        return GATE.no_data(
            sight, f"the baseline has {sight.baseline.events} events: too few of any type to compare with"
        )
    # A wrong FAIL may come from any of the types, a wrong PASS only from all of them together.
    wrong_fail, wrong_pass = sight.risk.wrong_fail / len(compared), sight.risk.wrong_pass
    found = [_compare(name, *pair, drop, wrong_pass, wrong_fail) for name, pair in compared.items()]
    verdict = worst([one.verdict for one in found])
    telling = min(found, key=lambda one: (one.verdict is not verdict, one.lower))
    undecided = [one for one in found if one.verdict is Verdict.INCONCLUSIVE]
    events = sum(one.events for one in found)
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=sum(one.verdict is Verdict.PASS for one in found),
        n=len(found),
        estimate=telling.moved,
        lower=telling.lower,
        upper=telling.upper,
        verdict=verdict if events or verdict is Verdict.FAIL else Verdict.NO_DATA,
        note=say.joined(*(one.said for one in found if one.verdict is verdict is not Verdict.PASS)),
        more_needed=longest(one.more for one in undecided),
        seconds_needed=longest(sight.seconds_for(one.more, one.events) for one in undecided),
    )


def _compare(
    name: str, before: OfType, now: OfType, drop: float, wrong_pass: float, wrong_fail: float
) -> _Compared:
    """Half of the risk is the baseline's: it is a sample, too."""
    least, most = _lower(before.scores, wrong_fail / 2), _upper(before.scores, wrong_pass / 2)
    low = sequential.mean_lower(now.histogram, wrong_pass / 2)
    high = sequential.mean_upper(now.histogram, wrong_fail / 2)
    was, seen = sequential.mean(before.histogram) or 0.0, sequential.mean(now.histogram)
    moved = None if seen is None else seen - was
    shown = f"{say.name(name)}: {was:.3f} before" + ("" if seen is None else f", {seen:.3f} now")
    if high < least - drop:
        verdict, more, shown = Verdict.FAIL, None, f"{shown}, at most {high:.3f}"
    elif low >= most - drop:
        verdict, more = Verdict.PASS, None
    else:
        verdict = Verdict.INCONCLUSIVE
        more = sequential.values_until(now.histogram, most - drop, wrong_pass / 2) if now.events else None
        shown += f" ({now.events} events{'' if more is None else f', {more} more needed'})"
    return _Compared(name, verdict, now.events, moved, low - most, high - least, more, shown)


@lru_cache(1024)
def _lower(scores: tuple[tuple[float, int], ...], alpha: float) -> float:
    """The same baseline is looked at again and again."""
    return sequential.mean_lower(dict(scores), alpha)


@lru_cache(1024)
def _upper(scores: tuple[tuple[float, int], ...], alpha: float) -> float:
    return sequential.mean_upper(dict(scores), alpha)


GATE = Gate(
    name="quality_by_type",
    title="No kind of event is less complete than before",
    target=lambda wanted: f"≥ baseline − {wanted.quality_drop or 0:.2f}",
    formula="Per event type, the mean score less the baseline's; shown is the worst. Both are samples, so each "
    "has half of the risk; with several types a FAIL needs the more evidence. k of n are types that hold.",
    denominator="Events staged in the window, by the type in their payload. Types with fewer than `min_events` "
    "or 5 % of the baseline's events are compared together.",
    house="As of the quality; the type by the mapping's paths from `raw.landed_event.payload`.",
    guide="As of the quality; the type by the same paths from the raw payload.",
    judge=_judge,
    asked=lambda wanted: wanted.quality_drop is not None,
)
