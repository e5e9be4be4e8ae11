"""Events are as complete as they must be."""

from __future__ import annotations

from sitevault.observe import sequential
from sitevault.observe.kpis import Verdict
from sitevault.release.gates.baseline import together
from sitevault.release.gates.model import Gate, GateResult, Sight


def _judge(sight: Sight) -> GateResult:
    values = together(sight.facts.types.values()).histogram
    seen, count = sequential.mean(values), int(sum(values.values()))
    if seen is None:
        return GATE.no_data(sight, "nothing was staged in this window")
    target = sight.thresholds.quality
    lower = sequential.mean_lower(values, sight.risk.wrong_pass)
    upper = sequential.mean_upper(values, sight.risk.wrong_fail)
    more, verdict, note = None, Verdict.INCONCLUSIVE, f"proves ≥ {lower:.3f}"
    if lower >= target:
        verdict = Verdict.PASS
    elif upper < target:
        verdict, note = Verdict.FAIL, f"at most {upper:.3f}"
    else:
        more = sequential.values_until(values, target, sight.risk.wrong_pass)
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        n=count,
        estimate=seen,
        lower=lower,
        upper=upper,
        verdict=verdict,
        note=note,
        more_needed=more,
        seconds_needed=sight.seconds_for(more, count),
    )


GATE = Gate(
    name="quality",
    title="Events are complete",
    target=lambda wanted: f"≥ {wanted.quality:.2f}",
    formula="The mean quality score. A row's claim counts only as far as it is borne out.",
    denominator="Events staged in the window, INVALID ones included.",
    house="The lesser of `quality_score` and what the deductions of the row's findings leave ([rules](rules.md)).",
    guide="The lesser of `quality_score`, where there is one, and 1 less 0.2 for each of `event_type`, "
    "`session_id` and `page_url` that is a column and is empty.",
    judge=_judge,
)
