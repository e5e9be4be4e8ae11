"""The audit log: each action an entry in its tenant's chain, in the transaction of the action itself.

An entry's hash covers the one before it, so one that is changed, taken out or put in between breaks the chain.
Entries hold ids and settings; never a key, a secret, a payload or anything of a person.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import platform
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import dict_row

from sitevault.db import queries
from sitevault.hashkeys import GHOST, HASH_BYTES
from sitevault.tenancy.context import administer

_sql = queries.load("audit_log")

HOUSE = GHOST
"""The chain of what concerns no single tenant."""

FIRST_HASH = bytes(HASH_BYTES)
"""What the first entry of a chain names as the one before it."""

_LARGEST = 2**53 - 1

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"


class Action(StrEnum):
    """What is recorded."""

    TENANT_ADD = "tenant.add"
    TENANT_CHANGE = "tenant.change"
    KEY_CREATE = "key.create"
    KEY_REVOKE = "key.revoke"
    SCHEMA_ADD = "schema.add"
    SCHEMA_RETIRE = "schema.retire"
    PERSONAL_READ = "personal.read"
    DATABASE_MIGRATE = "database.migrate"
    ROLES_PROVISION = "roles.provision"
    EVENTS_REPLAY = "events.replay"
    EVENTS_REBUILD = "events.rebuild"
    EVENTS_ENRICH = "events.enrich"
    REPAIR_APPLY = "repair.apply"
    REPAIR_UNDO = "repair.undo"
    RELEASE_ENROLL = "release.enroll"
    RELEASE_DEPLOY = "release.deploy"
    RELEASE_PASS = "release.pass"  # noqa: S105 -- a word of the log
    RELEASE_HOLD = "release.hold"
    RELEASE_UNDO = "release.undo"
    RELEASE_APPROVE = "release.approve"
    WORKERS_PAUSE = "workers.pause"
    WORKERS_RESUME = "workers.resume"
    PARTITION_DROP = "partition.drop"
    DEFAULT_EMPTY = "partition.empty_default"


def record(conn: psycopg.Connection[Any], tenant_hk: bytes, action: Action, details: dict[str, Json]) -> None:
    """Append an entry to a tenant's chain; to be called within `administer`, beside the action it records.

    Entries of one chain wait for one another until their transactions end.
    """
    conn.execute(_sql.lock_chain, {"tenant_hk": tenant_hk})
    with conn.cursor(row_factory=dict_row) as cursor:
        head = cursor.execute(_sql.head, {"tenant_hk": tenant_hk}).fetchone() or {}
    seq: int = (head["seq"] or 0) + 1
    previous: bytes = head["entry_hash"] or FIRST_HASH
    actor = acting()
    text = canonical(
        {
            "action": action.value,
            "actor": actor,
            "at": wire_time(head["now"]),
            "details": details,
            "seq": seq,
            "tenant": tenant_hk.hex(),
        }
    )
    conn.execute(
        _sql.append,
        {
            "tenant_hk": tenant_hk,
            "seq": seq,
            "recorded_at": head["now"],
            "action": action.value,
            "actor": actor,
            "record": text,
            "previous_hash": previous,
            "entry_hash": entry_hash(previous, tenant_hk, seq, text),
        },
    )


def record_personal_read(conn: psycopg.Connection[Any], tenant_hk: bytes, event_id: str) -> None:
    """That somebody is about to be shown an event's personal data; `conn` is sitevault_migrator's."""
    with administer(conn, tenant_hk):
        record(conn, tenant_hk, Action.PERSONAL_READ, {"event_id": event_id})


def record_for_the_house(conn: psycopg.Connection[Any], action: Action, details: dict[str, Json]) -> None:
    """Append what concerns every tenant, such as a migration; `conn` is sitevault_migrator's."""
    with administer(conn, HOUSE):
        record(conn, HOUSE, action, details)


def entry_hash(previous: bytes, tenant_hk: bytes, seq: int, text: str) -> bytes:
    """SHA-256 over the hash before (32 bytes), tenant (32), seq (8, big-endian) and record (UTF-8)."""
    return hashlib.sha256(previous + tenant_hk + seq.to_bytes(8, "big") + text.encode()).digest()


def canonical(value: Json) -> str:
    """The one way to write a value as JSON (RFC 8785, for values without fractions).

    Raises ValueError for a float, an integer that a double cannot hold, or half a surrogate pair.
    """
    text = json.dumps(_sorted(value), ensure_ascii=False, separators=(",", ":"))
    text.encode()  # UnicodeEncodeError, a ValueError, for what is no Unicode
    return text


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        # By UTF-16 code units, as the RFC has it; Python would compare code points.
        return {key: _sorted(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be"))}
    if isinstance(value, list):
        return [_sorted(part) for part in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > _LARGEST):
        raise ValueError(f"{value} is not a whole number that every reader of JSON reads alike")
    return value


def wire_time(moment: datetime) -> str:
    """A time as records hold it: UTC, to the millisecond."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def acting() -> str:
    """Who acts: the user of the operating system and its host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{platform.node() or 'unknown'}"
