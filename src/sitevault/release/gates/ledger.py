"""Every event is in exactly one place."""

from __future__ import annotations

from sitevault.observe.kpis import Verdict
from sitevault.release.gates import say
from sitevault.release.gates.model import Gate, GateResult, Sight

_SHOWN = 5


def _judge(sight: Sight) -> GateResult:
    found = sight.facts.books()
    if not found.landed and not found.broken:
        return GATE.no_data(sight, "no event has landed")
    return GateResult(
        name=GATE.name,
        target=GATE.target(sight.thresholds),
        n=found.landed,
        verdict=Verdict.FAIL if found.broken else Verdict.PASS,
        note=say.joined(*found.broken[:_SHOWN], say.counted((max(0, len(found.broken) - _SHOWN), "more"))),
    )


GATE = Gate(
    name="ledger",
    title="Every event is in exactly one place",
    target=lambda _: "balances",
    formula="landed = pending + processed + error, and nothing lost; one line that does not balance is FAIL.",
    denominator="Every tenant's line, and the events received in the window.",
    house="Manifests, ledger and dead letters of every tenant, and the window's events found one by one.",
    guide="Events of the window that are marked as done and have no staging row.",
    judge=_judge,
    statistical=False,
)
