"""A batch as a list of events: within bounds, and a bad one costs only itself."""

from __future__ import annotations

import tracemalloc

import pytest

from sitevault.collector import door
from sitevault.collector.answers import RefusedError
from sitevault.collector.protocols.track import read_batch
from sitevault.config import Config
from sitevault.reasons import Reason

CONFIG = Config()
ENVELOPES = (b"[%b]", b' {"events": [ %b ]}', b'{"api_key":"[{","batch":[%b]}')


def nested(levels: int) -> bytes:
    return b'{"a":[' * levels + b'"\\"]}"' + b"]}" * levels


def refused(body: bytes) -> Reason:
    with pytest.raises(RefusedError) as raised:
        read_batch(body, CONFIG)
    return raised.value.reason


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("levels", [17, 600, 20_000])
def test_an_event_nested_too_deep_costs_only_itself(envelope: bytes, levels: int):
    good = [b'{"title":"[[{{\\"[","at":[[1]]}', nested(16)]
    events = [good[0], nested(levels), good[1], b"7", nested(levels), good[0]]
    assert read_batch(envelope % b",".join(events), CONFIG).entries == [
        good[0],
        Reason.JSON_TOO_DEEP,
        good[1],
        Reason.EVENT_NOT_AN_OBJECT,
        Reason.JSON_TOO_DEEP,
        good[0],
    ]


def test_what_is_not_json_beside_a_deep_event_refuses_the_batch():
    deep = nested(5_000)
    assert refused(b"[%b,{]" % deep) is Reason.JSON_MALFORMED
    assert refused(b"[%b,{'a':1}]" % deep) is Reason.JSON_MALFORMED
    assert refused(b"[%b" % deep) is Reason.JSON_MALFORMED
    assert refused(b"[{}," + b'{"a":' * 5_000) is Reason.JSON_MALFORMED
    assert refused(b'[{"a":' + b"[" * 5_000 + b"]" * 4_999 + b"}}]") is Reason.JSON_MALFORMED
    assert refused(b"[" * 1_000_000) is Reason.JSON_TOO_DEEP


@pytest.mark.parametrize("item", [b"1", b"{}", b'""', b"[]"])
def test_five_megabytes_of_nothing_are_refused_without_being_built(item: bytes):
    body = b"[%b]" % b",".join([item] * (CONFIG.max_body_bytes // (len(item) + 1)))
    refused(b"[%b]" % b",".join([item] * 1_001))  # what is prepared once
    tracemalloc.start()
    try:
        assert refused(body) is Reason.BATCH_TOO_LARGE
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_the_most_events_are_taken_and_one_more_is_not():
    most = CONFIG.max_batch_events
    assert read_batch(b"[" + b"{}," * (most - 1) + b"{}]", CONFIG).entries == [b"{}"] * most
    assert refused(b"[" + b"{}," * most + b"{}]") is Reason.BATCH_TOO_LARGE


def test_a_body_that_is_shallow_enough_is_not_cut():
    body = b'[%b, {"b": "}]"}, []]' % nested(4)
    assert door.cut_depths(body, 9) == body
    assert door.cut_depths(body, 3) == b'[{"a":[{}]}, {"b": "}]"}, []]'
