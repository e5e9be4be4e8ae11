"""Events are processed."""

from __future__ import annotations

from sitevault.observe.kpis import Verdict
from sitevault.release.gates import say
from sitevault.release.gates.bounds import Trials, at_least
from sitevault.release.gates.model import Gate, GateResult, Sight


def _judge(sight: Sight) -> GateResult:
    found = sight.facts.outcomes
    if not found.received:
        return GATE.no_data(sight, "no event was received in this window")
    trials = Trials(found.processed, found.finished, found.in_time, found.settled_processed, found.settled)
    proof = at_least(trials, sight.thresholds.success_rate, sight.risk)
    bad = say.counted((found.error, "in ERROR"), (found.overdue, "overdue"), (found.lost, "LOST"))
    proved = {
        Verdict.FAIL: f"at most {say.at_most(proof.upper)}",
        Verdict.NO_DATA: "none has had time to finish",
    }.get(proof.verdict, f"proves ≥ {say.at_least(proof.lower)}")
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=found.processed,
        n=found.finished,
        estimate=found.processed / found.finished if found.finished else None,
        lower=proof.lower,
        upper=proof.upper,
        verdict=proof.verdict,
        note=say.joined(proved, bad, say.counted((found.in_time, "still in time"))),
        more_needed=proof.more_needed,
        seconds_needed=sight.seconds_for(proof.more_needed, found.finished),
    )


GATE = Gate(
    name="success_rate",
    title="Events are processed",
    target=lambda wanted: f"≥ {say.percent(wanted.success_rate)}",
    formula="processed / finished. Processed is what is found where it belongs, whatever a status says: INVALID "
    "events and duplicates were processed as intended. In ERROR, PENDING beyond its limit, or in no place at all "
    "is not.",
    denominator="Events received in the window that had time to finish. One still in time is in neither figure, "
    "but the bounds count it against a PASS and for a FAIL.",
    house="`raw.landed_event` beside `business.site_event_nl`, `business.site_event_duplicate`, INVALID rows of "
    "`staging.site_tracking_events_s` and `raw.dead_letter`.",
    guide="`raw.site_tracking_events_r` by its status, and for an event that is marked as done its row in "
    "`staging.site_tracking_events_s`; NO_DATA without a column of the status, or where staging does not name the "
    "raw event.",
    judge=_judge,
)
