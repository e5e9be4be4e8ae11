"""Failed events, by root cause."""

from __future__ import annotations

from sitevault.doctor import queue, say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "queue.errors"


def _look(snapshot: Snapshot) -> Outcome:
    causes = queue.causes(snapshot.failures, snapshot.names)
    findings = tuple(_finding(snapshot, cause) for cause in causes)
    return Outcome("failed events", sum(one.events for one in causes), findings, nothing_is_fine=True)


def _finding(snapshot: Snapshot, cause: queue.Cause) -> Finding:
    return Finding(
        ID,
        Verdict.PROBLEM,
        cause.constraint or cause.code,
        f"{say.events(cause.events)} of {len(cause.tenants)} tenants failed: {cause.says}",
        tuple(
            Evidence(f"tenant {snapshot.tenant_name(tenant)}", cause.says, counts={"errors": count},
                     sqlstate=cause.sqlstate)
            for tenant, count in cause.tenants.most_common()
        ),
        repair=f"sitevault repair plan {ID}",
    )  # fmt: skip


CHECK = Check(
    id=ID,
    title="No event has failed",
    why="A failed event is not in the vault. A thousand failures with one cause are one thing to mend, and one "
    "failure with a cause of its own is easily overlooked among them.",
    looks_at="Dead letters in ERROR by reason code, SQLSTATE and constraint; in the guide's shape, rows in ERROR "
    "or FAILED by their message, without the values it quotes: messages that differ in values only are one cause.",
    mend="Mend the cause, then requeue exactly these events.",
    look=_look,
)
