"""Events that are said to be done, and are nowhere."""

from __future__ import annotations

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "data.unstaged"


def _look(snapshot: Snapshot) -> Outcome:
    looked = len(snapshot.sample.events)
    findings = tuple(
        Finding(
            ID,
            Verdict.PROBLEM,
            f"tenant {snapshot.tenant_name(one.tenant_hk)}",
            f"{say.events(one.missing)} of this tenant are said to be processed, and staging has no row of them",
            (Evidence(snapshot.event_table.full_name, "processed, and nowhere", counts={"missing": one.missing}),),
            repair=f"sitevault repair plan {ID}",
        )
        for one in snapshot.carried
        if one.missing
    )
    return Outcome("events", looked, findings, nothing_is_fine=True, notes=(snapshot.sample.how,))


CHECK = Check(
    id=ID,
    title="What is said to be processed is there",
    why="A status is what a function says of itself. An event that is marked PROCESSED and was never staged is "
    "lost without a trace, and counts as a success.",
    looks_at="The sampled events that are done, against the rows of staging (in our house: staging, vault and "
    "duplicates). Events beyond the sample are not seen; `sitevault status --deep` counts all of ours.",
    mend="Requeue exactly these events, once the function that marked them is mended.",
    look=_look,
)
