"""JSON Schemas a tenant demands of its events, one per event type; the newest counts."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import jsonschema_rs
import psycopg
from psycopg.rows import kwargs_row

from sitevault.db import queries
from sitevault.errors import UsageError
from sitevault.hashkeys import tenant_key
from sitevault.tenancy import audit_log
from sitevault.tenancy.audit_log import Action
from sitevault.tenancy.context import administer
from sitevault.tenancy.tenants import lock_tenant

_sql = queries.load("tenancy")

_TYPE_LENGTH = 100


class SchemaStatus(StrEnum):
    ACTIVE = "active"
    RETIRED = "retired"  # events of the type are accepted as they come, as before it was added


class EventSchema(NamedTuple):
    """A tenant's schema for an event type as it is now."""

    event_type: str
    schema_json: dict[str, Any]
    status: SchemaStatus
    load_date: datetime


class Violation(NamedTuple):
    """Where an event breaks its schema: its place in the list (from 0), the JSON path, what is wrong."""

    place: int
    path: str
    message: str


class Tested(NamedTuple):
    """What holding events against a schema showed."""

    tested: int
    of_other_types: int
    violations: list[Violation]


def add_schema(conn: psycopg.Connection[Any], tenant_bk: str, event_type: str, schema: dict[str, Any]) -> bool:
    """Demand this schema of the tenant's events of a type; False when it is demanded already.

    `conn` is sitevault_migrator's. Raises UsageError for what is no JSON Schema, UnknownTenantError.
    """
    event_type = _checked_type(event_type)
    compile_schema(schema)
    with administer(conn, tenant_key(tenant_bk)):
        return add_within(conn, tenant_bk, event_type, schema)


def add_within(conn: psycopg.Connection[Any], tenant_bk: str, event_type: str, schema: dict[str, Any]) -> bool:
    """The same in an open transaction that acts as the owner, within this tenant; the schema compiles."""
    tenant_hk = lock_tenant(conn, tenant_bk)
    now = _read(conn, tenant_hk).get(event_type)
    if now and now.status is SchemaStatus.ACTIVE and now.schema_json == schema:
        return False
    _insert(conn, tenant_hk, event_type, schema, SchemaStatus.ACTIVE)
    audit_log.record(conn, tenant_hk, Action.SCHEMA_ADD, {"event_type": event_type, "sha256": _digest(schema)})
    return True


def retire_schema(conn: psycopg.Connection[Any], tenant_bk: str, event_type: str) -> bool:
    """Demand no schema any more of the tenant's events of a type; False when it was retired already.

    `conn` is sitevault_migrator's. Raises UsageError where there never was one, UnknownTenantError.
    """
    with administer(conn, tenant_key(tenant_bk)):
        return retire_within(conn, tenant_bk, event_type)


def retire_within(conn: psycopg.Connection[Any], tenant_bk: str, event_type: str) -> bool:
    """The same in an open transaction that acts as the owner, within this tenant."""
    tenant_hk = lock_tenant(conn, tenant_bk)
    now = _read(conn, tenant_hk).get(event_type)
    if now is None:
        raise _no_schema(tenant_bk, event_type)
    if now.status is SchemaStatus.RETIRED:
        return False
    _insert(conn, tenant_hk, event_type, now.schema_json, SchemaStatus.RETIRED)
    audit_log.record(conn, tenant_hk, Action.SCHEMA_RETIRE, {"event_type": event_type})
    return True


def list_schemas(conn: psycopg.Connection[Any], tenant_bk: str) -> list[EventSchema]:
    """A tenant's schemas by event type, retired ones too; `conn` is sitevault_judge's."""
    return list(_read(conn, tenant_key(tenant_bk)).values())


def active_schema(conn: psycopg.Connection[Any], tenant_bk: str, event_type: str) -> dict[str, Any]:
    """The schema in force; `conn` is sitevault_judge's. Raises UsageError where there is none."""
    found = _read(conn, tenant_key(tenant_bk)).get(event_type)
    if found is None or found.status is not SchemaStatus.ACTIVE:
        raise _no_schema(tenant_bk, event_type)
    return found.schema_json


def compile_schema(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    """A validator with the options staging uses, so that what passes here compiles there. Raises UsageError.

    Formats are asserted, other documents are never fetched, patterns run on the engine without backtracking.
    """
    if not isinstance(schema, dict):
        raise UsageError("A JSON Schema for events is a JSON object.")
    try:
        return jsonschema_rs.validator_for(
            schema, validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"This is not a JSON Schema Sitevault can use: {reason}",
            fix="Keep everything in one document ($defs, no references to others); patterns know no look-around.",
        ) from error


def hold_against(schema: dict[str, Any], event_type: str, text: str) -> Tested:
    """Hold a JSON list of events, or one event a line, against a schema.

    Events that name another `event_type` are counted, not tested. Raises UsageError for what is no JSON.
    """
    validator = compile_schema(schema)
    events = _read_events(text)
    mine = [
        (place, event)
        for place, event in enumerate(events)
        if not isinstance(event, dict) or event.get("event_type", event_type) == event_type
    ]
    found = [
        Violation(place, "/".join(["", *map(str, error.instance_path)]) or "/", error.message)
        for place, event in mine
        for error in validator.iter_errors(event)
    ]
    return Tested(len(mine), len(events) - len(mine), found)


def _digest(schema: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()


def _read_events(text: str) -> list[Any]:
    if text.lstrip().startswith("["):
        return list(_decode(text, "The file"))
    lines = enumerate(text.splitlines(), start=1)
    return [_decode(line, f"Line {number}") for number, line in lines if line.strip()]


def _decode(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{what} is not JSON: {error.msg}.", fix="Events are a JSON list, or one JSON object on each line."
        ) from error


def _read(conn: psycopg.Connection[Any], tenant_hk: bytes) -> dict[str, EventSchema]:
    with conn.cursor(row_factory=kwargs_row(_schema)) as cursor:
        return {row.event_type: row for row in cursor.execute(_sql.event_schemas, {"tenant_hk": tenant_hk})}


def _schema(*, status: str, **columns: Any) -> EventSchema:
    return EventSchema(status=SchemaStatus(status), **columns)


def _insert(
    conn: psycopg.Connection[Any], tenant_hk: bytes, event_type: str, schema: dict[str, Any], status: SchemaStatus
) -> None:
    row = {
        "tenant_hk": tenant_hk,
        "event_type": event_type,
        "schema_json": json.dumps(schema),
        "status": status.value,
    }
    try:
        conn.execute(_sql.insert_event_schema, row)
    except psycopg.DataError as error:
        # jsonb has neither U+0000, nor half a surrogate pair, nor NaN; Python's json has them all.
        raise UsageError(f"PostgreSQL cannot store this schema: {error.diag.message_primary}.") from error


def _checked_type(event_type: str) -> str:
    event_type = unicodedata.normalize("NFC", event_type)
    if not event_type or len(event_type) > _TYPE_LENGTH or not event_type.isprintable() or " " in event_type:
        raise UsageError(f"An event type is a name of 1 to {_TYPE_LENGTH} printable characters without spaces.")
    return event_type


def _no_schema(tenant_bk: str, event_type: str) -> UsageError:
    return UsageError(
        f"The tenant {tenant_bk} demands no schema of events of type {event_type!r}.",
        command=f"sitevault schema list {tenant_bk}",
    )
