"""Landed events for tests of staging, with everything a test does not care about filled in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sitevault.hashkeys import tenant_key
from sitevault.landing.identity import identity_of
from sitevault.staging.model import LandedEvent, StagedEvent, TenantRules
from sitevault.staging.stage import Stager

RECEIVED = datetime(2026, 1, 15, 10, 0, 1, tzinfo=UTC)
TENANT = tenant_key("the-one-spa")
SECRET = b"a secret of thirty-two bytes or so"
RULES = TenantRules(TENANT, SECRET)
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Safari/537.36"
)
PAGE_VIEW = {
    "event_type": "page_view",
    "page_url": "https://example.com/pricing",
    "timestamp": "2026-01-15T10:00:00Z",
    "event_data": {"session_id": "s-1", "visitor_id": "v-1", "page_title": "Pricing"},
}


def landed(payload: Any, *, number: int = 0, tenant_hk: bytes = TENANT, **given: Any) -> LandedEvent:
    """One landed event; `payload` is JSON bytes, or a value to be written as JSON."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    values: dict[str, Any] = {
        "api_key_hk": bytes(32),
        "batch_id": 7,
        "raw_event_id": 7 * 65536 + number,
        "event_id": identity_of(raw, tenant_hk, RECEIVED, 30),
        "received_timestamp": RECEIVED,
        "client_ip": "203.0.113.77",
        "user_agent": CHROME,
        "origin": "https://example.com",
        "geo_hint": None,
        "protocol": "track",
    }
    return LandedEvent(tenant_hk=tenant_hk, payload=raw, **(values | given))


def stage(payload: Any, *, rules: TenantRules = RULES, stager: Stager | None = None, **given: Any) -> StagedEvent:
    """The one staged event of one landed event."""
    event = landed(payload, tenant_hk=rules.tenant_hk, **given)
    batch = (stager or Stager()).stage_batch([event], {rules.tenant_hk: rules})
    assert batch.failed == []
    return batch.staged[0]


def page_view(**changes: Any) -> dict[str, Any]:
    """A faultless page view with top-level changes; None takes a key away."""
    return _changed(PAGE_VIEW, changes)


def page_view_with(**changes: Any) -> dict[str, Any]:
    """A faultless page view with changes in its event_data; None takes a key away."""
    return page_view(event_data=_changed(PAGE_VIEW["event_data"], changes))


def codes(event: StagedEvent) -> list[str]:
    """The reason codes of a staged event, in order."""
    return [finding["code"] for finding in json.loads(event.validation_errors)]


def findings(event: StagedEvent) -> list[tuple[str, str | None]]:
    """The findings of a staged event as (code, field)."""
    return [(finding["code"], finding["field"]) for finding in json.loads(event.validation_errors)]


def _changed(original: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**original, **changes}.items() if value is not None}
