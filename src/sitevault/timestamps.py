"""Instants as clients write them, and the day an event id carries.

A leaf, because landing (the event's identity) and staging (its time) must read the same text the same way.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = EPOCH.toordinal()
_DAY_MS = 86_400_000
_LONGEST = 64
# A number's size says its unit: 1e11 seconds is the year 5138, 1e11 milliseconds is 1973, and so on upwards.
_MICROSECONDS_PER_UNIT = ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1), (1e20, 0))
_DIGITS_OF_A_SECOND = 9


def read_timestamp(value: Any) -> datetime | None:
    """The instant a client wrote, in UTC; None for whatever is not one. Never raises.

    Reads ISO 8601 (without an offset it is UTC), seconds, milliseconds, microseconds or nanoseconds since
    1970 as a number or as digits, and HTTP dates (RFC 9110). A bool is not a number.
    """
    if type(value) is str:
        try:
            return _in_utc(datetime.fromisoformat(value))
        except (ValueError, OverflowError):
            return _read_unusual(value)
    if type(value) is int or type(value) is float:
        return _from_number(value)
    return None


def event_day(event_id: UUID) -> date:
    """The UTC day in an event id (UUIDv7): the partition the event lives in."""
    return date.fromordinal(_EPOCH_ORDINAL + (event_id.int >> 80) // _DAY_MS)


def _from_number(value: int | float) -> datetime | None:
    try:
        size = abs(value)
        for limit, factor in _MICROSECONDS_PER_UNIT:
            if size < limit:
                exact = round(value * factor) if factor else int(value) // 1000
                return EPOCH + timedelta(microseconds=exact)
    except (OverflowError, ValueError):  # a year past 9999, an infinity
        return None
    return None


def _read_unusual(text: str) -> datetime | None:
    text = text.strip()
    if not text or len(text) > _LONGEST or not text.isascii():
        return None
    digits = text.removeprefix("-").replace(".", "", 1)
    if digits.isdigit():
        return _from_number(float(text) if "." in text else int(text)) if _is_epoch(text) else None
    try:
        return _in_utc(datetime.fromisoformat(_tidied(text)))
    except (ValueError, OverflowError):
        return _from_http_date(text)


def _is_epoch(text: str) -> bool:
    return len(text.partition(".")[0]) >= _DIGITS_OF_A_SECOND


def _tidied(text: str) -> str:
    """The spellings of ISO 8601 that Python does not read: a zone by name, lower case, a leap second."""
    text = text.upper()
    for name in (" UTC", " GMT", " Z"):
        text = text.removesuffix(name)
    return text.replace(":60", ":59").replace(" +", "+")


def _from_http_date(text: str) -> datetime | None:
    if not text[:3].isalpha():
        return None
    try:
        return _in_utc(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
