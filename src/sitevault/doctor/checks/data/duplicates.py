"""Events that were staged twice."""

from __future__ import annotations

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "data.duplicates"


def _look(snapshot: Snapshot) -> Outcome:
    if snapshot.is_house:
        notes = ("The vault's primary key forbids them; a replay may stage an event again.",)
        return Outcome("events", len(snapshot.sample.events), nothing_is_fine=True, notes=notes)
    findings = tuple(
        Finding(
            ID,
            Verdict.PROBLEM,
            f"tenant {snapshot.tenant_name(one.tenant_hk)}",
            f"{say.events(one.twice)} of this tenant were staged more than once: every figure counts them twice",
            (Evidence("staging.site_tracking_events_s", "rows of one event", counts={"twice": one.twice}),),
        )
        for one in snapshot.carried
        if one.twice
    )
    return Outcome("events", len(snapshot.sample.events), findings, nothing_is_fine=True)


CHECK = Check(
    id=ID,
    title="No event is staged twice",
    why="Two workers without a lock, or a retry without a key, count an event twice, and no status shows it.",
    looks_at="The sampled events' rows in staging, by their number, in the guide's shape. In our house the "
    "vault's primary key forbids it.",
    mend="Take the later rows away, then add the unique constraint that was missing.",
    look=_look,
)
