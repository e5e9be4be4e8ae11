"""The released objects are what was released."""

from __future__ import annotations

from sitevault.observe.kpis import Verdict
from sitevault.release.gates.model import Gate, GateResult, Sight

_SHOWN = 5


def _judge(sight: Sight) -> GateResult:
    if sight.drift is None:
        return GATE.no_data(sight, "nobody said what the catalog should be")
    found = sight.drift()
    if not found.compared:
        return GATE.no_data(sight, "there is no released object to compare")
    more = f" and {len(found.moved) - _SHOWN} more" if len(found.moved) > _SHOWN else ""
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=found.compared - len(found.moved),
        n=found.compared,
        verdict=Verdict.FAIL if found.moved else Verdict.PASS,
        note=f"changed since: {', '.join(found.moved[:_SHOWN])}{more}" if found.moved else "",
    )


GATE = Gate(
    name="drift",
    title="The released objects are what was released",
    target=lambda _: "0 moved",
    formula="Each object's definition against the snapshot the deploy verified; one that differs is FAIL.",
    denominator="The objects that the release touched.",
    house="The catalog, as PostgreSQL deparses it.",
    guide="The same.",
    judge=_judge,
    statistical=False,
)
