"""Replay in a foreign database of the guide's shape: its own function carries its stuck events, one at a time.

Every event is a transaction of its own, and its attempt a savepoint in it: a failure is written down outside the
attempt that failed, so that it stays. An event that has a staging row is left alone.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from sitevault.db import queries
from sitevault.db.connect import connect
from sitevault.errors import UsageError
from sitevault.replay.leave import paused

SQL = queries.load("foreign_replay")

STUCK = ("PENDING", "ERROR")
LOCK_TIMEOUT = "1s"
STATEMENT_TIMEOUT = "30s"

_RAW = sql.Identifier("raw", "site_tracking_events_r")
_PLACE = re.compile(r"^PL/pgSQL function (\S+\([^)]*\)) line (\d+)", re.MULTILINE)

Connection = psycopg.Connection[Any]


class EntryPoint(NamedTuple):
    """A function that is called with an event's number."""

    name: str
    identity: str
    kind: str


class Ended(NamedTuple):
    """What became of one event; `why` names codes, objects and lines, never a value."""

    raw_event_id: int
    tenant: str | None
    was: str
    became: str
    why: str = ""
    seconds: float = 0.0

    @property
    def processed(self) -> bool:
        return self.became == "PROCESSED"


@dataclass(frozen=True)
class Selection:
    """Which stuck events; what is not said selects all."""

    statuses: tuple[str, ...] = STUCK
    ids: tuple[int, ...] = ()
    tenant: str | None = None


@dataclass(frozen=True)
class Replayed:
    """A whole replay."""

    through: str
    dry_run: bool
    events: tuple[Ended, ...]

    @property
    def outcomes(self) -> dict[str, int]:
        return dict(sorted(Counter(one.became for one in self.events).items()))

    @property
    def complete(self) -> bool:
        """Every selected event is processed now."""
        return all(one.processed for one in self.events)


@contextmanager
def opened(conninfo: str) -> Iterator[Connection]:
    """A foreign database of the guide's shape. Raises UsageError for Sitevault's own, and for any other."""
    with connect(conninfo, autocommit=True) as conn:
        house, guide = _row(conn, SQL.shape) or (False, False)
        if house:
            raise UsageError(
                "This is a Sitevault database: its own pipeline replays its events.",
                fix="Leave --database out, and name it in the settings (DATABASE_URL).",
            )
        if not guide:
            raise UsageError("This database has no raw and staging tables of the guide's shape to replay.")
        yield conn


def entry_points(conn: Connection) -> list[EntryPoint]:
    """The functions an event can be carried by."""
    return [EntryPoint(*row) for row in conn.cursor(row_factory=tuple_row).execute(SQL.entry_points).fetchall()]


def choose(conn: Connection, through: str | None) -> EntryPoint:
    """The one function, or the one of several that is named. Raises UsageError."""
    found = entry_points(conn)
    fitting = [one for one in found if through is None or through in (one.name, one.identity)]
    if len(fitting) == 1:
        return fitting[0]
    if not found:
        raise UsageError(
            "No function here takes an event's number and carries it from raw to staging.",
            fix="Events are carried by the function that reads the raw table and writes the staging table.",
        )
    several = (
        f"{len(fitting)} functions carry events" if fitting else f"No such function carries events: {through}"
    )
    raise UsageError(
        f"{several}; there are {', '.join(one.identity for one in found)}.",
        fix=f"Say which: --through {found[0].name}",
    )


def select(conn: Connection, selection: Selection) -> list[tuple[int, str | None, str]]:
    """The selected events, the oldest first: number, tenant's id, status."""
    parameters = {
        "statuses": list(selection.statuses),
        "ids": list(selection.ids) or None,
        "tenant": selection.tenant,
    }
    return conn.cursor(row_factory=tuple_row).execute(SQL.stuck_events, parameters).fetchall()


