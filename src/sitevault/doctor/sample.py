"""A bounded look at landed events: all where they are few, else the newest and a spread over the window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import class_row

from sitevault.db import queries
from sitevault.doctor.rows import Column, Index
from sitevault.errors import ConfigurationError
from sitevault.staging.mapping import FIELDS, SYNONYMS

SQL = queries.load("doctor")

SMALL_BYTES = 32 << 20
"""A table up to this size is simply read."""
STRIDES = 50
_INTEGERS = ("bigint", "integer", "smallint")

_PARTS = ("id", "tenant", "payload", "received", "order", "status", "error", "api_key", "origin", "attempts")
_ID = ("raw_event_id", "event_id", "id")
_PAYLOAD = ("raw_payload", "payload", "event_payload", "raw_data", "data")
_RECEIVED = ("received_timestamp", "received_at", "created_at", "ingested_at", "load_date")
_STATUS = ("processing_status", "status", "state")
_ERROR = ("error_message", "last_error", "error")
KEY_COLUMNS = ("api_key_hk", "api_key_hash", "api_key_id", "api_key", "key_hk", "key_hash")
_ATTEMPTS = ("retry_count", "attempts", "attempt_count", "retries", "processing_attempts")
_ORIGIN = ("origin", "origin_host", "domain", "host")


class SampledEvent(NamedTuple):
    """A landed event; `payload` is for counting keys and comparing hosts, never for showing."""

    id: str
    tenant_hk: bytes | None
    received: datetime | None
    status: str | None
    api_key: str | None
    origin: str | None
    payload: Any
    event_type: str | None


@dataclass(frozen=True)
class EventTable:
    """The table that holds the payloads, and what its columns are called; None for what it has no column for."""

    schema: str
    name: str
    id: str
    tenant: str | None
    payload: str
    received: str
    order: str | None
    """An indexed column that grows with time; None: there is none, so the newest cannot be had cheaply."""
    order_is_integer: bool
    status: str | None = None
    error: str | None = None
    api_key: str | None = None
    origin: str | None = None
    attempts: str | None = None
    id_type: str = "bigint"
    columns: frozenset[str] = field(default_factory=frozenset)

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @classmethod
    def of_the_house(cls) -> EventTable:
        """Sitevault's landing."""
        return cls(
            "raw", "landed_event", "raw_event_id", "tenant_hk", "payload", "received_timestamp", "batch_id", True,
            api_key="api_key_hk", origin="origin",
        )  # fmt: skip

    @classmethod
    def of_the_guide(cls, columns: Iterable[Column], indexes: Iterable[Index]) -> EventTable:
        """raw.site_tracking_events_r, by its own columns. Raises ConfigurationError where one is lacking."""
        schema, name = "raw", "site_tracking_events_r"
        own = {one.name: one.type for one in columns if (one.schema, one.relation) == (schema, name)}
        key = _first(_ID, own)
        payload = _first(_PAYLOAD, own) or next((one for one in own if own[one] in ("jsonb", "json")), None)
        received = _first(_RECEIVED, own) or next((one for one in own if own[one].startswith("timestamp")), None)
        if key is None or payload is None or received is None:
            raise ConfigurationError(
                f"{schema}.{name} has no column that is an event's number, payload or time of arrival.",
                fix="The doctor knows the columns raw_event_id, raw_payload and received_timestamp.",
            )
        led = {
            one.columns[0]
            for one in indexes
            if (one.schema, one.relation) == (schema, name) and one.valid and not one.predicate
            and one.method == "btree"
        }  # fmt: skip
        order = next((one for one in (key, received) if one in led and not own[one].startswith("uuid")), None)
        return cls(
            schema, name, key, _first(("tenant_hk",), own), payload, received, order,
            order is not None and own[order] in _INTEGERS,
            status=_first(_STATUS, own), error=_first(_ERROR, own), api_key=_first(KEY_COLUMNS, own),
            origin=_first(_ORIGIN, own), attempts=_first(_ATTEMPTS, own), id_type=own[key], columns=frozenset(own),
        )  # fmt: skip

    def compose(self, query: LiteralString) -> sql.Composed:
        """A named query with this table's and its columns' names in it; a column it lacks is NULL."""
        names = {
            part: sql.Identifier(name) if (name := getattr(self, part)) else sql.SQL("NULL")
            for part in (
                "id",
                "tenant",
                "payload",
                "received",
                "order",
                "status",
                "error",
                "api_key",
                "origin",
                "attempts",
            )
        }
        table = sql.Identifier(self.schema, self.name)
        return sql.SQL(query).format(
            table=table, name=sql.Literal(table.as_string(None)), id_type=sql.SQL(self.id_type), **names
        )


