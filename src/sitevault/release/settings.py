"""A bundle's settings in a house: tenants' mappings and the schemas they demand, put in force and taken back.

All of it happens in the release's open transaction. What was in force before is not remembered beside it: settings
are only ever added, so the history tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sitevault.db import queries
from sitevault.errors import UnknownTenantError
from sitevault.hashkeys import tenant_key
from sitevault.release.model import ReleaseBlockedError, Setting
from sitevault.release.target import Target
from sitevault.tenancy import schemas, tenants
from sitevault.tenancy.schemas import SchemaStatus

SQL = queries.load("tenancy")


def named(setting: Setting) -> str:
    """What a plan calls it: `mapping acme`, `schema acme page_view`."""
    return " ".join(filter(None, (setting.kind, setting.tenant, setting.event_type)))


def pending(target: Target, settings: Iterable[Setting]) -> tuple[Setting, ...]:
    """Those that are not in force. Raises ReleaseBlockedError for a tenant this environment does not have."""
    return tuple(one for one in settings if not _in_force(target, one))


def put(target: Target, settings: Iterable[Setting]) -> None:
    """Put them in force; what is in force already is left alone."""
    conn = target.ground.conn
    for one in pending(target, settings):
        _within(target, one)
        if one.kind == "mapping":
            tenants.change_within(conn, one.tenant, mapping=tenants.read_mapping(one.text))
        else:
            schemas.add_within(conn, one.tenant, one.event_type or "", _schema(one))
    target.ground.within(None)


def take_back(target: Target, settings: Iterable[Setting]) -> None:
    """Put in force what was before them; where somebody changed it since, theirs stays."""
    conn = target.ground.conn
    for one in settings:
        if not _in_force(target, one):
            continue
        _within(target, one)
        if one.kind == "mapping":
            tenants.change_within(conn, one.tenant, mapping=_mapping_before(target, one))
            continue
        before = _schema_before(target, one)
        if before is None:
            schemas.retire_within(conn, one.tenant, one.event_type or "")
        else:
            schemas.add_within(conn, one.tenant, one.event_type or "", before)
    target.ground.within(None)


def _in_force(target: Target, one: Setting) -> bool:
    conn = target.ground.conn
    _within(target, one)
    try:
        now = tenants.find_tenant(conn, one.tenant)
    except UnknownTenantError as error:
        raise ReleaseBlockedError(
            f"The release has a {one.kind} for the tenant {one.tenant}, who is not in {target.environment}.",
            fix="Add the tenant there, or leave its settings out of the bundle.",
            command=f"sitevault tenant add NAME --id {one.tenant}",
        ) from error
    if one.kind == "mapping":
        return now.mapping == tenants.read_mapping(one.text)
    found = {schema.event_type: schema for schema in schemas.list_schemas(conn, one.tenant)}
    there = found.get(one.event_type or "")
    return there is not None and there.status is SchemaStatus.ACTIVE and there.schema_json == _schema(one)


def _mapping_before(target: Target, one: Setting) -> dict[str, list[str]]:
    released = tenants.read_mapping(one.text)
    so_far = target.ground.all(SQL.mappings_so_far, {"tenant_hk": tenant_key(one.tenant)})
    return next((mapping for (mapping,) in so_far if mapping != released), {})


def _schema_before(target: Target, one: Setting) -> dict[str, Any] | None:
    released = _schema(one)
    key = {"tenant_hk": tenant_key(one.tenant), "event_type": one.event_type}
    for schema, status in target.ground.all(SQL.schemas_so_far, key):
        if status != SchemaStatus.ACTIVE:
            return None
        if schema != released:
            found: dict[str, Any] = schema
            return found
    return None


def _schema(one: Setting) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(one.text)
    return schema


def _within(target: Target, one: Setting) -> None:
    target.ground.within(tenant_key(one.tenant).hex())
