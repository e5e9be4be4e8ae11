"""The demo's plan: seeded, exact, and worth sending."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landed import landed
from sitevault.demo.dialects import DIALECTS, write
from sitevault.demo.plan import BATCH_PATH, Parcel, Plan, make_plan
from sitevault.demo.run import guide_events
from sitevault.demo.tenants import TENANTS
from sitevault.demo.traffic import Visit
from sitevault.hashkeys import tenant_key
from sitevault.landing.identity import identity_of
from sitevault.staging.model import LandedEvent, TenantRules
from sitevault.staging.stage import Stager

NOW = datetime(2026, 1, 15, 10, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(7, 2000, NOW)


def accepted(parcel: Parcel) -> list[bytes]:
    """The events of a parcel that a collector would take."""
    listed = json.loads(parcel.body) if parcel.path == BATCH_PATH else [json.loads(parcel.body)]
    return [
        json.dumps(event).encode()
        for event in listed
        if isinstance(event, dict) and "\0" not in str(event.get("title"))
    ]


def test_the_same_seed_is_the_same_traffic_and_another_is_another() -> None:
    assert make_plan(7, 500, NOW) == make_plan(7, 500, NOW)
    assert make_plan(7, 500, NOW) != make_plan(8, 500, NOW)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**40), st.integers(500, 1500))
def test_a_plan_has_the_events_it_was_asked_for_and_its_account_balances(seed: int, events: int) -> None:
    plan = make_plan(seed, events, NOW)
    assert plan.events == events
    for tenant_bk, account in plan.expected.items():
        mine = [parcel for parcel in plan.parcels if parcel.tenant_bk == tenant_bk]
        assert account.landed == account.vaulted + account.duplicate + account.invalid
        assert account.landed == sum(parcel.accepted for parcel in mine)
        assert account.refused == sum(parcel.refused for parcel in mine)


def test_what_is_expected_is_what_staging_and_identity_make_of_it(plan: Plan) -> None:
    stager = Stager()
    for tenant in TENANTS:
        tenant_hk = tenant_key(tenant.tenant_bk)
        parcels = [parcel for parcel in plan.parcels if parcel.tenant_bk == tenant.tenant_bk]
        events: list[LandedEvent] = [
            landed(
                body,
                number=number,
                tenant_hk=tenant_hk,
                received_timestamp=NOW,
                event_id=identity_of(body, tenant_hk, NOW, 30),
            )
            for number, body in enumerate(body for parcel in parcels for body in accepted(parcel))
        ]
        batch = stager.stage_batch(events, {tenant_hk: TenantRules(tenant_hk, b"s" * 32)})
        assert batch.failed == []
        good = [event for event in batch.staged if event.validation_status != "INVALID"]
        bodies = {event.event_id: Counter[int]() for event in good}
        for event in good:
            bodies[event.event_id][event.payload_digest] += 1
        expected = plan.expected[tenant.tenant_bk]
        assert len(batch.staged) == expected.landed
        assert len(batch.staged) - len(good) == expected.invalid
        assert len(bodies) == expected.vaulted
        assert sum(len(digests) > 1 for digests in bodies.values()) == expected.conflict
        assert sum(event.validation_status == "SUSPICIOUS" for event in good) == expected.suspicious


def test_the_traffic_is_worth_a_look(plan: Plan) -> None:
    staged = _staged(plan)
    assert {"desktop", "mobile", "tablet", "bot"} <= {event.device_class for event in staged}
    assert len({event.browser for event in staged}) >= 5
    assert {"direct", "organic_search", "social", "email"} <= {event.channel for event in staged}
    pages = Counter(event.page_url for event in staged).most_common()
    assert pages[0][1] > 5 * pages[len(pages) // 2][1], "popular pages are popular"
    sessions = Counter(event.session_id for event in staged)
    assert max(sessions.values()) > 5
    late = [event for event in staged if (NOW - event.occurred_at).days >= 3]
    assert late
    codes = {finding["code"] for event in staged for finding in json.loads(event.validation_errors)}
    assert {"enrich.clock_corrected", "enrich.bot_detected", "validate.markup_suspicious"} <= codes


def test_two_tenants_share_a_name_and_the_addresses_of_their_pages() -> None:
    names = Counter(tenant.name for tenant in TENANTS)
    sites = Counter(tenant.site for tenant in TENANTS)
    assert max(names.values()) == max(sites.values()) == 2
    assert {"The ONE Spa", "Test Company"} <= names.keys()
    assert len({tenant.tenant_bk for tenant in TENANTS}) == 5


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_says_the_same(dialect: str) -> None:
    visit = Visit(
        TENANTS[0], "e-1", "page_view", "https://www.theonespa.example/gifts", "Gifts", NOW, "s-1", "v-1", "u-1",
        "https://www.google.com/", "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
        "192.0.2.7",
    )  # fmt: skip
    payload = json.dumps(write(visit, dialect, NOW, relayed=True)).encode()
    batch = Stager().stage_batch(
        [landed(payload, received_timestamp=NOW)],
        {tenant_key("the-one-spa"): TenantRules(tenant_key("the-one-spa"), b"s" * 32)},
    )
    (event,) = batch.staged
    assert (event.event_type, event.page_url, event.page_title) == (visit.type, visit.url, visit.title)
    assert (event.session_id, event.visitor_id, event.occurred_at) == (visit.session, visit.visitor, visit.at)
    assert (event.referrer_host, event.browser, event.client_ip) == ("www.google.com", "Firefox", "192.0.2.0")
    assert event.user_bk is not None
    assert float(event.quality_score) == 1.0


def test_the_guides_events_have_the_guides_shape() -> None:
    events = [json.loads(body) for body in guide_events(1, NOW)]
    assert len(events) == 5
    for event in events:
        assert set(event) == {"event_type", "page_url", "timestamp", "event_data"}
        assert {"session_id", "visitor_id", "page_title"} <= set(event["event_data"])


def _staged(plan: Plan) -> list[Any]:
    tenant_hk = tenant_key("the-one-spa")
    bodies = [body for parcel in plan.parcels if parcel.tenant_bk == "the-one-spa" for body in accepted(parcel)]
    events = [
        landed(body, number=number, tenant_hk=tenant_hk, received_timestamp=NOW)
        for number, body in enumerate(bodies)
    ]
    return Stager().stage_batch(events, {tenant_hk: TenantRules(tenant_hk, b"s" * 32)}).staged
