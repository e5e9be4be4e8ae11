"""Tenants: named by an id they keep, never by a name, which two may share."""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NamedTuple

import msgspec
import psycopg
from psycopg.rows import kwargs_row

from sitevault.db import queries
from sitevault.errors import UnknownTenantError, UsageError
from sitevault.hashkeys import GHOST, hash_key, tenant_key
from sitevault.tenancy import audit_log
from sitevault.tenancy.audit_log import Action, Json
from sitevault.tenancy.context import administer

_sql = queries.load("tenancy")

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ID_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_decode_mapping = msgspec.json.Decoder(
    dict[
        Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9_]*$")],
        list[Annotated[str, msgspec.Meta(pattern=r"^[^\x00-\x1f]+$")]],
    ]
).decode
_SLUG_LENGTH = 48
_NAME_LENGTH = 200


class TenantStatus(StrEnum):
    ACTIVE = "active"
    SUSPENDED = "suspended"  # its keys are refused; what has landed still travels


class IpPolicy(StrEnum):
    TRUNCATE = "truncate"
    FULL = "full"
    NONE = "none"


class Tenant(NamedTuple):
    """A tenant as it is now."""

    tenant_bk: str
    tenant_hk: bytes
    name: str
    status: TenantStatus
    ip_policy: IpPolicy
    mapping: dict[str, list[str]]
    created_at: datetime


class Added(NamedTuple):
    """What add_tenant found or made."""

    tenant: Tenant
    created: bool


def add_tenant(
    conn: psycopg.Connection[Any],
    name: str,
    tenant_bk: str | None = None,
    ip_policy: str | None = None,
) -> Added:
    """Create a tenant with its secret and its ghosts; `conn` is sitevault_migrator's.

    Without an id the name makes one, with four random letters, so two tenants may share a name. An id that
    exists with the same name is found, not made again (`created` is False); with another name or IP policy
    it is refused with UsageError. The IP policy of a new tenant is `truncate` unless said otherwise.
    """
    name = _checked_name(name)
    policy = None if ip_policy is None else _checked_policy(ip_policy)
    tenant_bk = default_id(name) if tenant_bk is None else _checked_id(tenant_bk)
    tenant_hk = tenant_key(tenant_bk)
    with administer(conn, tenant_hk):
        new = conn.execute(_sql.insert_tenant, {"tenant_hk": tenant_hk, "tenant_bk": tenant_bk}).rowcount == 1
        if new:
            _insert_profile(conn, tenant_hk, name, TenantStatus.ACTIVE, policy or IpPolicy.TRUNCATE, {})
            conn.execute(_sql.insert_secret, {"tenant_hk": tenant_hk, "secret": secrets.token_bytes(32)})
            conn.execute(_sql.insert_ghosts, {"tenant_hk": tenant_hk, "ghost": GHOST})
            details: dict[str, Json] = {"id": tenant_bk, "ip_policy": (policy or IpPolicy.TRUNCATE).value}
            audit_log.record(conn, tenant_hk, Action.TENANT_ADD, details)
        tenant = _existing(conn, tenant_bk)
    if not new:
        _refuse_another(tenant, name, policy)
    return Added(tenant, new)


def default_id(name: str) -> str:
    """An id for a name: its letters and digits in ASCII, then four random letters."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name)[:_SLUG_LENGTH].strip("-") or "tenant"
    return f"{slug}-{''.join(secrets.choice(_ID_LETTERS) for _ in range(4))}"


def list_tenants(conn: psycopg.Connection[Any]) -> list[Tenant]:
    """Every tenant, by id; `conn` is sitevault_judge's."""
    with conn.cursor(row_factory=kwargs_row(_tenant)) as cursor:
        return cursor.execute(_sql.tenants).fetchall()


def find_tenant(conn: psycopg.Connection[Any], tenant_bk: str) -> Tenant:
    """The tenant with this id; `conn` is sitevault_judge's.

    Raises UnknownTenantError; when the text is the *name* of tenants, the error lists their ids and
    picks none.
    """
    tenant = _read(conn, tenant_key(tenant_bk)) if _ID.fullmatch(tenant_bk) else None
    if tenant is None:
        rows = conn.execute(_sql.tenant_ids_named, {"name": _without_nul(tenant_bk)}).fetchall()
        raise _unknown(tenant_bk, [row[0] for row in rows])
    return tenant


def suspend(conn: psycopg.Connection[Any], tenant_bk: str) -> bool:
    """Refuse the tenant's keys from now on; False when it was suspended already."""
    return change_tenant(conn, tenant_bk, status=TenantStatus.SUSPENDED)


def resume(conn: psycopg.Connection[Any], tenant_bk: str) -> bool:
    """Accept the tenant's keys again; False when it was active already."""
    return change_tenant(conn, tenant_bk, status=TenantStatus.ACTIVE)


def change_tenant(
    conn: psycopg.Connection[Any],
    tenant_bk: str,
    *,
    status: TenantStatus | None = None,
    ip_policy: str | None = None,
    mapping: dict[str, list[str]] | None = None,
) -> bool:
    """Write a tenant's new state; False when it is so already. `conn` is sitevault_migrator's.

    `mapping` replaces the tenant's own candidate paths (field -> paths). Raises UnknownTenantError.
    """
    policy = None if ip_policy is None else _checked_policy(ip_policy)
    with administer(conn, tenant_key(tenant_bk)):
        return change_within(conn, tenant_bk, status=status, ip_policy=policy, mapping=mapping)


