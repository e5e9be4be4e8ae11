"""Transactions left open."""

from __future__ import annotations

from collections.abc import Iterator

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.rows import Session
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.transactions"
IDLE_SECONDS = 60
LONG_SECONDS = 1_800
PREPARED_SECONDS = 300
BEHIND = 1_000_000


def _look(snapshot: Snapshot) -> Outcome:
    findings = [finding for one in snapshot.sessions for finding in _judge(one)]
    notes: tuple[str, ...] = ()
    if not snapshot.sees_all_sessions:
        notes = (
            f"{snapshot.server.user} is not shown how long the transactions of others are open; judged by how far "
            f"the oldest of them is behind.",
        )
        findings += _behind(snapshot)
    return Outcome("sessions", len(snapshot.sessions), tuple(findings), nothing_is_fine=True, notes=notes)


def _judge(one: Session) -> Iterator[Finding]:
    who = f"session {one.pid} of {one.user} ({one.application or 'no name'})"
    if one.prepared and (one.transaction_seconds or 0) > PREPARED_SECONDS:
        yield _finding(
            f"prepared transaction of {one.user}", one, "was prepared and neither committed nor rolled back"
        )
    elif (one.state or "").startswith("idle in transaction") and (one.state_seconds or 0) > IDLE_SECONDS:
        yield _finding(who, one, f"does nothing for {say.age(one.state_seconds or 0)} inside a transaction")
    elif one.kind == "client backend" and (one.transaction_seconds or 0) > LONG_SECONDS:
        yield _finding(who, one, "runs one transaction all the time")


def _finding(who: str, one: Session, what: str) -> Finding:
    seconds = one.transaction_seconds or 0
    return Finding(
        ID,
        Verdict.WARNING,
        who,
        f"it {what}; its transaction is open for {say.age(seconds)}, and vacuum takes nothing away meanwhile",
        (Evidence(who, "open transaction", counts={"seconds": int(seconds)}),),
    )


def _behind(snapshot: Snapshot) -> Iterator[Finding]:
    behind = snapshot.transactions_behind
    if behind > BEHIND:
        yield Finding(
            ID,
            Verdict.WARNING,
            "somebody",
            f"a transaction is open since {behind:,} transactions; whose it is, only pg_monitor may see",
            (Evidence("pg_current_snapshot()", "oldest running transaction", counts={"behind": behind}),),
        )


CHECK = Check(
    id=ID,
    title="No transaction is left open",
    why="An open transaction keeps every row that was deleted since from being taken away, and every lock it "
    "took. The usual one is an application that forgot to commit.",
    looks_at=f"Sessions idle in a transaction for more than {IDLE_SECONDS} s, transactions of more than "
    f"{LONG_SECONDS // 60} minutes, prepared ones of more than {PREPARED_SECONDS // 60}. Needs pg_monitor to see "
    f"those of others; without it, only whether somebody is more than a million transactions behind.",
    mend="End the session, or commit what it prepared; set idle_in_transaction_session_timeout for its role.",
    look=_look,
)
