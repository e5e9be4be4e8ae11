"""Whatever bytes knock: a reason of the door, or JSON that PostgreSQL stores and casts to jsonb."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sitevault.collector import door
from sitevault.collector.answers import RefusedError
from sitevault.collector.limits import gunzip
from sitevault.collector.protocols import track
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.reasons import EXPLAINED, Reason

T = TypeVar("T")

CONFIG = Config()
SMALL = Config(max_json_depth=4, max_string_bytes=64, max_event_bytes=2_000, max_batch_events=5)

text = st.text(max_size=20) | st.sampled_from(
    ["\0", "\ud800", "\\u0000", "\\", '"', "e-400", "1e999", "𝄞", "\x7f"]
)
escaped = st.sampled_from(
    [
        r"\u0000",
        r"\ud800",
        r"\udc00",
        r"\ud83d\ude00",
        r"\\u0000",
        r"\\\u0000",
        r"\\ud800",
        r"\u00e9",
        r"\uD834\uDD1E",
        r"\b\/",
    ]
)
# Numbers as texts: what a JSON grammar allows is wider than what any number type holds.
digits = st.text("0123456789", min_size=1, max_size=5) | st.sampled_from(
    ["9" * 309, "1" * 1_001, "0" * 17_000 + "1"]
)
numbers = st.builds(
    lambda sign, whole, part, exponent: f"{sign}{whole.lstrip('0') or '0'}{part}{exponent}",
    st.sampled_from(["", "-"]),
    digits,
    st.just("") | digits.map(lambda after: f".{after}"),
    st.just("") | st.builds("{}{}{}".format, st.sampled_from(["e", "E", "e+", "e-", "E-"]), st.just(""), digits),
)
strings = st.lists(text.map(lambda value: json.dumps(value, ensure_ascii=False)[1:-1]) | escaped, max_size=3).map(
    lambda parts: '"' + "".join(parts) + '"'
)
scalars = (
    numbers | strings | st.sampled_from(["true", "false", "null", "NaN", "Infinity", "nul", "01", "+1", ".5", ""])
)
spaces = st.sampled_from(["", " ", "\n\t", "\r"])


def objects(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.lists(st.tuples(strings, values), max_size=4)
    return members.map(lambda found: "{" + ",".join(f"{key}:{value}" for key, value in found) + "}")


values = st.recursive(
    scalars,
    lambda inner: objects(inner) | st.lists(inner, max_size=4).map(lambda found: "[" + ",".join(found) + "]"),
    max_leaves=12,
)
documents = st.builds("{}{}{}".format, spaces, objects(values), spaces).map(
    lambda document: document.encode("utf-8", "surrogatepass")
)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A document with a few bytes changed, cut or inserted."""
    document = bytearray(draw(documents))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(document) - 1)))
        document[at : at + draw(st.integers(0, 2))] = draw(
            st.binary(max_size=2) | st.sampled_from([b'"', b"\\", b"{"])
        )
    return bytes(document)


payloads = documents | broken() | st.binary(max_size=60)


@pytest.fixture(scope="module")
def postgresql(template: Database) -> Iterator[psycopg.Connection[Any]]:
    with connect(template.admin_conninfo, autocommit=True) as conn:
        yield conn


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payload=payloads)
@example(payload=rb'{"hidden": {"\u0000": 1}, "hidden": 1}')
@example(payload=rb'{"escaped": "\\u0000"}')
@example(payload=b'{"nothing": 0e99999999}')
@example(payload=b'{"nothing": -0.0E+2147483648, "id": "a0e1234"}')
@example(payload=b'{"nothing": 0e' + b"9" * 400 + b"}")
def test_whatever_the_door_accepts_casts_to_json_and_jsonb(postgresql: psycopg.Connection[Any], payload: bytes):
    reason = door.check(payload, CONFIG)
    if reason is not None:
        assert EXPLAINED[reason].http_status in (400, 413)
        return
    row = postgresql.execute("SELECT jsonb_typeof(convert_from(%b, 'UTF8')::json::jsonb)", (payload,)).fetchone()
    assert row == ("object",)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payload=documents, before=st.integers(0, 700))
