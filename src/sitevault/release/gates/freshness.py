"""Nothing waits beyond the limit."""

from __future__ import annotations

from sitevault.observe.kpis import Verdict
from sitevault.release.gates import say
from sitevault.release.gates.model import Gate, GateResult, Sight


def _judge(sight: Sight) -> GateResult:
    found, received = sight.facts.waiting(), sight.facts.outcomes.received
    before = say.counted((found.from_before, "wait since before the deploy"))
    if not received and not found.waiting:
        return GATE.no_data(sight, say.joined("no event was received in this window", before))
    age = found.oldest_seconds
    oldest = "nothing waits" if age is None else f"the oldest waits {age:.0f} s"
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=found.waiting - found.overdue,
        n=found.waiting,
        estimate=age,
        verdict=Verdict.FAIL if found.overdue else Verdict.PASS,
        note=say.joined(say.counted((found.overdue, "overdue")), oldest, before),
    )


GATE = Gate(
    name="freshness",
    title="Nothing waits beyond the limit",
    target=lambda wanted: f"≤ {round(wanted.pending_limit_seconds, 1):g} s",
    formula="The age of the oldest PENDING event; one beyond `pending_limit_seconds` is FAIL.",
    denominator="Events received or requeued in the window that are PENDING. Those that wait since before the "
    "deploy are said, and are not this release's doing.",
    house="Pending manifests of `raw.batch` and requeued rows of `raw.dead_letter`.",
    guide="`raw.site_tracking_events_r` by its status; NO_DATA without such a column.",
    judge=_judge,
    statistical=False,
)
