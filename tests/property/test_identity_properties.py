"""What holds of every event id, whatever a client sends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

from hypothesis import given
from hypothesis import strategies as st

from sitevault.landing.identity import event_day, event_identity, identity_of, read_identity
from sitevault.timestamps import read_timestamp

received_times = st.timedeltas(timedelta(), timedelta(days=25_000)).map(
    lambda since: datetime(2020, 1, 1, tzinfo=UTC) + since
)
any_times = st.datetimes(timezones=st.just(UTC))
tenants = st.binary(min_size=32, max_size=32)
client_ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | any_times.map(str)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
known_keys = st.sampled_from(
    ["event_id", "message_id", "messageId", "id", "timestamp", "occurred_at", "ts", "time", "event_data"]
)
payloads = st.dictionaries(known_keys | st.text(), json_values)


@given(tenants, st.none() | client_ids, st.none() | any_times, received_times, st.integers(1, 3650))
def test_every_id_is_a_valid_version_7(tenant, client_id, occurred, received, late_days) -> None:
    event_id = event_identity(tenant, client_id, occurred, received, late_days)
    assert event_id.version == 7
    assert event_id.variant == RFC_4122
    assert received.date() - timedelta(late_days) <= event_day(event_id) <= received.date() + timedelta(1)


@given(tenants, client_ids, received_times, st.integers(1, 3650))
def test_a_client_id_and_a_time_give_one_id_whenever_it_arrives(tenant, client_id, received, late_days) -> None:
    later = received + timedelta(days=late_days)
    assert event_identity(tenant, client_id, received, received, late_days) == event_identity(
        tenant, client_id, received, later, late_days
    )


@given(tenants, tenants, client_ids, received_times)
def test_tenants_never_share_an_id(one, other, client_id, received) -> None:
    same = event_identity(one, client_id, received, received, 30) == event_identity(
        other, client_id, received, received, 30
    )
    assert same == (one == other)


@given(
    tenants, client_ids, client_ids, received_times, st.timedeltas(timedelta(milliseconds=1), timedelta(days=20))
)
def test_ids_sort_as_the_events_happened(tenant, first_id, second_id, moment, between) -> None:
    received = moment + between
    first = event_identity(tenant, first_id, moment, received, 30)
    second = event_identity(tenant, second_id, received, received, 30)
    assert first < second


@given(payloads, tenants, received_times)
def test_any_object_gets_an_id_and_bytes_agree_with_the_object(payload, tenant, received) -> None:
    raw = json.dumps(payload, allow_nan=False, default=str) if _is_json(payload) else "{}"
    decoded = json.loads(raw)
    client_id, occurred = read_identity(decoded)
    event_id = identity_of(raw.encode(), tenant, received, 30)
    assert event_id.version == 7
    if client_id is not None and _is_plain(raw):
        assert event_id == event_identity(tenant, client_id, occurred, received, 30)


@given(json_values | st.binary() | st.text(alphabet="0123456789-+:.TZ GMTJan,") | st.integers() | st.floats())
def test_the_reader_of_instants_never_raises(value) -> None:
    moment = read_timestamp(value)
    assert moment is None or moment.tzinfo is UTC


@given(any_times)
def test_an_iso_instant_is_read_exactly(moment: datetime) -> None:
    assert read_timestamp(moment.isoformat()) == moment
    assert read_timestamp(moment.isoformat().replace("+00:00", "Z")) == moment


def _is_json(payload: object) -> bool:
    try:
        json.dumps(payload, allow_nan=False)
    except ValueError:
        return False
    return True


def _is_plain(raw: str) -> bool:
    """Without what the door refuses: half a surrogate pair."""
    return "\\ud" not in raw