def change_within(
    conn: psycopg.Connection[Any],
    tenant_bk: str,
    *,
    status: TenantStatus | None = None,
    ip_policy: IpPolicy | None = None,
    mapping: dict[str, list[str]] | None = None,
) -> bool:
    """The same in an open transaction that acts as the owner, within this tenant."""
    tenant_hk = lock_tenant(conn, tenant_bk)
    before = _existing(conn, tenant_bk)
    after = before._replace(
        status=status or before.status,
        ip_policy=ip_policy or before.ip_policy,
        mapping=before.mapping if mapping is None else mapping,
    )
    if after == before:
        return False
    _insert_profile(conn, tenant_hk, after.name, after.status, after.ip_policy, after.mapping)
    audit_log.record(conn, tenant_hk, Action.TENANT_CHANGE, _changes(before, after))
    return True


def _changes(before: Tenant, after: Tenant) -> dict[str, Json]:
    """What a change sets, for the audit log."""
    changes: dict[str, Json] = {}
    if after.status is not before.status:
        changes["status"] = after.status.value
    if after.ip_policy is not before.ip_policy:
        changes["ip_policy"] = after.ip_policy.value
    if after.mapping != before.mapping:
        changes["mapping"] = {field: list(paths) for field, paths in after.mapping.items()}
    return changes


def read_mapping(text: str) -> dict[str, list[str]]:
    """A tenant's own candidate paths from JSON: field -> paths in order. Raises UsageError."""
    try:
        return _decode_mapping(text)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"This is not a mapping: {error}", fix='It looks like {"session_id": ["context.sid", "sid"]}.'
        ) from error


def lock_tenant(conn: psycopg.Connection[Any], tenant_bk: str) -> bytes:
    """The tenant_hk of an existing tenant, whose changes now wait for this transaction to end.

    To be called within `administer`. Raises UnknownTenantError.
    """
    tenant_hk = tenant_key(tenant_bk)
    if conn.execute(_sql.lock_tenant, {"tenant_hk": tenant_hk}).fetchone() is None:
        raise _unknown(tenant_bk, [])
    return tenant_hk


def _read(conn: psycopg.Connection[Any], tenant_hk: bytes) -> Tenant | None:
    with conn.cursor(row_factory=kwargs_row(_tenant)) as cursor:
        return cursor.execute(_sql.tenant, {"tenant_hk": tenant_hk}).fetchone()


def _existing(conn: psycopg.Connection[Any], tenant_bk: str) -> Tenant:
    tenant = _read(conn, tenant_key(tenant_bk))
    if tenant is None:
        raise _unknown(tenant_bk, [])
    return tenant


def _tenant(*, status: str, ip_policy: str, **columns: Any) -> Tenant:
    return Tenant(status=TenantStatus(status), ip_policy=IpPolicy(ip_policy), **columns)


def _insert_profile(
    conn: psycopg.Connection[Any],
    tenant_hk: bytes,
    name: str,
    status: TenantStatus,
    ip_policy: IpPolicy,
    mapping: dict[str, list[str]],
) -> None:
    mapping_text = json.dumps(mapping, sort_keys=True)
    conn.execute(
        _sql.insert_profile,
        {
            "tenant_hk": tenant_hk,
            "name": name,
            "status": status.value,
            "ip_policy": ip_policy.value,
            "mapping": mapping_text,
            "hash_diff": hash_key("tenant_profile", tenant_hk, name, status, ip_policy, mapping_text),
        },
    )


def _checked_name(name: str) -> str:
    name = unicodedata.normalize("NFC", name).strip()
    if not name or len(name) > _NAME_LENGTH or not name.isprintable():
        raise UsageError(f"A tenant's name is 1 to {_NAME_LENGTH} printable characters.")
    return name


def _checked_id(tenant_bk: str) -> str:
    if not _ID.fullmatch(tenant_bk):
        raise UsageError(
            f"{tenant_bk!r} cannot be a tenant's id.",
            fix="An id is 1 to 63 lower-case letters, digits and hyphens, and does not begin with a hyphen.",
        )
    return tenant_bk


def _checked_policy(ip_policy: str) -> IpPolicy:
    try:
        return IpPolicy(ip_policy)
    except ValueError:
        raise UsageError(
            f"{ip_policy!r} is not an IP policy.", fix=f"It is one of: {', '.join(IpPolicy)}."
        ) from None


def _refuse_another(tenant: Tenant, name: str, ip_policy: IpPolicy | None) -> None:
    if tenant.name != name:
        raise UsageError(
            f"The id {tenant.tenant_bk} is taken: it is the tenant {tenant.name!r}.",
            fix="Choose another id, or leave it out and one is made from the name.",
        )
    if ip_policy not in (None, tenant.ip_policy):
        raise UsageError(
            f"The tenant {tenant.tenant_bk} exists with the IP policy {tenant.ip_policy}, not {ip_policy}.",
            fix="Change the policy of the existing tenant.",
            command=f"sitevault tenant set {tenant.tenant_bk} --ip-policy {ip_policy}",
        )


def _unknown(text: str, ids_of_that_name: list[str]) -> UnknownTenantError:
    message = f"There is no tenant with the id {text!r}."
    if ids_of_that_name:
        message += f" That is the name of: {', '.join(ids_of_that_name)}."
    return UnknownTenantError(
        message,
        fix="A tenant is named by its id, never by its name, which several may share.",
        command="sitevault tenant list",
    )


def _without_nul(text: str) -> str:
    # PostgreSQL text has no U+0000, and a lone surrogate no UTF-8; neither is in any tenant's name.
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
