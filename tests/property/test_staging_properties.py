"""What holds of staging for any JSON object."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from landed import RECEIVED, RULES, SECRET, TENANT, landed
from sitevault.hashkeys import GHOST, hash_key, tenant_key
from sitevault.reasons import Reason
from sitevault.staging.draft import Draft, PageState, TimeState
from sitevault.staging.enrich.clock import derive_time
from sitevault.staging.enrich.ip import keep_ip
from sitevault.staging.enrich.url import canonical_url, query_tags, split_url
from sitevault.staging.mapping import FIELDS
from sitevault.staging.model import TenantRules
from sitevault.staging.rules import known_verdict, verdict
from sitevault.staging.stage import Stager, blank
from sitevault.staging.suspicion import suspicions
from sitevault.staging.tenant import DOMAINS, HashKeys, Tenant

OTHER = TenantRules(
    tenant_key("other"), SECRET, "full", {"session_id": ["a.b", "url"]}, {"x": {"required": ["y"]}}
)
TENANTS = {TENANT: RULES, OTHER.tenant_hk: OTHER}
STAGER = Stager()

urls = st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https", "HTTPS", "app"]),
    st.text(st.sampled_from("aZ0.-_ü:@[]%。ß \0"), max_size=12) | st.just("example.com"),
    st.text(st.sampled_from("/aZ%2?&=#ü .\\'<+"), max_size=20),
)
texts = (
    st.text() | urls | st.sampled_from(["page_view", "x", "2026-01-15T09:59:00Z", "1768471200", "\0", "\ud800"])
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
known_keys = st.sampled_from(
    sorted({key for field in FIELDS.values() for path in field.paths for key in path.split(".")})
)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(known_keys | st.text(max_size=5), inner, max_size=6)


values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | objects(inner), max_leaves=6)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(objects(values), st.sampled_from(list(TENANTS))), max_size=5), st.none() | st.text())
def test_every_event_ends_in_exactly_one_place(batch: list[tuple[dict[str, Any], bytes]], user_agent: str) -> None:
    events = [
        landed(json.dumps(payload).encode(), tenant_hk=tenant_hk, number=number, user_agent=user_agent)
        for number, (payload, tenant_hk) in enumerate(batch)
    ]
    result = STAGER.stage_batch(events, TENANTS)
    assert result.failed == []
    ends = Counter(event.raw_event_id for event in result.staged)
    assert ends == Counter(event.raw_event_id for event in events)
    for event in result.staged:
        assert Decimal(0) <= event.quality_score <= Decimal(1)
        assert event.quality_score.as_tuple().exponent == -2
        assert (event.validation_status == "INVALID") <= (event.validation_errors != b"[]")
        assert (event.tenant_hk, event.mapping_hk) in result.mapping_path_sets
        assert len(event.mapping_hk) == 16
        assert -(2**63) <= event.payload_digest < 2**63
        for text in (event.properties or b"", event.validation_errors):
            assert b"\\u0000" not in text.replace(b"\\\\", b"")
            assert b"\\ud" not in text.replace(b"\\\\", b"")
        for name in event.__struct_fields__:
            column = getattr(event, name)
            if isinstance(column, str):
                assert "\0" not in column
                column.encode()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=4))
def test_bytes_of_any_kind_are_staged_or_failed(payloads: list[bytes]) -> None:
    events = [landed(payload, number=number) for number, payload in enumerate(payloads)]
    result = STAGER.stage_batch(events, TENANTS)
    ends = [event.raw_event_id for event in result.staged] + [event.raw_event_id for event, _ in result.failed]
    assert sorted(ends) == [event.raw_event_id for event in events]


@settings(deadline=None)
@given(objects(values))
def test_staging_again_gives_the_same(payload: dict[str, Any]) -> None:
    event = landed(payload)
    assert STAGER.stage_batch([event], TENANTS).staged == Stager().stage_batch([event], TENANTS).staged


@given(urls | st.text())
def test_canonical_is_a_fixed_point(text: str) -> None:
    base, _ = split_url(text.encode("utf-8", "ignore").decode())
    once = canonical_url(base)
    if once is not None:
        assert canonical_url(once.url) == once
        assert once.url.isascii()
        assert split_url(once.url) == (once.url, None)


@given(texts)
def test_readers_of_text_never_raise(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    query_tags(text)
    suspicions(text)
    for policy in ("truncate", "full", "none"):
        keep_ip(text, policy)


days = st.timedeltas(timedelta(days=-40_000), timedelta(days=40_000))


@given(days, st.none() | days, st.integers(1, 3650))
def test_a_derived_time_is_always_a_believable_one(
    occurred: timedelta, sent: timedelta | None, late_days: int
) -> None:
    derived = derive_time(RECEIVED + occurred, None if sent is None else RECEIVED + sent, RECEIVED, late_days)
    assert -timedelta(days=1) <= RECEIVED - derived.occurred_at <= timedelta(days=late_days)


drafts = st.fixed_dictionaries(
    {
        "event_type": st.none() | st.sampled_from(["page_view", "x", " ", ".x", "-"]) | st.text(max_size=3),
        "session_id": st.none() | st.just("s"),
        "visitor_id": st.none() | st.just("v"),
    }
)
noticed = st.fixed_dictionaries(
    {
        "user_id": st.none() | st.just("u"),
        "page_state": st.sampled_from(PageState),
        "time_state": st.sampled_from(TimeState),
        "unexpected": st.sampled_from([(), ["page_url"], ["page_url", "screen"]]),
        "truncated": st.sampled_from([(), ["page_title"]]),
        "cleaned": st.booleans(),
        "suspicious": st.sampled_from([{}, {Reason.SQL_SUSPICIOUS: ["page_url"]}]),
    }
)


@settings(max_examples=500)
@given(drafts, noticed)
def test_a_verdict_that_is_looked_up_is_the_one_the_rules_give(
    columns: dict[str, Any], noted: dict[str, Any]
) -> None:
    event = landed({})
    draft = Draft(event, Tenant(RULES), blank(event), None, 30)
    for name, value in columns.items():
        setattr(draft.out, name, value)
    for name, value in noted.items():
        setattr(draft, name, value)
    assert known_verdict(draft) == verdict(draft)
    assert known_verdict(draft) == verdict(draft)


parts = st.none() | st.text(max_size=4) | st.sampled_from(["a", "A", "é", "e\u0301"])


@given(st.lists(st.tuples(st.sampled_from(DOMAINS), parts, parts, parts), max_size=20))
def test_a_remembered_hash_key_is_the_hash_key(
    asked: list[tuple[str, str | None, str | None, str | None]],
) -> None:
    keys = HashKeys(RULES)
    for domain, *of in asked:
        if domain == "campaign":
            plain = GHOST if of == [None] * 3 else hash_key(domain, TENANT, *of)
            assert keys.campaign(*of) == plain
        else:
            plain = GHOST if of[0] is None else hash_key(domain, TENANT, of[0])
            assert keys.key(domain, of[0]) == plain
