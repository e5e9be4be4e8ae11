"""Events that wait longer than they may."""

from __future__ import annotations

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "queue.pending"


def _look(snapshot: Snapshot) -> Outcome:
    if not snapshot.is_house and snapshot.event_table.status is None:
        message = f"{snapshot.event_table.full_name} has no status: what waits cannot be told from what is done"
        return Outcome("events", 0, (Finding(ID, Verdict.UNKNOWN, snapshot.event_table.full_name, message),))
    limit = snapshot.options.pending_limit_seconds
    waiting = snapshot.waiting
    late = [one for one in waiting if one.seconds > limit]
    count = sum(one.events for one in waiting)
    if not late:
        return Outcome("waiting events", count, nothing_is_fine=True)
    oldest = max(one.seconds for one in late)
    finding = Finding(
        ID,
        Verdict.PROBLEM,
        snapshot.event_table.full_name,
        f"{say.events(sum(one.events for one in late))} of {len(late)} tenants wait, the oldest for "
        f"{say.age(oldest)}; the limit is {say.age(limit)}",
        tuple(
            Evidence(
                f"tenant {snapshot.tenant_name(one.tenant_hk)}",
                f"the oldest waits for {say.age(one.seconds)}",
                counts={"pending": one.events, "attempts": one.attempts},
            )
            for one in late
        ),
        repair=f"sitevault repair plan {ID}",
    )
    return Outcome("waiting events", count, (finding,))


CHECK = Check(
    id=ID,
    title="No event waits longer than it may",
    why="An event that stays PENDING is lost to whoever looks at the vault, and nothing says so: no error, no "
    "message. In the incident that this doctor was made after, events stayed PENDING because the function that "
    "failed on them rolled its own error message back.",
    looks_at="Pending manifests and requeued dead letters per tenant, or, in the guide's shape, rows whose status "
    "is PENDING, PROCESSING, NEW, QUEUED, RETRY or NULL. Flagged is what waits longer than pending_limit_seconds.",
    mend="See first whether anybody works (queue.workers) and whether the function fails (functions.*). Then "
    "requeue exactly these events.",
    look=_look,
)