def test_numbers_that_are_not_looked_at_fit(payload: bytes, before: int):
    payload = b" " * before + payload
    if _is_json(payload) and not door.suspects_of(payload):
        assert door.numbers_fit(payload)


@pytest.mark.parametrize("before", range(620))
@pytest.mark.parametrize("number", ["1" * 309, "0." + "0" * 999, "1" * 100 + "." + "1" * 900, "0." + "1" * 309])
def test_a_long_number_is_looked_at_wherever_it_stands(number: str, before: int):
    payload = b'{"a":' + b" " * before + number.encode() + b"}"
    assert door.suspects_of(payload)


plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20)
ordinary = st.recursive(
    plain | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(found=st.dictionaries(st.text(max_size=8), ordinary, max_size=5))
def test_ordinary_json_gets_in(found: dict[str, Any]):
    payload = json.dumps(found).encode()
    has_nul = any("\0" in text for text in _texts(found))
    assert door.check(payload, CONFIG) is (Reason.JSON_NUL_CHARACTER if has_nul else None)


@settings(max_examples=300, deadline=None)
@given(payload=documents)
def test_the_limits_hold_for_whatever_gets_in(payload: bytes):
    if door.check(payload, SMALL) is not None:
        return
    assert len(payload) <= SMALL.max_event_bytes
    event = json.loads(payload)
    assert _depth(event) <= SMALL.max_json_depth
    assert max((len(found.encode()) for found in _texts(event)), default=0) <= SMALL.max_string_bytes


envelopes = st.sampled_from([b"[%b]", b'{"events":[%b]}', b'{"batch":[%b]}'])


@settings(max_examples=300, deadline=None)
@given(events=st.lists(payloads, max_size=7), envelope=envelopes)
def test_a_batch_is_its_events_in_order_or_one_reason(events: list[bytes], envelope: bytes):
    outcome = refusal_or(lambda: track.read_batch(envelope % b",".join(events), SMALL).entries)
    if isinstance(outcome, Reason):
        assert EXPLAINED[outcome].http_status in (400, 413)
        return
    assert 1 <= len(outcome) <= SMALL.max_batch_events
    for entry in outcome:
        assert isinstance(entry, Reason) or door.check(entry, SMALL) is None


@settings(max_examples=300, deadline=None)
@given(found=st.lists(ordinary, min_size=1, max_size=5), envelope=envelopes, deep=st.integers(0, 5))
def test_each_event_of_a_batch_is_judged_as_if_it_came_alone(found: list[Any], envelope: bytes, deep: int):
    events = [json.dumps(one).encode() for one in found]
    if deep < len(events):  # deeper than any decoder goes: the batch is read another way
        events[deep] = b'{"a":' * 2_000 + events[deep] + b"}" * 2_000
    outcome = track.read_batch(envelope % b",".join(events), CONFIG).entries
    assert outcome == [door.check(event, CONFIG) or event for event in events]


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=st.lists(documents.filter(lambda document: _is_json(document)), min_size=1, max_size=5))
@example(events=[rb'{"a": "\u0000"}', b'{"b": 0e99999999}', b"{}"])
@example(events=[b'{"c": 1e-400}', b'{"d": 1' + b"0" * 309 + b"}", b"{}"])
def test_an_event_is_judged_by_what_it_holds_not_by_what_its_neighbours_hold(events: list[bytes]):
    outcome = track.read_batch(b"[" + b",".join(events) + b"]", CONFIG).entries
    assert outcome == [door.check(event, CONFIG) or event for event in map(bytes.strip, events)]


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200))
def test_unpacking_never_does_more_than_refuse(body: bytes):
    outcome = refusal_or(lambda: gunzip(b"\x1f\x8b\x08" + body, 1_000))
    assert outcome in (Reason.GZIP_MALFORMED, Reason.GZIP_TOO_LARGE) or len(outcome) <= 1_000


def refusal_or(attempt: Callable[[], T]) -> T | Reason:
    try:
        return attempt()
    except RefusedError as refused:
        return refused.reason


def _is_json(payload: bytes) -> bool:
    try:
        msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [found for pair in value.items() for part in pair for found in _texts(part)]
    if isinstance(value, list):
        return [found for part in value for found in _texts(part)]
    return []


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
