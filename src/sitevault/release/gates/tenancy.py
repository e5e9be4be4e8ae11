"""No event stands under another tenant."""

from __future__ import annotations

from sitevault.observe.kpis import Verdict
from sitevault.release.gates import say
from sitevault.release.gates.model import Gate, GateResult, Sight


def _judge(sight: Sight) -> GateResult:
    found = sight.facts.owners()
    checked, contradictions, unverifiable = found.rows
    if not checked:
        return GATE.no_data(sight, "no event of this window to look at")
    verdict = Verdict.PASS
    if contradictions:
        verdict = Verdict.FAIL
    elif unverifiable or found.suspect or found.not_looked_at or found.notes:
        verdict = Verdict.INCONCLUSIVE
    note = say.counted(
        (contradictions, "contradict what shows whose they are"),
        (found.suspect, "are suspect by their host"),
        (unverifiable, "carry nothing that shows whose they are"),
        (found.not_looked_at, "or more were not looked at"),
        (found.from_before, "from before the deploy are not proved, and not its doing: see sitevault doctor"),
    )
    consistent = checked - contradictions - unverifiable - found.suspect
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=consistent,
        n=checked,
        estimate=consistent / checked,
        verdict=verdict,
        note=say.joined(note, *found.notes),
    )


GATE = Gate(
    name="tenancy",
    title="No event stands under another tenant",
    target=lambda _: "0 contradictions",
    formula="Every row against what shows whose it is; one contradiction is FAIL. Rows that nothing confirms are "
    "counted, and make it INCONCLUSIVE: never green.",
    denominator="Events received in the window, and rows staged in it. In a database of the guide's shape, events "
    "that came before the deploy and were carried in the window have the tenant that the door of then gave them: "
    "those that nothing proves are said, and are not this release's doing.",
    house="The key of every landed event, the landed event of every row in staging and vault, and every hub key "
    "computed again.",
    guide="The doctor's evidence: API key, the customer the payload names, the host (which never proves, only "
    "casts doubt); and staged rows beside their raw events. The newest 50,000 events.",
    judge=_judge,
    statistical=False,
)