def replay(
    conn: Connection,
    through: EntryPoint,
    events: Sequence[tuple[int, str | None, str]],
    *,
    dry_run: bool = False,
    while_paused: bool = False,
    heard: Callable[[int, int], None] = lambda done, of: None,
) -> Replayed:
    """Carry these events, each in its own transaction; `dry_run` rolls each of them back.

    Raises WorkersPausedError once a release pauses whoever carries events, unless it is meant while they pause.
    """
    ended = []
    asks = not while_paused and _row(conn, SQL.can_be_paused) == (True,)
    for number, tenant, was in events:
        began = time.monotonic()
        with conn.transaction(force_rollback=dry_run):
            if asks:
                _require_leave(conn)
            became, why = _carry(conn, through, number)
        ended.append(Ended(number, tenant, was, became, why, round(time.monotonic() - began, 4)))
        heard(len(ended), len(events))
    return Replayed(through.identity, dry_run, tuple(ended))


def call(conn: Connection, through: EntryPoint, number: int) -> None:
    """Let the function carry the event."""
    statement = "CALL {}({})" if through.kind == "p" else "SELECT * FROM {}({})"
    # the name is as the server quoted it
    conn.execute(sql.SQL(statement).format(sql.SQL(through.name), sql.Literal(number)))


def _require_leave(conn: Connection) -> None:
    free = _row(conn, SQL.begin_work) == (True,)
    held = _row(conn, sql.SQL(SQL.who_paused).format(pause=sql.Identifier("sitevault_release", "pause")))
    if not free or held is not None:
        raise paused(held)


def _carry(conn: Connection, through: EntryPoint, number: int) -> tuple[str, str]:
    key = {"raw_event_id": number}
    conn.execute(SQL.bound_an_attempt, {"lock_timeout": LOCK_TIMEOUT, "statement_timeout": STATEMENT_TIMEOUT})
    taken = _row(conn, sql.SQL(SQL.take_event).format(raw=_RAW), key)
    if taken is None:
        return "left alone", "somebody else is at it, or it is gone"
    if taken[0] not in STUCK:
        return "left alone", f"it is {taken[0]} meanwhile"
    if _row(conn, SQL.staged_rows, key) != (0,):
        return "left alone", "it has a staging row: a second one would be a duplicate"
    try:
        with conn.transaction():
            conn.execute(SQL.ready_event, key)
            call(conn, through, number)
            conn.execute(SQL.decide_now)
    except psycopg.Error as error:
        if conn.broken or error.sqlstate is None:
            raise
        why = without_values(error)
        _keep(conn, number, why)
        return "ERROR", why
    return _outcome(conn, number)


def _outcome(conn: Connection, number: int) -> tuple[str, str]:
    """Where the function left the event; what it said of itself is not believed without a staging row."""
    key = {"raw_event_id": number}
    status, sqlstate = _row(conn, sql.SQL(SQL.ended).format(raw=_RAW), key) or ("gone", None)
    (rows,) = _row(conn, SQL.staged_rows, key) or (0,)
    if status == "PROCESSED" and rows != 1:
        return "PROCESSED?", f"it says PROCESSED with {rows} staging rows"
    if status == "PENDING":
        return "PENDING", "the function did nothing with it"
    if status == "ERROR":
        return "ERROR", f"{sqlstate or 'an error'}, as the function wrote down"
    return str(status), ""


def _keep(conn: Connection, number: int, why: str) -> None:
    counted = sql.SQL(", retry_count = retry_count + 1" if _row(conn, SQL.counts_attempts) == (True,) else "")
    conn.execute(
        sql.SQL(SQL.keep_error).format(raw=_RAW, counted=counted), {"raw_event_id": number, "error_message": why}
    )


def without_values(error: psycopg.Error) -> str:
    """What failed, by code, column, constraint, function and line; the server's words may quote a payload."""
    diag = error.diag
    parts = [f"{error.sqlstate} {type(error).__name__}"]
    if diag.column_name:
        parts.append(f"column {diag.column_name} of {diag.schema_name}.{diag.table_name}")
    if diag.constraint_name:
        parts.append(f"constraint {diag.constraint_name}")
    if place := _PLACE.search(diag.context or ""):
        parts.append(f"{place[1]} line {place[2]}")
    return ", ".join(parts)


def _row(conn: Connection, statement: Any, parameters: dict[str, Any] | None = None) -> tuple[Any, ...] | None:
    return conn.cursor(row_factory=tuple_row).execute(statement, parameters).fetchone()
