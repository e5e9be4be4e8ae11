"""A batch: each event staged or failed, steps timed, failures kept apart."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from landed import PAGE_VIEW, RULES, SECRET, TENANT, codes, findings, landed, page_view, page_view_with, stage
from sitevault.hashkeys import GHOST, hash_key, pseudonym, tenant_key
from sitevault.staging import stage as room
from sitevault.staging.draft import Draft
from sitevault.staging.model import LandedEvent, StagedEvent, TenantRules
from sitevault.staging.stage import Stager
from sitevault.staging.steps import STEPS, Step

ENRICHMENTS = [step for step in STEPS if step.fills is not None]
OTHERS = [step for step in STEPS if step.fills is None]


def batch_of(count: int) -> list[LandedEvent]:
    return [landed(page_view(event_id=f"e{number}"), number=number) for number in range(count)]


def throwing(step: Step, events: set[int]) -> Step:
    def run(draft: Draft) -> None:
        step.run(draft)
        if draft.landed.raw_event_id in events:
            raise RuntimeError("a secret of the payload")

    return step._replace(run=run)


@pytest.fixture
def break_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[Step, set[int]], None]:
    """Makes one step raise, after it did its work, on the events with these ids."""

    def breaking(broken: Step, events: set[int]) -> None:
        steps = tuple(throwing(step, events) if step is broken else step for step in STEPS)
        monkeypatch.setattr(room, "STEPS", steps)

    return breaking


def test_a_batch_comes_out_whole_and_in_order() -> None:
    events = batch_of(600)
    batch = Stager().stage_batch(events, {TENANT: RULES})
    assert [event.raw_event_id for event in batch.staged] == [event.raw_event_id for event in events]
    assert batch.failed == []


def test_an_empty_batch_is_an_empty_batch() -> None:
    batch = Stager().stage_batch([], {})
    assert (batch.staged, batch.failed, batch.mapping_path_sets) == ([], [], {})


@pytest.mark.parametrize("step", ENRICHMENTS, ids=lambda step: step.name)
def test_an_enrichment_that_throws_costs_its_fields_and_not_the_event(
    step: Step, break_step: Callable[[Step, set[int]], None]
) -> None:
    first, second = batch_of(2)
    untouched = Stager().stage_batch([first, second], {TENANT: RULES}).staged
    break_step(step, {first.raw_event_id})
    batch = Stager().stage_batch([first, second], {TENANT: RULES})
    partial, whole = batch.staged
    assert batch.failed == []
    assert partial.enrichment_status == "PARTIAL"
    assert ("enrich.step_failed", step.name) in findings(partial)
    assert step.fills is not None
    blank = {field.name: field.default for field in msgspec.structs.fields(StagedEvent)}
    assert {column: getattr(partial, column) for column in step.fills} == {
        name: blank[name] for name in step.fills
    }
    assert whole == untouched[1]


@pytest.mark.parametrize("step", OTHERS, ids=lambda step: step.name)
def test_a_step_that_throws_fails_its_event_and_no_other(
    step: Step, break_step: Callable[[Step, set[int]], None]
) -> None:
    events = batch_of(5)
    break_step(step, {events[2].raw_event_id})
    batch = Stager().stage_batch(events, {TENANT: RULES})
    assert [event.raw_event_id for event in batch.staged] == [e.raw_event_id for e in events if e is not events[2]]
    [(failed, message)] = batch.failed
    assert failed is events[2]
    assert message.startswith(f"RuntimeError in {step.name} at test_stage.py:")
    assert "secret" not in message


def test_a_failed_enrichment_is_logged_once_a_batch_and_without_its_payload(
    break_step: Callable[[Step, set[int]], None], caplog: pytest.LogCaptureFixture
) -> None:
    events = batch_of(20)
    break_step(ENRICHMENTS[0], {event.raw_event_id for event in events})
    with caplog.at_level(logging.WARNING):
        Stager().stage_batch(events, {TENANT: RULES})
    [record] = caplog.records
    assert vars(record)["events"] == 20
    assert "secret" not in str(vars(record))


def test_every_step_is_timed_by_its_name() -> None:
    seconds = Stager().stage_batch(batch_of(50), {TENANT: RULES}).step_seconds
    assert list(seconds) == ["begin", *(step.name for step in STEPS)]
    assert all(value > 0 for value in seconds.values())


def test_steps_have_names_of_their_own_and_say_what_they_do() -> None:
    assert len({step.name for step in STEPS}) == len(STEPS)
    assert all(step.run.__doc__ for step in STEPS)


@pytest.mark.parametrize("payload", [b"", b"[]", b'"text"', b"null", b"{", b'{"a":', b"\xff\xfe", b"[" * 100_000])
def test_bytes_that_are_no_object_fail_with_their_error(payload: bytes) -> None:
    event = landed(payload)
    batch = Stager().stage_batch([event, landed(PAGE_VIEW, number=1)], {TENANT: RULES})
    assert [failed for failed, _ in batch.failed] == [event]
    assert len(batch.staged) == 1


def test_an_event_of_a_tenant_without_rules_fails() -> None:
    stranger = landed(PAGE_VIEW, tenant_hk=tenant_key("stranger"))
    batch = Stager().stage_batch([stranger, landed(PAGE_VIEW)], {TENANT: RULES})
    assert [event for event, _ in batch.failed] == [stranger]
    assert batch.failed[0][1].startswith("UnknownTenantError in begin")
    assert len(batch.staged) == 1


def test_rules_filed_under_another_tenant_are_refused() -> None:
    other = tenant_key("other")
    batch = Stager().stage_batch([landed(PAGE_VIEW, tenant_hk=other)], {other: RULES})
    assert len(batch.failed) == 1


def test_a_tenant_in_the_payload_is_data_and_never_identity() -> None:
    event = stage(page_view(tenant_hk="ff" * 32, tenant="test-company"))
    assert event.tenant_hk == TENANT
    assert json.loads(event.properties or b"") == {"tenant_hk": "ff" * 32, "tenant": "test-company"}


def test_hash_keys_are_those_of_the_tenant_and_the_business_keys() -> None:
    event = stage(page_view_with(user_id="jane", utm_source="a"))
    user_bk = pseudonym(SECRET, "jane")
    assert event.session_hk == hash_key("session", TENANT, "s-1")
    assert event.visitor_hk == hash_key("visitor", TENANT, "v-1")
    assert event.page_hk == hash_key("page", TENANT, "example.com/pricing")
    assert event.user_hk == hash_key("user", TENANT, user_bk)
    assert event.campaign_hk == hash_key("campaign", TENANT, "a", None, None)


def test_the_same_event_of_two_tenants_shares_no_key() -> None:
    payload = page_view_with(user_id="jane", utm_source="a")
    one, other = stage(payload), stage(payload, rules=TenantRules(tenant_key("other"), SECRET))
    for key in ("session_hk", "visitor_hk", "page_hk", "user_hk", "campaign_hk"):
        assert getattr(one, key) != getattr(other, key)


def test_what_is_missing_is_the_ghost() -> None:
    event = stage({"event_type": "ping"})
    keys = (event.session_hk, event.visitor_hk, event.page_hk, event.user_hk, event.campaign_hk)
    assert keys == (GHOST,) * 5


def test_the_same_user_is_another_pseudonym_for_a_tenant_with_another_secret() -> None:
    payload = page_view(user_id="jane@example.com")
    changed = TenantRules(TENANT, b"another secret of thirty-two bytes")
    assert stage(payload).user_bk != stage(payload, rules=changed).user_bk


@pytest.mark.parametrize(
    ("protocol", "source"),
    [("track", "http.track/1"), ("track/2", "http.track/2"), ("http.track/1", "http.track/1")],
)
def test_the_record_source_names_the_road(protocol: str, source: str) -> None:
    assert stage(PAGE_VIEW, protocol=protocol).record_source == source


def digest_of(payload: Any) -> int:
    return stage(payload).payload_digest


def test_the_digest_does_not_see_order_spacing_and_sent_at() -> None:
    original = digest_of(PAGE_VIEW)
    assert digest_of(json.dumps(PAGE_VIEW, indent=3).encode()) == original
    assert digest_of(dict(reversed(PAGE_VIEW.items()))) == original
    assert digest_of(page_view(sent_at="2026-01-15T10:00:00Z")) == original
    assert digest_of(page_view(sentAt="2026-01-15T10:00:01Z")) == original


def test_the_same_id_with_another_body_has_another_digest() -> None:
    one, other = stage(page_view(event_id="e", n=1)), stage(page_view(event_id="e", n=2))
    assert one.event_id == other.event_id
    assert one.payload_digest != other.payload_digest


def test_the_digest_is_as_documented() -> None:
    import hashlib

    raw = b'{"a":[1,2],"b":"x"}'
    first_eight = hashlib.sha256(raw).digest()[:8]
    assert digest_of(b'{ "b": "x", "a": [1, 2], "sent_at": 5 }') == int.from_bytes(first_eight, "big", signed=True)


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud800", "\\udfff"])
def test_what_postgresql_cannot_store_is_taken_out_and_noted(escape: str) -> None:
    raw = f'{{"event_type": "page_view", "page_url": "https://e.com/a{escape}b", "n{escape}": ["{escape}x"]}}'
    event = stage(raw.encode())
    assert event.page_url == "https://e.com/ab"
    assert json.loads(event.properties or b"") == {"n": ["x"]}
    assert "validate.character_removed" in codes(event)


def test_a_user_agent_header_with_a_nul_is_stored_without_it() -> None:
    assert stage(PAGE_VIEW, user_agent="Mozilla\0/5.0").user_agent == "Mozilla/5.0"


def test_a_user_agent_header_is_cut_at_its_limit() -> None:
    assert stage(PAGE_VIEW, user_agent="x" * 5000).user_agent == "x" * 1024


def test_text_that_only_speaks_of_a_nul_is_left_alone() -> None:
    event = stage(page_view(note="\\u0000"))
    assert codes(event) == []
    assert json.loads(event.properties or b"") == {"note": "\\u0000"}


def test_of_a_duplicate_key_the_last_counts() -> None:
    assert stage(b'{"event_type": "first", "event_type": "last"}').event_type == "last"
