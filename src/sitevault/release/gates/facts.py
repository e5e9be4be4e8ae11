"""The facts that gates judge, read from raw data; one reader per shape of database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString, NamedTuple, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import class_row, dict_row

from sitevault.db import queries
from sitevault.doctor.checks.drift import null_columns
from sitevault.doctor.checks.drift.null_columns import alike
from sitevault.doctor.snapshot import Snapshot
from sitevault.doctor.staged import has_staging, read_nulls
from sitevault.observe.kpis import Window
from sitevault.release.gates.baseline import OfType, frequent
from sitevault.release.gates.model import CannotJudge
from sitevault.staging.mapping import FIELDS

SQL = queries.load("gates")
STAGING = ("staging", "site_tracking_events_s")
EMPTY = ("", "{}", "[]", "null")
"""Values that fill a column with nothing."""

_NEVER_EMPTY = (
    "bigint",
    "integer",
    "smallint",
    "numeric",
    "double",
    "real",
    "boolean",
    "date",
    "timestamp",
    "uuid",
)

_Row = TypeVar("_Row")
_T = TypeVar("_T")


class Outcomes(NamedTuple):
    """What became of the events received in the window.

    `settled` counts those received before the oldest that is still in time: of them everything is known.
    """

    received: int = 0
    processed: int = 0
    error: int = 0
    overdue: int = 0
    in_time: int = 0
    lost: int = 0
    settled: int = 0
    settled_processed: int = 0
    settled_error: int = 0

    @property
    def finished(self) -> int:
        """Events that had time to finish."""
        return self.received - self.in_time


class Times(NamedTuple):
    """How many were measured, how many of them were fast enough, and the 95th percentile in seconds."""

    measured: int
    within: int
    p95: float | None


class Tenants(NamedTuple):
    """Rows whose tenant was compared with what shows whose they are."""

    checked: int = 0
    contradictions: int = 0
    unverifiable: int = 0


class Reference(NamedTuple):
    """A reference that must lead somewhere: rows looked at, and those that break it."""

    what: str
    checked: int
    broken: int


class Arrived(NamedTuple):
    """A column: rows whose payload carries a key of its name, and those of them in which it is filled."""

    column: str
    carried: int
    filled: int


class Waiting(NamedTuple):
    """Who waits to be processed, of the window and from before it."""

    waiting: int
    overdue: int
    from_before: int
    oldest_seconds: float | None


@dataclass(frozen=True)
class Owners:
    """What the tenancy gate needs."""

    rows: Tenants
    suspect: int = 0
    not_looked_at: int = 0
    notes: tuple[str, ...] = ()
    from_before: int = 0
    """Carried in the window, received before it, and contradicting or unverifiable: by the door of then."""


@dataclass(frozen=True)
class Books:
    """Whether every event is in exactly one place: a sentence per line that does not balance."""

    landed: int
    broken: tuple[str, ...] = field(default_factory=tuple)


class Facts(ABC):
    """One window of one database. Each reading is a query or two; none believes what was said of itself."""

    def __init__(self, snapshot: Snapshot, window: Window, pending_limit_seconds: float) -> None:
        self._snapshot = snapshot
        self._window = window.since, window.until
        self._read: dict[str, Any] = {}
        self._parameters: dict[str, object] = {
            "since": window.since,
            "until": window.until,
            "tenant_hk": None,
            "pending_limit_seconds": pending_limit_seconds,
        }

    @property
    def outcomes(self) -> Outcomes:
        """What became of the events received in the window."""
        return self._once("outcomes", self.read_outcomes)

    @property
    def types(self) -> dict[str, OfType]:
        """Per event type of the payload: the scores, and which columns are filled."""
        return self._once("types", self.read_types)

    @abstractmethod
    def read_outcomes(self) -> Outcomes:
        """Several gates want them, so they are read once."""

    @abstractmethod
    def read_types(self) -> dict[str, OfType]:
        """The same."""

    @abstractmethod
    def times(self, limit_seconds: float) -> Times:
        """How long events took."""

    times_hold_waiting: bool = False
    """The times hold the waiting too: they can prove that events are fast, and never that they are slow."""

    @abstractmethod
    def owners(self) -> Owners:
        """Whose events are, beside whom they stand under."""

    @abstractmethod
    def books(self) -> Books:
        """Whether every event is in exactly one place."""

    @abstractmethod
    def references(self) -> list[Reference]:
        """References that the database may not enforce."""

    def arrived(self) -> list[Arrived]:
        """Per column: staged events whose payload carries a key of its name, and those that have it filled."""
        snapshot = self._snapshot
        if not snapshot.is_house and not has_staging(snapshot):
            raise CannotJudge("staging does not name the raw event a row was made from, or its tenant")
        columns = list(null_columns.filled_from_payloads(snapshot))
        since, until = self._window
        events = {
            one.id: null_columns.named(one)
            for one in snapshot.sample.events
            if one.received is not None and since <= one.received < until
        }
        rows = [row for row in read_nulls(snapshot, columns) if row["number"] in events] if columns else []
        found = {column: [row for row in rows if alike(column) in events[row["number"]]] for column in columns}
        return [
            Arrived(column, len(carried), sum(not row[column] for row in carried))
            for column, carried in found.items()
            if carried
        ]

    @abstractmethod
    def waiting(self) -> Waiting:
        """Who waits."""

    def _once(self, name: str, reading: Callable[[], _T]) -> _T:
        """What was read, or why it could not be: one gate's long wait is not every gate's."""
        if name not in self._read:
            try:
                self._read[name] = reading()
            except (psycopg.Error, CannotJudge) as error:
                self._read[name] = error
        found = self._read[name]
        if isinstance(found, Exception):
            raise found
        answer: _T = found
        return answer

    def _one(
        self, query: LiteralString | sql.Composed, row: type[_Row], parameters: dict[str, object] | None = None
    ) -> _Row:
        return self._all(query, row, parameters)[0]

    def _all(
        self, query: LiteralString | sql.Composed, row: type[_Row], parameters: dict[str, object] | None = None
    ) -> list[_Row]:
        with self._snapshot.connection.cursor(row_factory=class_row(row)) as cursor:
            return cursor.execute(query, {**self._parameters, **(parameters or {})}).fetchall()

    def _records(
        self, query: LiteralString | sql.Composed, parameters: dict[str, object] | None = None
    ) -> list[dict[str, Any]]:
        with self._snapshot.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, {**self._parameters, **(parameters or {})}).fetchall()

    def _columns(self) -> list[str]:
        """The columns of staging that may be left empty: no keys, no findings, nothing that cannot be."""
        return [
            name
            for name, column in self._snapshot.columns_of.get(STAGING, {}).items()
            if not name.endswith(("_event_id", "_errors", "_hk"))
            and not (column.not_null and column.type.startswith(_NEVER_EMPTY))
        ]


def of_types(
    scores: Iterable[dict[str, Any]], filled: Iterable[dict[str, Any]], columns: Sequence[str]
) -> dict[str, OfType]:
    """The two readings of staging as one value per event type."""
    by_type: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for one in scores:
        by_type[one["event_type"]].append((one["score"], one["events"]))
    rows = {one["event_type"]: one for one in filled}
    made = {}
    for name in sorted(by_type.keys() | rows.keys()):
        found = rows.get(name, {})
        made[name] = OfType(
            sum(events for _, events in by_type[name]),
            tuple(sorted(by_type[name])),
            found.get("staged_rows", 0),
            {column: found[str(place)] for place, column in enumerate(columns) if found},
        )
    return frequent(made)


def kind(payload: sql.Composable) -> sql.Composed:
    """The first event type that stands at one of the mapping's paths; the others are not looked at."""
    return sql.SQL("coalesce({})").format(
        sql.SQL(", ").join(
            sql.SQL("nullif({} #>> {}::text[], '')").format(payload, sql.Literal(path.split(".")))
            for path in FIELDS["event_type"].paths
        )
    )


def counts(columns: Sequence[str]) -> sql.Composed:
    """How many rows have each column filled, as columns named by their places. Raises CannotJudge without any."""
    if not columns:
        raise CannotJudge("staging has no column to look at")
    empty = sql.SQL(", ").join(map(sql.Literal, EMPTY))
    return sql.SQL(", ").join(
        sql.SQL("count(*) FILTER (WHERE coalesce(s.{column}::text, '') NOT IN ({empty})) AS {place}").format(
            column=sql.Identifier(name), empty=empty, place=sql.Identifier(str(place))
        )
        for place, name in enumerate(columns)
    )
