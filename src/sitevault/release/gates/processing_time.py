"""Events are fast."""

from __future__ import annotations

from sitevault.observe import statistics
from sitevault.observe.kpis import Verdict
from sitevault.release.gates import say
from sitevault.release.gates.bounds import Trials, at_least
from sitevault.release.gates.facts import Times
from sitevault.release.gates.model import Gate, GateResult, Sight


def _judge(sight: Sight) -> GateResult:
    limit = sight.thresholds.processing_ms / 1000
    found, only_fast = _times(sight, limit)
    if not found.measured:
        return GATE.no_data(sight, "nothing was measured in this window")
    trials = Trials(found.within, found.measured, 0, found.within, found.measured)
    proof = at_least(trials, sight.thresholds.processing_share, sight.risk)
    verdict, note = proof.verdict, f"95 % within {1000 * (found.p95 or 0):.3g} ms"
    if only_fast and verdict is Verdict.FAIL:
        verdict = Verdict.INCONCLUSIVE
        note += "; the waiting is in it, because nothing records when processing began"
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=found.within,
        n=found.measured,
        estimate=found.within / found.measured,
        lower=proof.lower,
        upper=proof.upper,
        verdict=verdict,
        note=note,
        more_needed=proof.more_needed,
        seconds_needed=sight.seconds_for(proof.more_needed, found.measured),
    )


def _times(sight: Sight, limit: float) -> tuple[Times, bool]:
    if sight.timings is None:
        return sight.facts.times(limit), sight.facts.times_hold_waiting
    ordered = sorted(sight.timings)
    p95 = statistics.quantile(ordered, 0.95) if ordered else None
    return Times(len(ordered), sum(one < limit for one in ordered), p95), False


GATE = Gate(
    name="processing_time",
    title="Events are fast",
    target=lambda wanted: f"{say.percent(wanted.processing_share)} < {wanted.processing_ms:g} ms",
    formula="within the limit / measured. That a quantile is below a limit is that at least its share is within "
    "it, so this is a gate on a rate; means would hide what is slow.",
    denominator="Loads of the window (house), staged events received in it (guide), or the events that the deploy "
    "carried under measurement.",
    house="`ops.load`: the sum of a load's steps or its whole duration, the longer of the two, per event. Loads, "
    "because the events of one load are not measured one by one.",
    guide="From arrival to the time in staging, waiting included: that can prove events fast, and never slow, so "
    "it ends in PASS or INCONCLUSIVE. NO_DATA without a time in staging.",
    judge=_judge,
)
