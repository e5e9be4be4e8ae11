"""One in, one out: every landed event is in one place."""

from __future__ import annotations

from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "queue.ledger"


def _look(snapshot: Snapshot) -> Outcome:
    if not snapshot.is_house:
        notes = ("The guide's shape keeps no books; data.unstaged compares its tables.",)
        return Outcome("tenants' books", 0, nothing_is_fine=True, notes=notes)
    lines = snapshot.ledger.lines
    findings = tuple(
        Finding(
            ID,
            Verdict.PROBLEM,
            f"tenant {line.tenant_bk or line.tenant_hk.hex()[:16]}",
            f"{line.landed:,} events landed, {line.accounted:,} are accounted for ({line.difference:+,})"
            + ("" if line.tenant_bk else "; the tenant does not exist"),
            (
                Evidence(
                    "ops.ledger_d, raw.batch, raw.dead_letter",
                    "what the witnesses say",
                    counts={
                        name: getattr(line, name)
                        for name in ("landed", "pending", "vaulted", "duplicate", "invalid", "error")
                    },
                ),
            ),
            repair="sitevault status --deep",
        )
        for line in lines
        if not line.balanced
    )
    return Outcome("tenants' books", len(lines), findings, nothing_is_fine=True)


CHECK = Check(
    id=ID,
    title="Every landed event is in exactly one place",
    why="landed = pending + vaulted + duplicate + invalid + error, per tenant, at any moment. Where this does not "
    "hold, an event was lost or counted twice, and no other figure can be believed.",
    looks_at="Three witnesses that share no code: the collector's manifests, the worker's ledger, the dead "
    "letters. No event is read, so it is cheap; `sitevault status --deep` counts the events themselves.",
    mend="Recount the events themselves, and look for who deletes or inserts by hand.",
    look=_look,
)
