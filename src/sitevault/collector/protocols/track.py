"""Sitevault's own way: a JSON object per event; a batch is a list of them, or an object that holds the list."""

from __future__ import annotations

import msgspec

from sitevault.collector import door
from sitevault.collector.answers import RefusedError
from sitevault.collector.protocols import Delivery
from sitevault.config import Config
from sitevault.reasons import Reason

PROTOCOL = "track"


class _Envelope(msgspec.Struct, gc=False):
    events: msgspec.Raw = msgspec.Raw(b"null")
    batch: msgspec.Raw = msgspec.Raw(b"null")


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_one(body: bytes, config: Config) -> Delivery:
    """A body that is one event. Raises RefusedError."""
    reason = door.check(body, config)
    if reason is not None:
        raise RefusedError(reason)
    return Delivery(PROTOCOL, [body])


def read_batch(body: bytes, config: Config) -> Delivery:
    """A body that holds many events. Raises RefusedError for what is wrong with the whole of it."""
    listed = _listed(body)
    if not listed:
        raise RefusedError(Reason.BATCH_EMPTY)
    if len(listed) > config.max_batch_events:
        raise RefusedError(Reason.BATCH_TOO_LARGE)
    events = map(bytes, listed)
    return Delivery(PROTOCOL, [door.check(event, config) or event for event in events])


def _listed(body: bytes) -> list[msgspec.Raw]:
    inner: bytes | msgspec.Raw = body
    start = body.lstrip(b" \t\r\n")[:1]
    try:
        if start == b"{":
            envelope = _decode_envelope(body)
            inner = envelope.events if bytes(envelope.events) != b"null" else envelope.batch
            start = bytes(inner)[:1]
        if start != b"[":
            msgspec.json.decode(inner, type=msgspec.Raw)
            raise RefusedError(Reason.BATCH_NOT_A_LIST)
        return _decode_list(inner)
    except _UNREADABLE as error:
        raise RefusedError(door.why_malformed(body, error)) from None
