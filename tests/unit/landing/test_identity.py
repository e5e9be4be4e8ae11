"""The id an event has for ever."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import RFC_4122, UUID

import pytest

from sitevault.hashkeys import encode_part, tenant_key
from sitevault.landing.identity import event_day, event_identity, identity_of, read_identity

SPA, OTHER = tenant_key("the-one-spa"), tenant_key("test-company")
RECEIVED = datetime(2026, 1, 15, 10, 0, 1, tzinfo=UTC)
OCCURRED = datetime(2026, 1, 15, 9, 59, 58, 593_205, tzinfo=UTC)
LATE_DAYS = 30


def identity(client_id: str | None = "evt-1", occurred: datetime | None = OCCURRED, **given: Any) -> UUID:
    values = {"tenant_hk": SPA, "received": RECEIVED, "late_days": LATE_DAYS} | given
    return event_identity(client_id=client_id, occurred=occurred, **values)


def of(payload: Any, received: datetime = RECEIVED) -> UUID:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return identity_of(raw, SPA, received, LATE_DAYS)


def milliseconds(event_id: UUID) -> int:
    return event_id.int >> 80


def test_an_id_is_laid_out_as_rfc_9562_says() -> None:
    event_id = identity()
    digest = int.from_bytes(hashlib.sha256(b"\x01" + SPA + encode_part("evt-1")).digest()[:10], "big")
    assert (event_id.version, event_id.variant) == (7, RFC_4122)
    assert milliseconds(event_id) == 1768471198593
    assert event_id.int >> 64 & 0xFFF == digest >> 62 & 0xFFF
    assert event_id.int & (1 << 62) - 1 == digest & (1 << 62) - 1


def test_the_same_event_sent_twice_has_the_same_id() -> None:
    assert identity(received=RECEIVED) == identity(received=RECEIVED + timedelta(hours=30))


def test_another_tenants_event_with_the_same_id_is_another_event() -> None:
    assert identity() != identity(tenant_hk=OTHER)


def test_without_a_client_id_every_event_is_a_new_one() -> None:
    assert len({identity(client_id=None) for _ in range(100)}) == 100


def test_without_a_client_id_the_time_is_still_the_events_own() -> None:
    assert milliseconds(identity(client_id=None)) == milliseconds(identity())


def test_without_any_time_a_client_id_holds_for_the_day_it_was_received() -> None:
    morning, evening = RECEIVED.replace(hour=0), RECEIVED.replace(hour=23, minute=59)
    assert identity(occurred=None, received=morning) == identity(occurred=None, received=evening)
    assert identity(occurred=None, received=evening) != identity(
        occurred=None, received=evening + timedelta(hours=1)
    )
    assert milliseconds(identity(occurred=None)) == 1768435200000


def test_without_id_and_time_the_time_is_when_it_was_received() -> None:
    assert milliseconds(identity(client_id=None, occurred=None)) == 1768471201000


@pytest.mark.parametrize(
    ("away", "believed"),
    [
        (timedelta(days=LATE_DAYS), True),
        (timedelta(days=LATE_DAYS, seconds=1), False),
        (timedelta(days=-1), True),
        (timedelta(days=-1, seconds=-1), False),
    ],
)
def test_a_time_is_believed_up_to_late_days_back_and_a_day_ahead(away: timedelta, believed: bool) -> None:
    event_id = identity(occurred=RECEIVED - away)
    assert (event_day(event_id) == (RECEIVED - away).date()) is believed
    assert believed or event_day(event_id) == RECEIVED.date()


def test_the_day_is_in_the_id() -> None:
    assert event_day(identity(occurred=datetime(2026, 1, 1, 0, 0, 0, tzinfo=UTC))) == date(2026, 1, 1)


@pytest.mark.parametrize("key", ["event_id", "message_id", "messageId", "id"])
def test_a_client_id_is_found_at_the_top(key: str) -> None:
    assert of({key: "evt-1", "timestamp": OCCURRED.isoformat()}) == identity()


def test_a_client_id_and_time_are_found_in_event_data() -> None:
    assert of({"event_data": {"event_id": "evt-1", "timestamp": OCCURRED.isoformat()}}) == identity()


@pytest.mark.parametrize("key", ["timestamp", "occurred_at", "occurredAt", "ts", "originalTimestamp", "time"])
def test_a_time_is_found_at_the_top(key: str) -> None:
    assert of({"id": "evt-1", key: OCCURRED.isoformat()}) == identity()


def test_the_first_path_that_holds_something_usable_wins() -> None:
    payload = {"event_id": None, "messageId": "", "id": "evt-1", "timestamp": "soon", "ts": OCCURRED.isoformat()}
    assert of(payload) == identity()


def test_a_number_is_an_id_and_a_bool_is_not() -> None:
    at = OCCURRED.isoformat()
    assert of({"id": 17, "ts": at}) == of({"id": "17", "ts": at}) == identity("17")
    assert of({"id": True, "ts": at}) != of({"id": True, "ts": at})


def test_all_of_a_long_id_counts() -> None:
    at = OCCURRED.isoformat()
    assert of({"id": "x" * 5000 + "a", "ts": at}) != of({"id": "x" * 5000 + "b", "ts": at})


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"[]", b"null", b"{", b"\xff", b'{"id": [1, {}], "timestamp": {"a": 1}, "event_data": [1, 2]}',
        b'{"event_data": "text", "ts": [[]]}', b'{"id": 1.5}', b'{"id": ' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_whatever_the_payload_it_gets_an_id(payload: bytes) -> None:
    assert of(payload).version == 7


def test_bytes_and_their_decoded_object_have_one_identity() -> None:
    payload = {"messageId": 5, "time": 1768471198.593, "event_data": {"event_id": "no", "timestamp": "no"}}
    client_id, occurred = read_identity(payload)
    assert of(payload) == identity(client_id, occurred)


def test_a_time_of_1970_or_2099_is_not_believed() -> None:
    for sent in ("1970-01-01T00:00:00Z", "2099-01-01T00:00:00Z", 0):
        assert event_day(of({"id": "a", "timestamp": sent})) == RECEIVED.date()
