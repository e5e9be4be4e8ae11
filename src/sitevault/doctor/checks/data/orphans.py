"""Staged rows that come from nowhere."""

from __future__ import annotations

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "data.orphans"


def _look(snapshot: Snapshot) -> Outcome:
    found = snapshot.orphans
    if not found.without_raw:
        return Outcome("staged rows", found.looked_at, nothing_is_fine=True)
    finding = Finding(
        ID,
        Verdict.PROBLEM,
        "staging.site_tracking_events_s",
        f"{say.share(found.without_raw, found.looked_at)} staged rows have no landed event: nothing proves them, "
        f"and nothing can rebuild them",
        (Evidence("staging.site_tracking_events_s", "no landed event", counts={"orphans": found.without_raw}),),
    )
    return Outcome("staged rows", found.looked_at, (finding,))


CHECK = Check(
    id=ID,
    title="Every staged row has its landed event",
    why="What cannot be traced to what came in was made up, or its source was deleted by hand.",
    looks_at="The newest staged rows, as many as the sample, joined to landing by their number. In our house, "
    "rows from before the oldest landing that is kept are left alone.",
    mend="Find who deletes from landing; restore it from a backup.",
    look=_look,
)
