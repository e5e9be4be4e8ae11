"""Instants as clients write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from sitevault.timestamps import event_day, read_timestamp

TEN = datetime(2026, 1, 15, 10, 0, 0, tzinfo=UTC)
TEN_AND_A_BIT = TEN.replace(microsecond=123_000)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("2026-01-15T10:00:00Z", TEN),
        ("2026-01-15T10:00:00.123Z", TEN_AND_A_BIT),
        ("2026-01-15T10:00:00.123456789Z", TEN.replace(microsecond=123_456)),
        ("2026-01-15T11:00:00+01:00", TEN),
        ("2026-01-15T11:00:00+0100", TEN),
        ("2026-01-15 10:00:00", TEN),
        ("2026-01-15T10:00:00", TEN),
        ("2026-01-15 11:00:00+01", TEN),
        ("2026-01-15 11:00:00 +01:00", TEN),
        ("2026-01-15 10:00:00 UTC", TEN),
        ("2026-01-15t10:00:00z", TEN),
        ("  2026-01-15T10:00:00Z ", TEN),
        ("2026-01-15", TEN.replace(hour=0)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("Thu, 15 Jan 2026 10:00:00 GMT", TEN),
        (1768471200, TEN),
        (1768471200.123, TEN_AND_A_BIT),
        (1768471200123, TEN_AND_A_BIT),
        (1768471200123000, TEN_AND_A_BIT),
        (1768471200123000000, TEN_AND_A_BIT),
        ("1768471200", TEN),
        ("1768471200.123", TEN_AND_A_BIT),
        ("1768471200123", TEN_AND_A_BIT),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("2099-12-31T23:59:59Z", datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_this_is_read_as_that_instant(sent: object, meant: datetime) -> None:
    assert read_timestamp(sent) == meant


@pytest.mark.parametrize(
    "sent",
    [
        None, True, False, "", "  ", "yesterday", "2026-13-45", "2026-02-30T10:00:00Z", "25:00", [], {},
        [1768471200], float("nan"), float("inf"), 1e300, 10**400, -(10**400), "9" * 65, "20260", "٢٠٢٦-٠١-١٥", "²",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "null", "Mon", b"2026-01-15",
    ],
    ids=repr,
)  # fmt: skip
def test_this_is_no_instant(sent: object) -> None:
    assert read_timestamp(sent) is None


def test_an_instant_is_always_given_in_utc() -> None:
    for sent in ("2026-01-15T11:00:00+01:00", "2026-01-15 10:00:00", 1768471200, "Thu, 15 Jan 2026 10:00:00 GMT"):
        moment = read_timestamp(sent)
        assert moment is not None
        assert moment.tzinfo is UTC


def test_the_day_of_an_event_is_the_utc_day_in_its_id() -> None:
    last_millisecond = int(datetime(2026, 1, 15, 23, 59, 59, 999_000, tzinfo=UTC).timestamp() * 1000)
    assert event_day(UUID(int=last_millisecond << 80)) == date(2026, 1, 15)
    assert event_day(UUID(int=(last_millisecond + 1) << 80)) == date(2026, 1, 16)
