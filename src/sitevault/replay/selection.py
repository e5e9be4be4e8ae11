"""Which events a replay is about: named by what is known of them, never by accident all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sitevault.errors import UsageError
from sitevault.timestamps import read_timestamp

EVENTS_PER_BATCH_ID = 65536

STATUSES: dict[str, tuple[str, ...]] = {
    "ERROR": ("error",),
    "INVALID": ("invalid",),
    "PENDING": ("pending",),
    "VAULTED": ("vaulted",),
    "DUPLICATE": ("duplicate", "conflict"),
    "PROCESSED": ("vaulted", "duplicate", "conflict", "invalid"),
}
"""What an operator calls a place, and the places that are meant."""


@dataclass(frozen=True)
class Selection:
    """Everything given must hold; of several values of one kind, one."""

    ids: tuple[str, ...] = ()
    """event_ids (UUID) and raw_event_ids (number)."""
    tenant_hk: bytes | None = None
    statuses: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    sqlstates: tuple[str, ...] = ()
    loads: tuple[int, ...] = ()
    received_from: datetime | None = None
    received_to: datetime | None = None
    occurred_from: datetime | None = None
    occurred_to: datetime | None = None

    @property
    def empty(self) -> bool:
        """Nothing was said, so everything would be meant."""
        return all(getattr(self, field.name) in ((), None) for field in fields(self))

    def parameters(self) -> dict[str, object]:
        """For the query `selected`. Raises UsageError for an id that is none."""
        event_ids, raw_event_ids = _sorted_out(self.ids)
        places = {place for status in self.statuses for place in STATUSES[status]}
        return {
            "tenant_hk": self.tenant_hk,
            "event_ids": event_ids or None,
            "raw_event_ids": raw_event_ids or None,
            "batch_ids": sorted({one // EVENTS_PER_BATCH_ID for one in raw_event_ids}) or None,
            "places": sorted(places) or None,
            "reason_codes": list(self.reasons) or None,
            "sqlstates": list(self.sqlstates) or None,
            "load_ids": list(self.loads) or None,
            "received_from": self.received_from,
            "received_to": self.received_to,
            "occurred_from": self.occurred_from,
            "occurred_to": self.occurred_to,
        }

    def as_dict(self) -> dict[str, Any]:
        """What was said, for the record."""
        return {name: _plain(value) for name, value in asdict(self).items() if value not in ((), None)}


def moment(text: str | None, option: str) -> datetime | None:
    """An instant as it was typed. Raises UsageError."""
    if text is None:
        return None
    read = read_timestamp(text)
    if read is None:
        raise UsageError(
            f"{option}: {text!r} is not a time.", fix="Write it as 2026-11-23T10:00:00Z; without a zone it is UTC."
        )
    return read


def _sorted_out(ids: Iterable[str]) -> tuple[list[UUID], list[int]]:
    event_ids: list[UUID] = []
    raw_event_ids: list[int] = []
    for text in ids:
        if text.isascii() and text.isdigit() and len(text) != 32 and int(text) < 1 << 63:
            raw_event_ids.append(int(text))
            continue
        try:
            event_ids.append(UUID(text))
        except ValueError:
            raise UsageError(
                f"{text!r} is neither an event_id (a UUID) nor a raw_event_id (a number).",
                fix="`sitevault trace` shows both.",
            ) from None
    if event_ids and raw_event_ids:
        raise UsageError("Name events by event_id or by raw_event_id, not by both in one replay.")
    return event_ids, raw_event_ids


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
