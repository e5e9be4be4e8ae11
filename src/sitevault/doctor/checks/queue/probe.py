"""What stops the events that are stuck: each kind is tried again, and nothing of the trial stays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg

from sitevault.doctor.code.library import Code, Library, library
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.probe import disarm
from sitevault.doctor.probe.attempt import SQL, Attempt, Cause, Stuck, stuck_events, try_all
from sitevault.doctor.probe.entries import Doors, advances_sequences, doors, reached, refusals
from sitevault.doctor.sample import EventTable
from sitevault.doctor.snapshot import Shape, Snapshot

ID = "queue.probe"
_PROGRAMMING = ("42", "3F")
_DRY_RUN = "sitevault replay --status ERROR --dry-run"


def look(snapshot: Snapshot) -> Outcome:
    """Try each kind of stuck event through each door of the queue."""
    if snapshot.shape is Shape.HOUSE:
        return _in_the_house(snapshot)
    known, table = library(snapshot), snapshot.event_table
    found = doors(known, table)
    if table.status is None:
        return Outcome("stuck events", 0)
    with snapshot.connect() as conn:
        try:
            conn.execute(SQL.limits)
            events = stuck_events(conn, table)
            findings = _probe(conn, known, table, found, events) if events else []
        finally:
            conn.rollback()
    return Outcome(
        "kinds of stuck events", len({one[1:3] for one in events}), tuple(findings), nothing_is_fine=True
    )


def _in_the_house(snapshot: Snapshot) -> Outcome:
    """Our own pipeline is no function of the database: a dry run of a replay tries what is stuck."""
    overdue = [one for one in snapshot.waiting if one.seconds > snapshot.options.pending_limit_seconds]
    stuck = sum(one.events for one in overdue) + sum(one.events for one in snapshot.failures)
    if not stuck:
        return Outcome("stuck events", 0, nothing_is_fine=True)
    message = (
        f"{stuck} stuck events were not tried: the pipeline runs in the worker, not in the database; a dry run of "
        "a replay carries them through it and rolls back"
    )
    finding = Finding(ID, Verdict.UNKNOWN, "stuck events", message, repair=_DRY_RUN)
    return Outcome("stuck events", stuck, (finding,))


def _probe(
    conn: psycopg.Connection, known: Library, table: EventTable, found: Doors, events: Sequence[Stuck]
) -> list[Finding]:
    findings = [
        _not_tried(code, ["it takes no single event, so it cannot be tried with one"]) for code in found.others
    ]
    for door in found.single:
        reasons = refusals(known, door)
        findings += [_not_tried(door, reasons)] if reasons else _through(conn, known, table, door, events)
    if not found.single:
        message = "no function takes an event's number and reads the queue, so none could be tried"
        findings.append(Finding(ID, Verdict.UNKNOWN, table.full_name, message))
    return findings


def _through(
    conn: psycopg.Connection, known: Library, table: EventTable, door: Code, events: Sequence[Stuck]
) -> list[Finding]:
    """One door: as it is, then with the handlers that raise disarmed, then with all of them."""
    try:
        plain = try_all(conn, table, door, events)
        inside = [code for code in reached(known, door) if code.function.language == "plpgsql"]
        raising = [disarm.disarmed(code, all_handlers=False) for code in inside if disarm.raising(code)]
        every = [disarm.disarmed(code, all_handlers=True) for code in inside if disarm.catching(code)]
        unmasked = try_all(conn, table, door, events, raising) if raising else plain
        bare = try_all(conn, table, door, events, every) if every else unmasked
    except psycopg.Error as error:
        return [_not_tried(door, [f"PostgreSQL refused the trial ({error.sqlstate})"])]
    sequences = advances_sequences(known, door)
    return list(_stopped(door, plain, unmasked, bare, sequences)) + list(_swallowed(door, unmasked, bare))


def _stopped(
    door: Code, plain: list[Attempt], unmasked: list[Attempt], bare: list[Attempt], sequences: bool
) -> Iterator[Finding]:
    groups: dict[tuple[Cause | None, Cause | None], list[Attempt]] = {}
    for as_is, without, naked in zip(plain, unmasked, bare, strict=True):
        if as_is.went_through:
            continue
        cause = without.cause or naked.cause
        groups.setdefault((as_is.cause, cause), []).append(as_is)
    for (said, cause), attempts in groups.items():
        yield _finding(door, said, cause, attempts, len(plain), sequences)


def _finding(
    door: Code, said: Cause | None, cause: Cause | None, attempts: list[Attempt], tried: int, sequences: bool
) -> Finding:
    if cause is None:
        status = attempts[0].status
        message = f"{len(attempts)} of {tried} stuck events tried are {status} after it, and no error says why"
        return Finding(ID, Verdict.PROBLEM, door.name, message, (Evidence(door.name, message),))
    message = f"stops {len(attempts)} of {tried} stuck events tried: {cause.shown}"
    if said is not None and said != cause:
        message += f" (said only: {said.sqlstate} {said.condition}, line {said.line})"
    elif said is None:
        message += " (its handler says nothing of it to the caller)"
    types = sorted({str(one.event.event_type) for one in attempts})
    note = "; the trial left gaps in sequences, which is harmless" if sequences else ""
    evidence = [
        Evidence(
            cause.function or door.name, f"{cause.condition} at {cause.at or 'this place'}{note}", cause.line,
            {"events tried": len(attempts), "events alike": _alike(attempts)}, cause.sqlstate, cause.shown,
        ),
        Evidence("event types", ", ".join(types)),
    ]  # fmt: skip
    if said is not None and said != cause:
        evidence.append(Evidence(door.name, "what callers are told instead", said.line, sqlstate=said.sqlstate))
    return Finding(ID, Verdict.PROBLEM, door.name, message, tuple(evidence))


def _alike(attempts: list[Attempt]) -> int:
    kinds = {(one.event.tenant_hk, one.event.event_type): one.event.alike for one in attempts}
    return sum(kinds.values())


def _swallowed(door: Code, unmasked: list[Attempt], bare: list[Attempt]) -> Iterator[Finding]:
    """Faults of the program that a silent handler hides; a failed cast that it is there for is none."""
    causes: dict[Cause, int] = {}
    for without, naked in zip(unmasked, bare, strict=True):
        hidden = naked.cause
        if hidden and hidden != without.cause and hidden.sqlstate.startswith(_PROGRAMMING):
            causes[hidden] = causes.get(hidden, 0) + 1
    for cause, number in causes.items():
        where = cause.function or door.name
        message = f"a handler in {where} swallows {cause.shown}, for {number} of {len(bare)} events"
        evidence = Evidence(
            cause.function or door.name, "fails behind a handler", cause.line, sqlstate=cause.sqlstate
        )
        yield Finding(ID, Verdict.PROBLEM, door.name, message, (evidence,))


def _not_tried(code: Code, reasons: list[str]) -> Finding:
    return Finding(
        ID, Verdict.UNKNOWN, code.name, f"was not tried: {reasons[0]}",
        tuple(Evidence(code.name, reason) for reason in reasons),
    )  # fmt: skip


CHECK = Check(
    id=ID,
    title="No kind of event is stopped on its way",
    why=(
        "The message an operator sees is often the handler's, not the cause's: P0001 Failed to process says "
        "nothing, "
        "23502 in column event_type says it all. The surest way to know is to try, and to leave no trace."
    ),
    looks_at=(
        "The oldest and the newest stuck event of each tenant and type go through every function that takes an "
        "event's number and reads the queue, each in a savepoint of one transaction that is rolled back, with "
        "lock_timeout 1 s and statement_timeout 5 s. Then again with the handlers for OTHERS that raise blanked "
        "out "
        "(CREATE OR REPLACE within that transaction, so lines and callers stay as they are), then without all of "
        "them. Not tried, and so unknown: functions that reach dblink, COPY, files, HTTP, session locks, setval, "
        "COMMIT, another language or SQL built at run time; and what the connected role may not run. Sequences "
        "keep "
        "gaps. In Sitevault's own database the pipeline is the worker's: "
        "what is stuck there is unknown, and a dry run of a replay tries it."
    ),
    mend="Mend the cause that is shown; then requeue the events.",
    look=look,
)
