"""The id an event has for ever: a UUIDv7 (RFC 9562) computed from its own time and its client's id.

The same event sent twice gets the same id, so the vault finds duplicates exactly and with an index that
stays local. Where the id's time comes from is fixed for every tenant: an override would break that.

Limit: a client id without a believable time gets midnight (UTC) of the day it was received, so such an event
is recognised as a duplicate within that day only.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import msgspec

from sitevault.hashkeys import SPEC_VERSION, encode_part
from sitevault.timestamps import EPOCH, event_day, read_timestamp

__all__ = [
    "ID_PATHS",
    "TIME_PATHS",
    "event_day",
    "event_identity",
    "identity_of",
    "read_identity",
    "wire_identity",
]

ID_PATHS = ("event_id", "message_id", "messageId", "id", "event_data.event_id")
TIME_PATHS = (
    "timestamp",
    "occurred_at",
    "occurredAt",
    "ts",
    "originalTimestamp",
    "time",
    "event_data.timestamp",
)
AHEAD = timedelta(days=1)
_DAY_MS = 86_400_000
_RANDOM_BYTES = 10
_MS_BITS = (1 << 48) - 1


class _Nested(msgspec.Struct, gc=False):
    event_id: Any = None
    timestamp: Any = None


class _Sent(msgspec.Struct, gc=False):
    """Only what identity needs of a payload; the rest is skipped, which is a third of a full decode."""

    event_id: Any = None
    message_id: Any = None
    messageId: Any = None
    id: Any = None
    timestamp: Any = None
    occurred_at: Any = None
    occurredAt: Any = None
    ts: Any = None
    originalTimestamp: Any = None
    time: Any = None
    event_data: msgspec.Raw = msgspec.Raw(b"null")


_decode_sent = msgspec.json.Decoder(_Sent).decode
_decode_nested = msgspec.json.Decoder(_Nested).decode


def event_identity(
    tenant_hk: bytes, client_id: str | None, occurred: datetime | None, received: datetime, late_days: int
) -> UUID:
    """The event's id: its time in milliseconds, then 74 bits of SHA-256(version, tenant, client's id).

    Without a client id those bits are random. A time is believed up to `late_days` back and a day ahead of
    `received` (both with a time zone).
    """
    return UUID(int=_identity(tenant_hk, client_id, occurred, received, late_days))


def _identity(
    tenant_hk: bytes, client_id: str | None, occurred: datetime | None, received: datetime, late_days: int
) -> int:
    if occurred is not None and -AHEAD <= received - occurred <= _days(late_days):
        ms = _milliseconds(occurred)
    elif client_id is None:
        ms = _milliseconds(received)
    else:
        ms = _milliseconds(received) // _DAY_MS * _DAY_MS
    if client_id is None:
        rest = int.from_bytes(os.urandom(_RANDOM_BYTES), "big")
    else:
        digest = hashlib.sha256(SPEC_VERSION + tenant_hk + encode_part(client_id)).digest()
        rest = int.from_bytes(digest[:_RANDOM_BYTES], "big")
    # 48 bits of time, version 7, 12 bits, variant 2 (binary 10), 62 bits
    return (
        (ms & _MS_BITS) << 80 | 0x7 << 76 | (rest >> 62 & 0xFFF) << 64 | 0x2 << 62 | rest & 0x3FFF_FFFF_FFFF_FFFF
    )


def identity_of(payload: bytes, tenant_hk: bytes, received: datetime, late_days: int) -> UUID:
    """The id of an event as it was received; a payload that is not a JSON object gets a random one."""
    return UUID(bytes=wire_identity(payload, tenant_hk, received, late_days))


def wire_identity(payload: bytes, tenant_hk: bytes, received: datetime, late_days: int) -> bytes:
    """The same as its 16 bytes; to make a UUID of them and bytes of it again takes a microsecond."""
    client_id, occurred = _sent_identity(payload)
    return _identity(tenant_hk, client_id, occurred, received, late_days).to_bytes(16, "big")


def _sent_identity(payload: bytes) -> tuple[str | None, datetime | None]:
    try:
        sent = _decode_sent(payload)
    except msgspec.MsgspecError:
        return None, None
    client_id = _first_id((sent.event_id, sent.message_id, sent.messageId, sent.id))
    occurred = _first_time(
        (sent.timestamp, sent.occurred_at, sent.occurredAt, sent.ts, sent.originalTimestamp, sent.time)
    )
    if client_id is None or occurred is None:
        nested = _nested(sent.event_data)
        client_id = _first_id((nested.event_id,)) if client_id is None else client_id
        occurred = read_timestamp(nested.timestamp) if occurred is None else occurred
    return client_id, occurred


def read_identity(payload: Mapping[str, Any]) -> tuple[str | None, datetime | None]:
    """The client's id and time of a decoded event; each is None where there is none."""
    return _first_id(_values(payload, ID_PATHS)), _first_time(_values(payload, TIME_PATHS))


def _values(payload: Mapping[str, Any], paths: tuple[str, ...]) -> tuple[Any, ...]:
    inner = payload.get("event_data")
    nested: Mapping[str, Any] = inner if isinstance(inner, dict) else {}
    return tuple(
        nested.get(path.removeprefix("event_data.")) if path.startswith("event_data.") else payload.get(path)
        for path in paths
    )


def _nested(raw: msgspec.Raw) -> _Nested:
    try:
        return _decode_nested(raw)
    except msgspec.MsgspecError:  # event_data may be anything; then it names nothing
        return _Nested()


def _first_id(candidates: tuple[Any, ...]) -> str | None:
    """The first that is a string or a whole number. However long it is, all of it is hashed."""
    for value in candidates:
        if type(value) is str and value:
            # half a surrogate pair has no UTF-8; the door refuses it, and this must not raise
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        if type(value) is int:
            return str(value)
    return None


def _first_time(candidates: tuple[Any, ...]) -> datetime | None:
    for value in candidates:
        if value is not None and (moment := read_timestamp(value)) is not None:
            return moment
    return None


def _milliseconds(moment: datetime) -> int:
    since = moment - EPOCH
    return since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000


@cache
def _days(number: int) -> timedelta:
    return timedelta(days=number)
