"""Trying stuck events: each in a savepoint, all in one transaction that is rolled back."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from sitevault.db import queries
from sitevault.doctor.code.library import Code
from sitevault.doctor.sample import EventTable

SQL = queries.load("probe")

MOST_EVENTS = 40
_FRAME = re.compile(
    r"^(?:PL/pgSQL|SQL) function (?P<function>.+?)(?: line (?P<line>\d+) at (?P<at>.+)| statement.*)?$", re.M
)
_NAMES_ONLY = ("42", "3F")
"""Classes of SQLSTATE whose messages name objects, never values."""


class Stuck(NamedTuple):
    """An event that stands for its kind."""

    id: Any
    tenant_hk: bytes | None
    event_type: str | None
    alike: int


@dataclass(frozen=True)
class Cause:
    """Why an attempt failed; equal for events that fail alike. Never a value."""

    sqlstate: str
    condition: str
    table: str | None
    column: str | None
    constraint: str | None
    function: str | None
    line: int | None
    at: str | None
    message: str | None

    @property
    def shown(self) -> str:
        """`23502 not null violation: column event_type of staging.site_tracking_events_s`."""
        parts = [
            f"column {self.column}" if self.column else "",
            f"constraint {self.constraint}" if self.constraint else "",
        ]
        what = " and ".join(part for part in parts if part)
        if self.table:
            what = f"{what} of {self.table}" if what else self.table
        said = self.message or what
        place = f", {self.function} line {self.line}" if self.function and self.line else ""
        return f"{self.sqlstate} {self.condition}{': ' + said if said else ''}{place}"


class Attempt(NamedTuple):
    """One event, tried once: why it failed, or where it is now."""

    event: Stuck
    cause: Cause | None
    status: str | None

    @property
    def went_through(self) -> bool:
        return self.cause is None and self.status == "PROCESSED"


@contextlib.contextmanager
def undone(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """A savepoint that is always rolled back."""
    with contextlib.suppress(psycopg.Rollback), conn.transaction():
        yield
        raise psycopg.Rollback


def stuck_events(conn: psycopg.Connection[Any], table: EventTable) -> list[Stuck]:
    """The oldest and newest of each kind."""
    rows = conn.execute(table.compose(SQL.stuck), {"most": MOST_EVENTS}).fetchall()
    return [Stuck(*row) for row in rows]


def try_all(
    conn: psycopg.Connection[Any],
    table: EventTable,
    door: Code,
    events: Sequence[Stuck],
    altered: Iterable[LiteralString] = (),
) -> list[Attempt]:
    """Each event through the door, with functions altered for the while; nothing of it stays."""
    attempts: list[Attempt] = []
    with undone(conn):
        for definition in altered:
            conn.execute(definition)
        attempts.extend(_try(conn, table, door, event) for event in events)
    return attempts


def _try(conn: psycopg.Connection[Any], table: EventTable, door: Code, event: Stuck) -> Attempt:
    function = door.function
    form = "CALL {}({})" if function.kind == "p" else "SELECT FROM {}({})"
    call = sql.SQL(form).format(sql.Identifier(function.schema, function.name), sql.Placeholder("id"))
    status = None
    try:
        with undone(conn):
            conn.execute(table.compose(SQL.make_pending), {"id": event.id})
            conn.execute(call, {"id": event.id})
            conn.execute(SQL.fire_deferred)
            row = conn.execute(table.compose(SQL.status_of), {"id": event.id}).fetchone()
            status = str(row[0]) if row else None
    except psycopg.Error as error:
        return Attempt(event, cause_of(error), None)
    return Attempt(event, None, status)


def cause_of(error: psycopg.Error) -> Cause:
    """What the server said of it, less whatever may be a value."""
    diag = error.diag
    state = diag.sqlstate or "?????"
    frames = list(_FRAME.finditer(diag.context or ""))
    frame = frames[0] if frames else None
    table = f"{diag.schema_name}.{diag.table_name}" if diag.table_name else None
    message = diag.message_primary if state.startswith(_NAMES_ONLY) else None
    return Cause(
        state, _condition(state), table, diag.column_name, diag.constraint_name,
        frame["function"] if frame else None, int(frame["line"]) if frame and frame["line"] else None,
        frame["at"] if frame else None, message,
    )  # fmt: skip


def _condition(sqlstate: str) -> str:
    try:
        name = psycopg.errors.lookup(sqlstate).__name__
    except KeyError:
        return "error"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
