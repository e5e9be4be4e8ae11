"""A payload's bytes as a JSON object, its digest, and what of it is left over as properties."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

from sitevault.staging.mapping import Json

# A retry of the same event differs in these, so they are not part of its digest.
SENT_AT_KEYS = frozenset({"sent_at", "sentAt"})
_NUL_ESCAPE = b"\\u0000"
_decode = msgspec.json.Decoder().decode
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode
_encode = msgspec.json.Encoder().encode


def read_object(raw: bytes) -> tuple[Json, bool]:
    """The payload's JSON object, and whether characters PostgreSQL cannot store were taken out of it.

    The door refuses those characters; this holds for events landed by another road. Raises ValueError when
    the bytes are not JSON and TypeError when they are not an object.
    """
    try:
        value, clean = _decode(raw), _NUL_ESCAPE not in raw
    except msgspec.MsgspecError:
        value, clean = json.loads(raw), False
    if type(value) is not dict:
        raise TypeError("the payload is not a JSON object")
    if clean:
        return value, False
    tidy = _storable(value)
    return tidy, tidy != value


def digest(payload: Json) -> int:
    """First 8 bytes of SHA-256 of the payload without its sent_at, keys sorted, as a signed integer.

    Two payloads that say the same in another order or spacing have the same digest.
    """
    if "sent_at" in payload or "sentAt" in payload:
        payload = {key: value for key, value in payload.items() if key not in SENT_AT_KEYS}
    return int.from_bytes(hashlib.sha256(_encode_sorted(payload)).digest()[:8], "big", signed=True)


def properties(rest: Json, user_id: str | None, pseudonym: str | None) -> bytes | None:
    """What the mapping did not take, as JSON; every string that is the clear user id becomes its pseudonym."""
    if not rest:
        return None
    text = _encode(rest)
    if user_id is None or _encode(user_id) not in text:
        return text
    return _encode(_without(rest, user_id, pseudonym))


def _storable(value: Any) -> Any:
    if type(value) is str:
        return value.replace("\0", "").encode("utf-8", "ignore").decode()
    if type(value) is list:
        return [_storable(item) for item in value]
    if type(value) is dict:
        return {_storable(key): _storable(item) for key, item in value.items()}
    return value


def _without(value: Any, clear: str, pseudonym: str | None) -> Any:
    if type(value) is str:
        return pseudonym if value == clear else value
    if type(value) is list:
        return [_without(item, clear, pseudonym) for item in value]
    if type(value) is dict:
        return {
            _without(key, clear, pseudonym) or "": _without(item, clear, pseudonym) for key, item in value.items()
        }
    return value
