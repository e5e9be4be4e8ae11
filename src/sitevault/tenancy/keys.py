"""API keys: shown once, stored as their SHA-256, addressed by the first digits of it."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import kwargs_row

from sitevault.db import queries
from sitevault.errors import UnknownKeyError, UsageError
from sitevault.hashkeys import hash_key, tenant_key
from sitevault.tenancy import audit_log, origins
from sitevault.tenancy.audit_log import Action, Json
from sitevault.tenancy.context import administer
from sitevault.tenancy.tenants import lock_tenant

_sql = queries.load("tenancy")

KEY_ID_DIGITS = 12
_SHORTEST_PREFIX = 6
_LABEL_LENGTH = 100
_LARGEST_RATE = 1_000_000_000

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY_LENGTH = 43  # 62**43 > 2**256
_KEY = re.compile(rf"sv_(pub|sec)_[0-9A-Za-z]{{{_BODY_LENGTH}}}")
_KEY_ID = re.compile(rf"[0-9a-f]{{{_SHORTEST_PREFIX},64}}")


class KeyKind(StrEnum):
    PUBLIC = "public"  # writes, from allowed origins; may be seen by anyone
    SECRET = "secret"  # noqa: S105 -- a kind: writes, and reads status and receipts


class KeyStatus(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"  # for ever


_PREFIXES = {KeyKind.PUBLIC: "sv_pub_", KeyKind.SECRET: "sv_sec_"}


class ApiKey(NamedTuple):
    """What is known of a key; the key itself is not."""

    tenant_bk: str
    tenant_hk: bytes
    api_key_hk: bytes
    kind: KeyKind
    label: str
    allowed_origins: list[str]
    rate_limit: int | None
    status: KeyStatus
    created_at: datetime

    @property
    def key_id(self) -> str:
        """The first 12 hex digits of api_key_hk."""
        return self.api_key_hk.hex()[:KEY_ID_DIGITS]


class NewKey(NamedTuple):
    """A key at the one moment it is known."""

    key: str
    api_key: ApiKey

    def __repr__(self) -> str:
        # So that no log or traceback shows the key by accident.
        return f"NewKey(key=..., api_key={self.api_key!r})"


def make_key(kind: KeyKind) -> str:
    """A new key of 256 random bits: its kind's prefix and 43 digits of base 62."""
    number = int.from_bytes(secrets.token_bytes(32), "big")
    body = ""
    for _ in range(_BODY_LENGTH):
        number, digit = divmod(number, 62)
        body = _DIGITS[digit] + body
    return _PREFIXES[kind] + body


def kind_of(key: str) -> KeyKind | None:
    """The kind a text says it is when it has the form of a key, else None."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    return KeyKind.PUBLIC if match[1] == "pub" else KeyKind.SECRET


def digest(key: str) -> bytes:
    """The api_key_hk of a key: SHA-256 of its bytes. Any text has one."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def create_key(
    conn: psycopg.Connection[Any],
    tenant_bk: str,
    kind: KeyKind,
    *,
    label: str = "",
    allowed_origins: Sequence[str] = (),
    rate_limit: int | None = None,
) -> NewKey:
    """Make a key for a tenant; `conn` is sitevault_migrator's. The returned key is nowhere else.

    A public key needs at least one allowed origin (`*` for all); `rate_limit` is events per second.
    Raises UnknownTenantError or UsageError.
    """
    _check_label_and_rate(label, rate_limit)
    listed = _checked_origins(kind, allowed_origins)
    key = make_key(kind)
    tenant_hk, api_key_hk = tenant_key(tenant_bk), digest(key)
    with administer(conn, tenant_hk):
        lock_tenant(conn, tenant_bk)
        conn.execute(_sql.insert_key, {"tenant_hk": tenant_hk, "api_key_hk": api_key_hk})
        _insert_state(conn, tenant_hk, api_key_hk, kind, label, listed, rate_limit, KeyStatus.ACTIVE)
        api_key = _read(conn, tenant_hk, api_key_hk)
        audit_log.record(conn, tenant_hk, Action.KEY_CREATE, _details(api_key))
    return NewKey(key, api_key)


def list_keys(conn: psycopg.Connection[Any], tenant_bk: str) -> list[ApiKey]:
    """A tenant's keys, oldest first, revoked ones too; `conn` is sitevault_judge's."""
    with conn.cursor(row_factory=kwargs_row(_api_key)) as cursor:
        return cursor.execute(_sql.keys_of_tenant, {"tenant_hk": tenant_key(tenant_bk)}).fetchall()


