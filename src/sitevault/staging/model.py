"""What enters staging and what leaves it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from sitevault.hashkeys import GHOST


class ValidationStatus(StrEnum):
    VALID = "VALID"
    INVALID = "INVALID"  # accounted for, not loaded into the vault
    SUSPICIOUS = "SUSPICIOUS"  # loaded and marked


class EnrichmentStatus(StrEnum):
    ENRICHED = "ENRICHED"  # every step ran
    PARTIAL = "PARTIAL"  # at least one step failed and left its fields empty


class LandedEvent(msgspec.Struct, frozen=True, gc=False):
    """One row of raw.landed_event, as the worker reads it."""

    tenant_hk: bytes
    api_key_hk: bytes
    batch_id: int
    raw_event_id: int
    event_id: UUID
    received_timestamp: datetime
    client_ip: str | None
    user_agent: str | None
    origin: str | None
    geo_hint: str | None
    protocol: str
    payload: bytes
    """The event's JSON, byte for byte as it was received (UTF-8)."""


class TenantRules(msgspec.Struct, frozen=True):
    """What staging must know of a tenant."""

    tenant_hk: bytes
    secret: bytes
    ip_policy: str = "truncate"
    mapping: dict[str, list[str]] = {}
    """Field -> candidate paths that come before the declared ones."""
    schemas: dict[str, dict[str, Any]] = {}
    """Event type -> JSON Schema."""


class StagedEvent(msgspec.Struct, kw_only=True, gc=False):
    """One row of staging.site_tracking_events_s; the fields are its columns, in their order.

    load_id and processed_timestamp belong to the load and are added by the worker.
    """

    tenant_hk: bytes
    batch_id: int
    raw_event_id: int
    event_id: UUID
    event_day: date
    received_timestamp: datetime
    validation_status: str = ValidationStatus.VALID
    enrichment_status: str = EnrichmentStatus.ENRICHED
    quality_score: Decimal = Decimal("1.00")
    validation_errors: bytes = b"[]"
    """JSON list of {"code": reason, "field": name or null}; never a payload's value."""
    mapping_hk: bytes = b""
    payload_digest: int = 0
    """First 8 bytes of SHA-256 of the payload (without its sent_at), as a signed integer."""
    occurred_at: datetime
    event_type: str | None = None
    session_id: str | None = None
    visitor_id: str | None = None
    user_bk: str | None = None
    page_url: str | None = None
    """scheme://host/path, without query and fragment."""
    page_query: str | None = None
    page_title: str | None = None
    referrer_url: str | None = None
    referrer_host: str | None = None
    source: str | None = None
    channel: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    click_id_kind: str | None = None
    device_class: str | None = None
    browser: str | None = None
    browser_version: str | None = None
    os: str | None = None
    os_version: str | None = None
    language: str | None = None
    screen: str | None = None
    is_bot: bool = False
    bot_evidence: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    client_ip: str | None = None
    user_agent: str | None = None
    properties: bytes | None = None
    """JSON object of everything the mapping did not take."""
    session_hk: bytes = GHOST
    visitor_hk: bytes = GHOST
    page_hk: bytes = GHOST
    user_hk: bytes = GHOST
    campaign_hk: bytes = GHOST
    record_source: str


class Finding(msgspec.Struct, frozen=True):
    """One thing staging noticed about an event: a reason code and the field it concerns."""

    code: str
    field: str | None = None


class StagedBatch(msgspec.Struct):
    """What staging made of a list of landed events: each is in exactly one of `staged` and `failed`."""

    staged: list[StagedEvent]
    failed: list[tuple[LandedEvent, str]]
    """Events on which staging itself raised, with the error's type and place (no payload values)."""
    mapping_path_sets: dict[tuple[bytes, bytes], bytes]
    """(tenant_hk, mapping_hk) -> JSON object field -> path."""
    step_seconds: dict[str, float]
    """Seconds spent per named step, summed over the events."""
