"""Events do not end in ERROR."""

from __future__ import annotations

from sitevault.observe.kpis import Verdict
from sitevault.release.gates import say
from sitevault.release.gates.bounds import Trials, at_least
from sitevault.release.gates.model import Gate, GateResult, Sight


def _judge(sight: Sight) -> GateResult:
    found = sight.facts.outcomes
    if not found.finished:
        return GATE.no_data(sight, "no event of this window has had time to finish")
    trials = Trials(
        found.finished - found.error, found.finished, found.in_time, found.settled - found.settled_error,
        found.settled,
    )  # fmt: skip
    proof = at_least(trials, 1 - sight.thresholds.error_rate, sight.risk)
    lower, upper = 1 - proof.upper, 1 - proof.lower
    proved = (
        f"at least {say.at_least(lower)}" if proof.verdict is Verdict.FAIL else f"proves < {say.at_most(upper)}"
    )
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=found.error,
        n=found.finished,
        estimate=found.error / found.finished,
        lower=lower,
        upper=upper,
        verdict=proof.verdict,
        note=say.joined(proved, say.counted((found.in_time, "still in time"))),
        more_needed=proof.more_needed,
        seconds_needed=sight.seconds_for(proof.more_needed, found.finished),
    )


GATE = Gate(
    name="error_rate",
    title="Events do not end in ERROR",
    target=lambda wanted: f"< {say.percent(wanted.error_rate)}",
    formula="in ERROR / finished. An overdue event is no error; the success rate counts it.",
    denominator="As of the success rate.",
    house="Landed events of the window whose row in `raw.dead_letter` is ERROR.",
    guide="Events of the window whose status is ERROR, FAILED or DEAD.",
    judge=_judge,
)
