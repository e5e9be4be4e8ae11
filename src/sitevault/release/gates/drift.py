"""What was released is as it was released."""

from __future__ import annotations

from sitevault.observe.kpis import Verdict
from sitevault.release.gates.model import Gate, GateResult, Sight

_SHOWN = 5


def _judge(sight: Sight) -> GateResult:
    if sight.drift is None:
        return GATE.no_data(sight, "nobody said what the catalog should be")
    found = sight.drift()
    more = f" and {len(found.moved) - _SHOWN} more" if len(found.moved) > _SHOWN else ""
    nothing = "" if found.compared else "the release left no object and no setting that could"
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        k=found.compared - len(found.moved),
        n=found.compared,
        verdict=Verdict.FAIL if found.moved else Verdict.PASS,
        note=f"changed since: {', '.join(found.moved[:_SHOWN])}{more}" if found.moved else nothing,
    )


GATE = Gate(
    name="drift",
    title="What was released is as it was released",
    target=lambda _: "0 moved",
    formula=(
        "Each object's definition against the snapshot the deploy verified, each setting against the bundle's; "
        "one that differs is FAIL."
    ),
    denominator="The objects that the release touched, and in a house the settings it put in force.",
    house="The catalog, as PostgreSQL deparses it.",
    guide="The same.",
    judge=_judge,
    statistical=False,
)
