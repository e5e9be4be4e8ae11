"""Canary tenants: a row in every table with a mark in every column, planted by the audit and taken away again.

They are committed, because other sessions must be able to see them if anything lets them. Their manifest says
PROCESSED, so no worker carries them; whatever an audit that was killed left behind, the next one removes.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Json, Jsonb

from sitevault import clock
from sitevault.audit.catalog.snapshot import SQL, ForeignKey, Snapshot
from sitevault.db import queries
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.hashkeys import hash_key, tenant_key
from sitevault.landing.identity import event_identity
from sitevault.tenancy.context import administer
from sitevault.tenancy.keys import KeyKind, digest, make_key

PROBES = queries.load("audit_probes")
RECORD_SOURCE = "sitevault.audit"
EVENTS_PER_BATCH = 65_536

Table = tuple[str, str]


class Column(NamedTuple):
    schema: str
    relation: str
    name: str
    type: str
    octets: int | None
    choices: list[str]
    referred: bool


@dataclass(frozen=True)
class Canary:
    """A tenant that exists for the length of an audit."""

    name: str
    tenant_bk: str
    tenant_hk: bytes
    key: str = field(repr=False)
    suspended: bool = False
    rows: dict[Table, dict[str, Any]] = field(default_factory=dict, repr=False)
    unplanted: dict[Table, str] = field(default_factory=dict)
    planted_at: datetime = field(default_factory=clock.now)

    @property
    def mark(self) -> str:
        """The text that every text of this tenant begins with."""
        return self.tenant_bk

    @property
    def event_id(self) -> UUID:
        return event_identity(self.tenant_hk, self.mark, self.planted_at, self.planted_at, 1)

    @property
    def batch_id(self) -> int:
        """Negative: no flush ever has this number."""
        return -int.from_bytes(_digest(self.mark, "batch_id")[:5], "big") - 1

    @property
    def tokens(self) -> tuple[str, ...]:
        """What betrays this tenant wherever it turns up: its mark, its keys in hexadecimal, its event's id."""
        hidden = {value.hex() for row in self.rows.values() for value in row.values() if isinstance(value, bytes)}
        return (self.mark, self.tenant_hk.hex(), str(self.event_id), *sorted(hidden - {self.tenant_hk.hex()}))

    def betrayed_by(self, text: str) -> bool:
        return any(token in text for token in self.tokens)


class Canaries(NamedTuple):
    """Tenants a and b, who must not see each other; one that is suspended; and one that is never planted."""

    a: Canary
    b: Canary
    suspended: Canary
    nobody: Canary


@contextlib.contextmanager
def planted(database: Database, snapshot: Snapshot) -> Iterator[Canaries]:
    """Two canaries and a suspended one, gone when the context ends, however it ends; and one that never was.

    Needs the audit's lock. Raises psycopg.Error only where not even a tenant can be made.
    """
    nonce = secrets.token_hex(6)
    with database.connect(Role.MIGRATOR, autocommit=True, application_name="audit") as conn:
        columns = _columns(conn)
        order = _parents_first(sorted({(one.schema, one.relation) for one in columns}), snapshot.foreign_keys)
        _remove_left_behind(database, conn, order)
        canaries = Canaries(*(_canary(nonce, name) for name in Canaries._fields))
        try:
            for canary in canaries:
                _compose(canary, order, columns)
                if canary is not canaries.nobody:
                    _plant(conn, canary, order)
            yield canaries
        finally:
            for canary in canaries:
                remove(conn, canary.tenant_hk, order)


def remove(conn: psycopg.Connection[Any], tenant_hk: bytes, order: Sequence[Table]) -> None:
    """Take away everything of one canary tenant, as the owner within that tenant's context."""
    with administer(conn, tenant_hk):
        for table in reversed(order):
            remove_rows = PROBES.remove_manifests if table == ("raw", "batch") else PROBES.remove
            conn.execute(sql.SQL(remove_rows).format(relation=sql.Identifier(*table)), {"tenant_hk": tenant_hk})


def _canary(nonce: str, name: str) -> Canary:
    tenant_bk = f"audit-canary-{nonce}-{name}"
    return Canary(tenant_bk[-1], tenant_bk, tenant_key(tenant_bk), make_key(KeyKind.SECRET), name == "suspended")


def _columns(conn: psycopg.Connection[Any]) -> list[Column]:
    with conn.cursor(row_factory=class_row(Column)) as cursor:
        return cursor.execute(SQL.columns_to_plant).fetchall()


def _parents_first(tables: Sequence[Table], keys: Sequence[ForeignKey]) -> list[Table]:
    parents: dict[Table, set[Table]] = {table: set() for table in tables}
    for key in keys:
        child, parent = (key.schema, key.relation), (key.foreign_schema, key.foreign_relation)
        if child in parents and parent in parents and child != parent:
            parents[child].add(parent)
    ordered: list[Table] = []
    while parents:
        # A circle of references is cut where it is met; planting says what could not be planted.
        free = [table for table in parents if not parents[table] - set(ordered)] or [next(iter(parents))]
        ordered += free
        for table in free:
            del parents[table]
    return ordered


def _remove_left_behind(database: Database, conn: psycopg.Connection[Any], order: Sequence[Table]) -> None:
    with database.connect(Role.AUDITOR, autocommit=True, application_name="audit") as auditor:
        left = auditor.execute(SQL.left_behind).fetchall()
    for (tenant_hk,) in left:
        remove(conn, tenant_hk, order)


def _compose(canary: Canary, order: Sequence[Table], columns: Sequence[Column]) -> None:
    for table in order:
        mine = (one for one in columns if (one.schema, one.relation) == table)
        canary.rows[table] = {one.name: _value(canary, one) for one in mine}


