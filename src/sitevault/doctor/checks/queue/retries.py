"""Events that were tried again and again."""

from __future__ import annotations

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "queue.retries"
MOST_ATTEMPTS = 5


def _look(snapshot: Snapshot) -> Outcome:
    tired = [
        *((one.tenant_hk, one.events, one.attempts, "pending") for one in snapshot.waiting),
        *((one.tenant_hk, one.events, one.attempts, "errors") for one in snapshot.failures),
    ]
    findings = tuple(
        Finding(
            ID,
            Verdict.PROBLEM,
            f"tenant {snapshot.tenant_name(tenant)}",
            f"{say.events(events)} of this tenant were tried up to {attempts} times, and failed each time",
            (
                Evidence(
                    snapshot.event_table.full_name, "tried in vain", counts={state: events, "attempts": attempts}
                ),
            ),
            repair=f"sitevault repair plan {ID}",
        )
        for tenant, events, attempts, state in tired
        if attempts >= MOST_ATTEMPTS
    )
    return Outcome("unfinished events", sum(one[1] for one in tired), findings, nothing_is_fine=True)


CHECK = Check(
    id=ID,
    title="No event is tried in vain",
    why="What failed five times fails the sixth time, and keeps the queue busy meanwhile. A whole batch that is "
    "retried for ever holds back every event behind it.",
    looks_at=f"The attempts of pending manifests and of dead letters; in the guide's shape, a column retry_count, "
    f"attempts, attempt_count, retries or processing_attempts. Flagged are {MOST_ATTEMPTS} attempts and more.",
    mend="Look at the cause (queue.errors, or the worker's log); mend it before anything is requeued.",
    look=_look,
)
