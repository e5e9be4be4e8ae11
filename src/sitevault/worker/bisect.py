"""Finds the event a database refuses: halve, try, halve again, each try in its own savepoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import psycopg

from sitevault.db.partitions import lost_its_partition

T = TypeVar("T")
R = TypeVar("R")


class Culprit(NamedTuple, Generic[T]):
    """One event the database refuses by itself, and what it said."""

    event: T
    sqlstate: str | None
    constraint: str | None
    message: str


def is_the_events_fault(error: psycopg.Error) -> bool:
    """Whether an error can come from what an event holds, so that leaving one out would help.

    Data exceptions (22), constraint violations (23) and exceeded limits (54) can. A missing column (42), a full
    disk (53), a cancelled statement (57) or a lost connection cannot: those wait, and are retried whole; so does
    a row whose partition was made while it was on its way. See PostgreSQL's appendix A for the classes.
    """
    if lost_its_partition(error):
        return False
    return error.sqlstate is not None and error.sqlstate[:2] in ("22", "23", "54", "P0")


def load_what_can_be(
    conn: psycopg.Connection, events: Sequence[T], load: Callable[[Sequence[T]], R]
) -> tuple[list[R], list[Culprit[T]]]:
    """Load `events`, and return what the loads said and those events the database refuses.

    Halves are only tried: what remains is loaded in one go, so that a load takes its locks in one order. Kept
    half by half, the second's begin anew while the first's are held, and workers that drain a backlog with one
    bad event in five hundred met deadlock after deadlock (two minutes for what takes ten seconds).
    Raises any error that is not an event's fault.
    """
    if not events:
        return [], []
    try:
        with conn.transaction():
            return [load(events)], []
    except psycopg.Error as error:
        culprits = _culprits(conn, events, load, error)
    refused = {id(culprit.event) for culprit in culprits}
    rest = [event for event in events if id(event) not in refused]
    if not culprits:  # refused together, though not in halves
        middle = len(events) // 2
        loaded, others = load_what_can_be(conn, events[:middle], load)
        more, still_others = load_what_can_be(conn, events[middle:], load)
        return loaded + more, others + still_others
    loaded, others = load_what_can_be(conn, rest, load)
    return loaded, culprits + others


def _culprits(
    conn: psycopg.Connection, events: Sequence[T], load: Callable[[Sequence[T]], R], error: psycopg.Error
) -> list[Culprit[T]]:
    """Those of refused `events` that are refused by themselves; log2(n) halvings find one among n."""
    if not is_the_events_fault(error):
        raise error
    if len(events) == 1:
        return [_culprit(events[0], error)]
    middle = len(events) // 2
    found: list[Culprit[T]] = []
    for half in (events[:middle], events[middle:]):
        try:
            with conn.transaction(force_rollback=True):
                load(half)
        except psycopg.Error as refusal:
            found += _culprits(conn, half, load, refusal)
    return found


def _culprit(event: T, error: psycopg.Error) -> Culprit[T]:
    # message_primary names the rule; message_detail would quote the row, and rows are personal data.
    message = error.diag.message_primary or type(error).__name__
    return Culprit(event, error.sqlstate, error.diag.constraint_name, message)
