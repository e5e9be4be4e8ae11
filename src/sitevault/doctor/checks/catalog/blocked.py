"""Who waits for whom."""

from __future__ import annotations

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.blocked"
PATIENCE_SECONDS = 5


def _look(snapshot: Snapshot) -> Outcome:
    blocked = [one for one in snapshot.blocked if one.seconds > PATIENCE_SECONDS]
    findings = []
    for blocker in sorted({pid for one in blocked for pid in one.blockers}):
        victims = [one for one in blocked if blocker in one.blockers]
        findings.append(
            Finding(
                ID,
                Verdict.PROBLEM,
                _who(snapshot, blocker),
                f"{len(victims)} sessions wait for its locks, the longest for "
                f"{say.age(max(one.seconds for one in victims))}",
                tuple(
                    Evidence(
                        _who(snapshot, one.pid),
                        f"waits for {say.age(one.seconds)}" + (f" to lock {one.relation}" if one.relation else ""),
                    )
                    for one in victims
                ),
            )
        )
    return Outcome("sessions", len(snapshot.sessions), tuple(findings), nothing_is_fine=True)


def _who(snapshot: Snapshot, pid: int) -> str:
    found = next((one for one in snapshot.sessions if one.pid == pid), None)
    if found is None:
        return f"session {pid}"
    return f"session {pid} of {found.user or found.kind} ({found.application or 'no name'})"


CHECK = Check(
    id=ID,
    title="Nobody is kept waiting for a lock",
    why="One session that holds a lock and does not go on stops a worker, and with it everything behind: no "
    "error, only silence. A migration that waits for it stops everybody else, too.",
    looks_at=f"pg_locks: who waits for longer than {PATIENCE_SECONDS} seconds, and for whom. Everybody may see "
    f"that.",
    mend="End the session that is named first, if it is not at work: SELECT pg_terminate_backend(pid).",
    look=_look,
)
