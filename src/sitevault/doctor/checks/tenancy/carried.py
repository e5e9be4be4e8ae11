"""An event keeps its tenant from landing to staging."""

from __future__ import annotations

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "tenancy.carried"


def _look(snapshot: Snapshot) -> Outcome:
    carried = snapshot.carried
    findings = tuple(
        Finding(
            ID,
            Verdict.PROBLEM,
            f"tenant {snapshot.tenant_name(one.tenant_hk)}",
            f"{say.events(one.elsewhere)} of this tenant were staged under another",
            (Evidence("staging.site_tracking_events_s", "another tenant_hk than landing's",
                      counts={"contradiction": one.elsewhere}),),
            repair=f"sitevault repair plan {ID}",
        )
        for one in carried
        if one.elsewhere
    )  # fmt: skip
    return Outcome("staged events", sum(one.staged for one in carried), findings, nothing_is_fine=True)


CHECK = Check(
    id=ID,
    title="Staging keeps the tenant that landing had",
    why="A function that looks the tenant up again, instead of carrying it along, puts an event where it never "
    "was.",
    looks_at="The sampled events' rows in staging, joined by their number.",
    mend="Reassign the staged rows, and mend the function that looks the tenant up.",
    look=_look,
)
