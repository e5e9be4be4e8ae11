"""Which payload path supplies which field."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from landed import PAGE_VIEW, RULES, SECRET, TENANT, codes, findings, landed, page_view, page_view_with, stage
from sitevault.hashkeys import pseudonym
from sitevault.landing.identity import TIME_PATHS
from sitevault.staging.mapping import FIELDS, FieldMapping
from sitevault.staging.model import StagedEvent, TenantRules
from sitevault.staging.stage import Stager

VALUES: dict[str, Any] = {"flag": True, "size": "800x600", "time": "2026-01-15T09:00:00Z"}
ALL_PATHS = [(field.name, path) for field in FIELDS.values() for path in field.paths]


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def properties(event: StagedEvent) -> Any:
    return None if event.properties is None else json.loads(event.properties)


@pytest.mark.parametrize(("field", "path"), ALL_PATHS, ids=lambda text: text)
def test_every_declared_path_supplies_its_field_and_leaves_nothing_behind(field: str, path: str) -> None:
    value = VALUES.get(FIELDS[field].kind, "a value")
    mapping = FieldMapping()
    mapped = mapping.take(nested(path, value))
    assert mapped.values == {field: value}
    assert mapped.rest == {}
    assert json.loads(mapping.path_set(mapped.paths).paths) == {field: path}


@pytest.mark.parametrize("field", list(FIELDS))
def test_the_first_of_the_paths_wins(field: str) -> None:
    value = VALUES.get(FIELDS[field].kind, "first")
    first, *others = (path for path in FIELDS[field].paths if "." not in path or path.startswith("event_data."))
    payload: dict[str, Any] = {"event_data": {}}
    for path in [*others, first]:
        place = payload["event_data"] if path.startswith("event_data.") else payload
        place[path.removeprefix("event_data.")] = (
            value if path == first else VALUES.get(FIELDS[field].kind, "later")
        )
    mapping = FieldMapping()
    mapped = mapping.take(payload)
    assert mapped.values[field] == value
    assert json.loads(mapping.path_set(mapped.paths).paths)[field] == first


def test_no_path_is_declared_for_two_fields() -> None:
    paths = [path for _, path in ALL_PATHS]
    assert len(paths) == len(set(paths))


def test_the_time_is_read_from_the_paths_the_identity_is_made_from() -> None:
    assert FIELDS["occurred_at"].paths == TIME_PATHS


def test_every_declared_field_says_what_it_is() -> None:
    assert all(re.fullmatch(r"[A-Z].*\.", field.about) for field in FIELDS.values())


def test_the_table_explains_its_kinds() -> None:
    text = (Path(FieldMapping.__init__.__code__.co_filename).with_name("mapping.toml")).read_text("utf-8")
    header = text.partition("\n[")[0]
    assert {field.kind for field in FIELDS.values()} <= set(re.findall(r"(\w+): ", header))


def test_the_paths_used_are_recorded_by_their_hash() -> None:
    batch = Stager().stage_batch([landed(PAGE_VIEW)], {TENANT: RULES})
    paths = {
        "event_type": "event_type",
        "occurred_at": "timestamp",
        "page_title": "event_data.page_title",
        "page_url": "page_url",
        "session_id": "event_data.session_id",
        "visitor_id": "event_data.visitor_id",
    }
    canonical = msgspec.json.encode(paths, order="sorted")
    mapping_hk = hashlib.sha256(canonical).digest()[:16]
    assert batch.staged[0].mapping_hk == mapping_hk
    assert batch.mapping_path_sets == {(TENANT, mapping_hk): canonical}


def test_the_order_of_keys_in_a_payload_does_not_change_the_mapping_set() -> None:
    backwards = dict(reversed(PAGE_VIEW.items()))
    assert stage(PAGE_VIEW).mapping_hk == stage(backwards).mapping_hk


def test_a_tenants_own_path_comes_before_the_declared_ones() -> None:
    rules = TenantRules(TENANT, SECRET, mapping={"session_id": ["visit.token", "sid"]})
    payload = page_view(visit={"token": "own"}, sid="second")
    event = stage(payload, rules=rules)
    assert event.session_id == "own"
    assert properties(event) == {"sid": "second", "event_data": {"session_id": "s-1"}}


def test_a_tenants_own_path_leaves_the_declared_ones_standing() -> None:
    rules = TenantRules(TENANT, SECRET, mapping={"session_id": ["sid"]})
    assert stage(PAGE_VIEW, rules=rules).session_id == "s-1"


def test_changed_rules_of_a_tenant_take_effect_with_the_next_batch() -> None:
    stager = Stager()
    payload = page_view(sid="own")
    assert stage(payload, stager=stager).session_id == "s-1"
    changed = TenantRules(TENANT, SECRET, mapping={"session_id": ["sid"]})
    assert stage(payload, rules=changed, stager=stager).session_id == "own"


def test_one_tenants_mapping_does_not_touch_another_tenant() -> None:
    other = TenantRules(bytes(32), SECRET)
    rules = {TENANT: TenantRules(TENANT, SECRET, mapping={"session_id": ["sid"]}), other.tenant_hk: other}
    payload = page_view(sid="own")
    batch = Stager().stage_batch([landed(payload), landed(payload, tenant_hk=other.tenant_hk)], rules)
    assert [event.session_id for event in batch.staged] == ["own", "s-1"]


@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_an_empty_value_gives_way_to_the_next_path(nothing: object) -> None:
    event = stage(PAGE_VIEW | {"session_id": nothing})
    assert event.session_id == "s-1"
    assert codes(event) == []


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(12345, "12345"), (12345.0, "12345"), (1.5, "1.5"), (-7, "-7"), (0, "0"), (10**30, "1" + "0" * 30)],
)
def test_a_number_becomes_the_text_of_an_id(sent: float, kept: str) -> None:
    assert stage(page_view_with(session_id=sent)).session_id == kept


@pytest.mark.parametrize("wrong", [True, False, {"id": 1}, ["s-1"]])
def test_a_value_of_another_type_leaves_the_field_empty_and_is_noted(wrong: object) -> None:
    event = stage(page_view_with(session_id=wrong))
    assert event.session_id is None
    assert ("validate.field_type_unexpected", "session_id") in findings(event)
    assert properties(event) == {"event_data": {"session_id": wrong}}


def test_a_value_of_another_type_gives_way_to_a_good_one() -> None:
    event = stage(page_view(session_id={"id": 1}))
    assert event.session_id == "s-1"
    assert codes(event) == []


@pytest.mark.parametrize(("field", "limit"), [("session_id", 256), ("page_title", 512)])
def test_a_value_longer_than_its_limit_is_cut_and_noted(field: str, limit: int) -> None:
    event = stage(page_view_with(**{field: "x" * (limit + 1)}))
    assert getattr(event, field) == "x" * limit
    assert findings(event) == [("validate.field_truncated", field)]


def test_a_value_as_long_as_its_limit_is_whole() -> None:
    event = stage(page_view_with(page_title="x" * 512))
    assert event.page_title == "x" * 512
    assert codes(event) == []


def test_what_no_field_takes_stays_where_it_stood() -> None:
    payload = page_view(plan="pro", event_data=PAGE_VIEW["event_data"] | {"scroll": 50, "at": {"x": [1, None]}})
    assert properties(stage(payload)) == {"plan": "pro", "event_data": {"scroll": 50, "at": {"x": [1, None]}}}


def test_an_event_that_is_all_fields_has_no_properties() -> None:
    assert stage(PAGE_VIEW).properties is None


def test_the_user_id_is_kept_only_as_a_pseudonym() -> None:
    payload = page_view(
        user_id="jane", userId="jane", email="jane@example.com", owner="jane", note=["jane", {"jane": 1}]
    )
    event = stage(payload)
    hidden = pseudonym(SECRET, "jane")
    assert event.user_bk == hidden
    assert properties(event) == {"owner": hidden, "note": [hidden, {hidden: 1}]}
    assert b"jane" not in msgspec.json.encode(event)


def test_an_address_that_was_not_taken_is_not_kept_either() -> None:
    event = stage(
        page_view(ip="198.51.100.9", event_data=PAGE_VIEW["event_data"] | {"ip_address": "198.51.100.9"})
    )
    assert b"100.9" not in msgspec.json.encode(event)


@pytest.mark.parametrize("sent", FIELDS["event_type"].synonyms["page_view"])
def test_every_name_of_a_page_view_is_staged_as_page_view(sent: str) -> None:
    assert stage(page_view(event_type=sent)).event_type == "page_view"


def test_a_segment_track_call_is_read_whole() -> None:
    payload = {
        "type": "track",
        "event": "Order Completed",
        "messageId": "ajs-1",
        "anonymousId": "anon-1",
        "userId": 97980,
        "originalTimestamp": "2026-01-15T09:59:59Z",
        "sentAt": "2026-01-15T10:00:01Z",
        "properties": {"total": 27.5},
        "context": {
            "page": {
                "url": "https://shop.example.com/done?x=1",
                "title": "Done",
                "referrer": "https://google.com/",
            },
            "campaign": {"source": "spring", "medium": "email"},
            "locale": "en-GB",
            "ip": "198.51.100.9",
            "library": {"name": "analytics.js"},
        },
    }
    event = stage(payload)
    assert (event.event_type, event.visitor_id, event.page_title) == ("Order Completed", "anon-1", "Done")
    assert (event.page_url, event.page_query) == ("https://shop.example.com/done", "x=1")
    assert (event.utm_source, event.channel, event.language) == ("spring", "email", "en-GB")
    assert event.client_ip == "198.51.100.0"
    assert properties(event) == {
        "type": "track",
        "messageId": "ajs-1",
        "properties": {"total": 27.5},
        "context": {"library": {"name": "analytics.js"}},
    }


def test_a_plausible_page_view_is_read() -> None:
    event = stage(
        {"name": "pageview", "url": "https://example.com/a", "referrer": "https://t.co/x", "domain": "e"}
    )
    assert (event.event_type, event.page_url, event.source) == ("page_view", "https://example.com/a", "x")


def test_a_screen_may_be_an_object() -> None:
    assert stage(page_view(screen={"width": 390, "height": 844})).screen == "390x844"
