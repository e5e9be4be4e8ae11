"""Is every event the tenant's whose it shows to be?"""

from __future__ import annotations

from collections import Counter

from sitevault.doctor.model import Verdict
from sitevault.release.preflight.model import Found, Item, Look, ok, unknown, warning

CHECK = "tenancy.provenance"


def _look(look: Look) -> Found:
    (one,) = look.doctor(CHECK)
    counts: Counter[str] = Counter()
    for finding in one.outcome.findings:
        for evidence in finding.evidence:
            counts.update(evidence.counts)
    looked = one.outcome.count
    shown = ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
    if any(finding.verdict in (Verdict.PROBLEM, Verdict.WARNING) for finding in one.outcome.findings):
        return warning(f"of {looked} events looked at: {shown}", f"sitevault repair plan {CHECK}")
    if not looked:
        return unknown("there is no event to judge by")
    if one.verdict is not Verdict.OK:
        said = shown or "; ".join(finding.message for finding in one.outcome.findings)
        return unknown(
            f"of {looked} events looked at: {said}", "Make provenance mandatory: an API key on every event."
        )
    return ok(f"all {looked} events looked at are consistent with their key")


ITEM = Item(
    "tenants",
    "Every event is the tenant's whose it shows to be",
    f"The doctor's check `{CHECK}` over a sample. Warning: contradictions and suspects, with their number. "
    f"Unknown: "
    "events that carry nothing that shows whose they are; those are never counted as well.",
    _look,
)