def find_key(conn: psycopg.Connection[Any], key_id: str) -> ApiKey:
    """The one key whose digest begins with `key_id` (6 to 64 hex digits); `conn` is sitevault_judge's.

    Raises UnknownKeyError where there is none, UsageError where there are several: none is picked.
    """
    prefix = _checked_key_id(key_id)
    with conn.cursor(row_factory=kwargs_row(_api_key)) as cursor:
        found = cursor.execute(_sql.keys_by_prefix, {"prefix": prefix}).fetchall()
    if not found:
        raise UnknownKeyError(
            f"No API key has the id {prefix}.",
            fix="Look the id up in the list of its tenant's keys.",
            command="sitevault key list TENANT",
        )
    if len(found) > 1:
        listed = ", ".join(f"{key.api_key_hk.hex()[:20]} ({key.tenant_bk})" for key in found[:10])
        raise UsageError(
            f"{len(found)} keys have an id that begins with {prefix}: {listed}.", fix="Give more digits."
        )
    return found[0]


def revoke_key(conn: psycopg.Connection[Any], key: ApiKey) -> bool:
    """Refuse this key for ever; False when it was revoked already. `conn` is sitevault_migrator's."""
    with administer(conn, key.tenant_hk):
        lock_tenant(conn, key.tenant_bk)
        now = _read(conn, key.tenant_hk, key.api_key_hk)
        if now.status is KeyStatus.REVOKED:
            return False
        _insert_state(
            conn,
            now.tenant_hk,
            now.api_key_hk,
            now.kind,
            now.label,
            now.allowed_origins,
            now.rate_limit,
            KeyStatus.REVOKED,
        )
        audit_log.record(conn, key.tenant_hk, Action.KEY_REVOKE, {"key_id": key.key_id})
        return True


def _details(key: ApiKey) -> dict[str, Json]:
    return {
        "allowed_origins": list(key.allowed_origins),
        "key_id": key.key_id,
        "kind": key.kind.value,
        "rate_limit": key.rate_limit,
    }


def _read(conn: psycopg.Connection[Any], tenant_hk: bytes, api_key_hk: bytes) -> ApiKey:
    with conn.cursor(row_factory=kwargs_row(_api_key)) as cursor:
        row = cursor.execute(_sql.key, {"tenant_hk": tenant_hk, "api_key_hk": api_key_hk}).fetchone()
    if row is None:
        raise UnknownKeyError(f"No API key has the id {api_key_hk.hex()[:KEY_ID_DIGITS]}.")
    return row


def _api_key(*, kind: str, status: str, **columns: Any) -> ApiKey:
    return ApiKey(kind=KeyKind(kind), status=KeyStatus(status), **columns)


def _insert_state(
    conn: psycopg.Connection[Any],
    tenant_hk: bytes,
    api_key_hk: bytes,
    kind: KeyKind,
    label: str,
    allowed_origins: list[str],
    rate_limit: int | None,
    status: KeyStatus,
) -> None:
    rate = None if rate_limit is None else str(rate_limit)
    conn.execute(
        _sql.insert_key_state,
        {
            "tenant_hk": tenant_hk,
            "api_key_hk": api_key_hk,
            "kind": kind.value,
            "label": label,
            "allowed_origins": allowed_origins,
            "rate_limit": rate_limit,
            "status": status.value,
            "hash_diff": hash_key("api_key", tenant_hk, kind, label, rate, status, *allowed_origins),
        },
    )


def _checked_origins(kind: KeyKind, allowed_origins: Sequence[str]) -> list[str]:
    listed = origins.checked(allowed_origins)
    if kind is KeyKind.PUBLIC and not listed:
        raise UsageError(
            "A public key stands in web pages; it needs the origins it may be used from.",
            fix="Add --origin https://www.example.com (repeatable), or --origin '*' to allow every site.",
        )
    if kind is KeyKind.SECRET and listed:
        raise UsageError(
            "A secret key is for servers and must never be in a web page, so it has no origins.",
            fix="Leave --origin out, or make a public key.",
        )
    return listed


def _check_label_and_rate(label: str, rate_limit: int | None) -> None:
    if len(label) > _LABEL_LENGTH or not label.isprintable():
        raise UsageError(f"A key's label is at most {_LABEL_LENGTH} printable characters.")
    if rate_limit is not None and not 0 < rate_limit <= _LARGEST_RATE:
        raise UsageError(f"A rate limit is 1 to {_LARGEST_RATE} events per second.", fix="Leave it out for none.")


def _checked_key_id(key_id: str) -> str:
    if kind_of(key_id):
        raise UsageError(
            "That is a key itself, not its id.",
            fix="Take the id; and whoever reads your terminal or its history now has the key.",
            command=f"sitevault key revoke {digest(key_id).hex()[:KEY_ID_DIGITS]}",
        )
    prefix = key_id.lower()
    if not _KEY_ID.fullmatch(prefix):
        raise UsageError(
            f"{key_id!r} is not the id of a key.",
            fix=f"An id is the first {_SHORTEST_PREFIX} to 64 hex digits that `key list` shows.",
        )
    return prefix