@dataclass(frozen=True)
class Sampled:
    """What was looked at, and how it was chosen."""

    events: Sequence[SampledEvent]
    how: str
    complete: bool
    """Every event of the window is among them."""


class _Row(NamedTuple):
    id: str
    tenant_hk: bytes | None
    received: datetime | None
    status: str | None
    api_key: str | None
    origin: str | None
    payload: str | None


def take(conn: psycopg.Connection[Any], table: EventTable, now: datetime, window: timedelta, most: int) -> Sampled:
    """At most `most` events of the window; where the window holds none, the newest of any age."""
    (size,) = conn.execute(table.compose(SQL.events_size)).fetchone() or (0,)
    since = now - window
    if size <= SMALL_BYTES:
        found = _read(conn, table, SQL.newest_of_few, since=since, most=most)
        if not found:
            found = _read(conn, table, SQL.newest_of_few, since=None, most=most)
            return Sampled(found, f"{len(found)} events, all older than the window", len(found) < most)
        return Sampled(found, f"{len(found)} events of the window", len(found) < most)
    if table.order is None or not table.order_is_integer:
        percent = min(100.0, max(0.001, 100.0 * most * 2_000 / size))
        found = _read(conn, table, SQL.some_blocks, most=most, percent=percent)
        return Sampled(found, f"{len(found)} events of random blocks: no index tells the newest", False)
    newest = _read(conn, table, SQL.newest_by_index, most=most // 2)
    spread = _spread(conn, table, since, most // 2)
    found = list({event.id: event for event in (*newest, *spread)}.values())
    return Sampled(found, f"{len(found)} events: the newest, and a spread over the window", False)


def _spread(conn: psycopg.Connection[Any], table: EventTable, since: datetime, most: int) -> list[SampledEvent]:
    row = conn.execute(table.compose(SQL.order_range)).fetchone()
    low, high = row or (None, None)
    if low is None or high is None:
        return []
    first = _first_since(conn, table, since, low, high)
    starts = [first + (high - first) * step // STRIDES for step in range(STRIDES)]
    return _read(conn, table, SQL.strides, starts=list(dict.fromkeys(starts)), each=max(1, most // STRIDES))


def _first_since(conn: psycopg.Connection[Any], table: EventTable, since: datetime, low: int, high: int) -> int:
    """The first order number received in the window, by bisection: a row per step, by index."""
    query = table.compose(SQL.received_at)
    while low < high:
        middle = (low + high) // 2
        row = conn.execute(query, {"at": middle}).fetchone()
        if row is None or row[0] is None or row[0] >= since:
            high = middle
        else:
            low = middle + 1
    return low


def _read(
    conn: psycopg.Connection[Any], table: EventTable, query: LiteralString, **parameters: Any
) -> list[SampledEvent]:
    return read_events(conn, table.compose(query), parameters)


def read_events(
    conn: psycopg.Connection[Any], query: sql.Composed, parameters: Mapping[str, object]
) -> list[SampledEvent]:
    """The events of a composed query that gives the columns of an event's sample."""
    with conn.cursor(row_factory=class_row(_Row)) as cursor:
        cursor.execute(query, parameters)
        return [_event(row) for row in cursor]


def _event(row: _Row) -> SampledEvent:
    try:
        payload = msgspec.json.decode(row.payload) if row.payload else {}
    except msgspec.DecodeError:
        payload = {}
    found = value_at(payload, FIELDS["event_type"].paths)
    kind = SYNONYMS.get(found, found) if found is not None else None
    return SampledEvent(*row[:6], payload, kind)


def value_at(payload: Any, paths: Iterable[str]) -> str | None:
    """The first text that stands at one of these paths."""
    for path in paths:
        value = payload
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str) and value:
            return value
    return None


def _first(names: Iterable[str], columns: Iterable[str]) -> str | None:
    there = set(columns)
    return next((name for name in names if name in there), None)
