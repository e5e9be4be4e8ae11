"""No row refers to what is not there."""

from __future__ import annotations

from sitevault.observe.kpis import Verdict
from sitevault.release.gates import say
from sitevault.release.gates.model import Gate, GateResult, Sight


def _judge(sight: Sight) -> GateResult:
    found = sight.facts.references()
    checked = sum(one.checked for one in found)
    if not checked:
        return GATE.no_data(sight, "no row of this window to look at")
    broken = sum(one.broken for one in found)
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=checked - broken,
        n=checked,
        verdict=Verdict.FAIL if broken else Verdict.PASS,
        note=say.joined(*(f"{one.what}: {one.broken} of {one.checked}" for one in found if one.broken)),
    )


GATE = Gate(
    name="references",
    title="No row refers to what is not there",
    target=lambda _: "0 violations",
    formula="References that lead nowhere and rows that are there twice, whether or not the database enforces "
    "them; one is FAIL.",
    denominator="Each reference of each row loaded or staged in the window.",
    house="`business.site_event_nl` of the window to its tenant and to its five hubs.",
    guide="Staged rows to their raw events, two staged rows of one event, and events to their tenant.",
    judge=_judge,
    statistical=False,
)
