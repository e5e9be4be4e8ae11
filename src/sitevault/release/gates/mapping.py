"""What payloads carry arrives in its column; it needs no baseline."""

from __future__ import annotations

from sitevault.observe.kpis import Verdict
from sitevault.release.gates import say
from sitevault.release.gates.bounds import Proof, Trials, at_least, worst
from sitevault.release.gates.facts import Arrived
from sitevault.release.gates.model import Gate, GateResult, Risk, Sight, longest

_SHOWN = 6


def _judge(sight: Sight) -> GateResult:
    target = sight.thresholds.mapped_share or 0
    found = sight.facts.arrived()
    if not found:
        return GATE.no_data(sight, "no staged event of this window carries a key with the name of a column")
    risk = Risk(sight.risk.wrong_pass, sight.risk.wrong_fail / len(found))
    proofs = [(one, at_least(_trials(one), target, risk)) for one in found]
    # One event with a rare key says little of the release: such a column may FAIL, and need not be shown to hold.
    most = max(one.carried for one in found)
    counting = [(one, proof) for one, proof in proofs if 2 * one.carried >= most or proof.verdict is Verdict.FAIL]
    verdict = worst([proof.verdict for _, proof in counting])
    telling = [(one, proof) for one, proof in counting if proof.verdict is verdict]
    (first, proof), *_ = sorted(telling, key=lambda pair: (pair[1].lower, pair[0].column))
    undecided = [(one, proof) for one, proof in counting if proof.verdict is Verdict.INCONCLUSIVE]
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=sum(proof.verdict is Verdict.PASS for _, proof in counting),
        n=len(counting),
        estimate=first.filled / first.carried,
        lower=proof.lower,
        upper=proof.upper,
        verdict=verdict,
        note=_said(telling) if verdict is not Verdict.PASS else "",
        more_needed=longest(proof.more_needed for _, proof in undecided),
        seconds_needed=longest(sight.seconds_for(proof.more_needed, one.carried) for one, proof in undecided),
    )


def _trials(one: Arrived) -> Trials:
    return Trials(one.filled, one.carried, 0, one.filled, one.carried)


def _said(telling: list[tuple[Arrived, Proof]]) -> str:
    shown = ", ".join(f"{one.column}: {one.filled} of {one.carried}" for one, _ in telling[:_SHOWN])
    return say.joined(shown, say.counted((max(0, len(telling) - _SHOWN), "more")))


GATE = Gate(
    name="mapping",
    title="What payloads carry arrives in its column",
    target=lambda wanted: f"≥ {say.percent(wanted.mapped_share or 0)} of what is carried",
    formula="Per column of staging, rows that have it filled / rows whose payload carries a key of its name, at "
    "any depth, without regard to case and underscores; shown is the worst. Columns that fewer than half as many "
    "payloads carry as the most carried one are watched: they may FAIL, and need not be shown to hold. k of n are "
    "columns that hold. It needs no baseline, and does not see a column under another name.",
    denominator="Events received in the window and staged; of more than 5,000, the newest and a spread.",
    house="The columns that the [mapping](mapping.md) fills, beside `raw.landed_event.payload`, as the doctor's "
    "[drift.null_columns](checks/drift.null_columns.md).",
    guide="Every column of staging that may be NULL, the same way.",
    judge=_judge,
    asked=lambda wanted: wanted.mapped_share is not None,
)
