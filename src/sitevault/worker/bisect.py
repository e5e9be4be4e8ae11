"""Finds the event a database refuses: halve, try, halve again, each try in its own savepoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

import psycopg

T = TypeVar("T")


class Culprit(NamedTuple, Generic[T]):
    """One event the database refuses by itself, and what it said."""

    event: T
    sqlstate: str | None
    constraint: str | None
    message: str


def is_the_events_fault(error: psycopg.Error) -> bool:
    """Whether an error can come from what an event holds, so that leaving one out would help.

    Data exceptions (22), constraint violations (23) and exceeded limits (54) can. A missing column (42), a full
    disk (53), a cancelled statement (57) or a lost connection cannot: those wait, and are retried whole.
    See PostgreSQL's appendix A for the classes.
    """
    return error.sqlstate is not None and error.sqlstate[:2] in ("22", "23", "54", "P0")


def load_what_can_be(
    conn: psycopg.Connection, events: Sequence[T], load: Callable[[Sequence[T]], None]
) -> list[Culprit[T]]:
    """Load `events`, and return those the database refuses; log2(n) halvings find one among n.

    Raises any error that is not an event's fault.
    """
    if not events:
        return []
    try:
        with conn.transaction():
            load(events)
    except psycopg.Error as error:
        if not is_the_events_fault(error):
            raise
        if len(events) == 1:
            return [_culprit(events[0], error)]
    else:
        return []
    middle = len(events) // 2
    return load_what_can_be(conn, events[:middle], load) + load_what_can_be(conn, events[middle:], load)


def _culprit(event: T, error: psycopg.Error) -> Culprit[T]:
    # message_primary names the rule; message_detail would quote the row, and rows are personal data.
    message = error.diag.message_primary or type(error).__name__
    return Culprit(event, error.sqlstate, error.diag.constraint_name, message)