def _plant(conn: psycopg.Connection[Any], canary: Canary, order: Sequence[Table]) -> None:
    with administer(conn, canary.tenant_hk):
        for table in order:
            row = canary.rows[table]
            try:
                with conn.transaction():
                    conn.execute(insertion(table, row), row)
            except psycopg.Error as error:
                canary.unplanted[table] = error.diag.message_primary or type(error).__name__


def insertion(table: Table, row: dict[str, Any]) -> sql.Composed:
    """INSERT of a row whose values are named parameters."""
    return sql.SQL(PROBES.plant).format(**parts_of(table, row))


def parts_of(table: Table, row: dict[str, Any]) -> dict[str, sql.Composable]:
    """A table, the columns of a row and their placeholders, for templates that insert."""
    return {
        "relation": sql.Identifier(*table),
        "columns": sql.SQL(", ").join(map(sql.Identifier, row)),
        "values": sql.SQL(", ").join(map(sql.Placeholder, row)),
    }


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()


def _value(canary: Canary, column: Column) -> Any:
    special = _SPECIAL.get((column.relation, column.name)) or _SPECIAL.get((None, column.name))
    if special is not None:
        return special(canary)
    if column.choices:
        return column.choices[0]
    # Columns of a key hold the same value wherever they stand, so that the canary's rows belong together.
    place = column.name if column.referred or column.name in _BUSINESS_KEYS else (
        f"{column.schema}.{column.relation}.{column.name}"
    )  # fmt: skip
    return _of_type(column, canary, _marked(canary, place))


def _marked(canary: Canary, place: str) -> str:
    return f"{canary.mark}:{place}"


def _hub_key(domain: str, *business_keys: str) -> Callable[[Canary], bytes]:
    """A hub's key as its business key makes it: whoever re-derives keys meanwhile finds nothing wrong."""
    return lambda canary: hash_key(domain, canary.tenant_hk, *(_marked(canary, name) for name in business_keys))


def _of_type(column: Column, canary: Canary, mark: str) -> Any:
    now: datetime = clock.now()
    match column.type:
        case "text":
            return mark
        case "text[]":
            return [mark]
        case "bytea":
            return _digest(canary.mark, column.name)[: column.octets or 32]
        case "json":
            return Json({"canary": mark})
        case "jsonb":
            return Jsonb({"canary": mark})
        case "uuid":
            return UUID(bytes=_digest(canary.mark, column.name)[:16])
        case "inet":
            return ipaddress.IPv6Address(b"\x20\x01\x0d\xb8" + _digest(mark)[:12])
        case "bigint" if column.name.endswith("_id"):
            return canary.batch_id
        case "bigint" | "integer" | "numeric" | "smallint" | "double precision":
            return 1
        case "boolean":
            return False
        case "date":
            return now.astimezone(UTC).date()
        case "timestamp with time zone":
            return now
        case "timestamp with time zone[]":
            return [now]
        case "integer[]":
            return [1]
    return None  # NULL where it may be; where not, the table is reported as not planted


_BUSINESS_KEYS = frozenset(
    {"visitor_bk", "session_bk", "page_bk", "user_bk", "utm_source", "utm_medium", "utm_campaign"}
)

_EVENT_TYPE = "business.site_event_nl.event_type"

_SPECIAL: dict[tuple[str | None, str], Any] = {
    (None, "tenant_hk"): lambda canary: canary.tenant_hk,
    (None, "tenant_hks"): lambda canary: [canary.tenant_hk],
    (None, "tenant_bk"): lambda canary: canary.tenant_bk,
    (None, "api_key_hk"): lambda canary: digest(canary.key),
    (None, "event_id"): lambda canary: canary.event_id,
    (None, "visitor_hk"): _hub_key("visitor", "visitor_bk"),
    (None, "session_hk"): _hub_key("session", "session_bk"),
    (None, "page_hk"): _hub_key("page", "page_bk"),
    (None, "user_hk"): _hub_key("user", "user_bk"),
    (None, "campaign_hk"): _hub_key("campaign", "utm_source", "utm_medium", "utm_campaign"),
    (None, "batch_id"): lambda canary: canary.batch_id,
    (None, "raw_event_id"): lambda canary: canary.batch_id * EVENTS_PER_BATCH,
    # What running services read must be in order for them, and nothing may wait for a worker.
    ("tenant_h", "record_source"): lambda canary: RECORD_SOURCE,
    ("tenant_profile_s", "status"): lambda canary: "suspended" if canary.suspended else "active",
    ("tenant_profile_s", "mapping"): lambda canary: Jsonb({"session_id": [canary.mark]}),
    ("api_key_s", "kind"): lambda canary: "secret",
    ("api_key_s", "rate_limit"): lambda canary: 1000,
    ("event_schema_s", "schema_json"): lambda canary: Jsonb({"title": canary.mark}),
    ("site_tracking_events_s", "validation_errors"): lambda canary: Jsonb([{"code": canary.mark}]),
    ("mapping_path_set", "paths"): lambda canary: Jsonb({"session_id": canary.mark}),
    # A funnel reads the path instead of the event: the day is rolled up.
    ("path_day_f", "path"): lambda canary: f"{_marked(canary, 'path')},{_marked(canary, _EVENT_TYPE)},",
    ("batch", "state"): lambda canary: "PROCESSED",
    ("dead_letter", "status"): lambda canary: "RESOLVED",
    ("ledger_d", "landed"): lambda canary: 3,
    ("removed_d", "announced"): lambda canary: 0,
    ("removed_d", "invalid"): lambda canary: 0,
    ("removed_d", "error"): lambda canary: 0,
}
