"""One event on its way through the steps of staging: what is known of it so far."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sitevault.reasons import Reason
from sitevault.staging.enrich.geo import GeoDatabase
from sitevault.staging.mapping import Json, PathSet
from sitevault.staging.model import Finding, LandedEvent, StagedEvent
from sitevault.staging.tenant import Tenant


class TimeState(StrEnum):
    """What the clock step found out about the event's own time."""

    UNKNOWN = "unknown"  # the step did not get to say
    GOOD = "good"
    MISSING = "missing"
    MALFORMED = "malformed"
    IN_FUTURE = "in_future"
    TOO_OLD = "too_old"


class PageState(StrEnum):
    """What the URL step found out about the event's page."""

    UNKNOWN = "unknown"
    GOOD = "good"
    MISSING = "missing"
    MALFORMED = "malformed"


class Draft:
    """A mutable event in the making. Steps read and write it; `out` becomes the staged event."""

    __slots__ = (
        "cleaned",
        "client_ip",
        "fields",
        "findings",
        "geo",
        "invalid",
        "landed",
        "late_days",
        "out",
        "page_host",
        "page_state",
        "path_set",
        "payload",
        "properties",
        "score",
        "suspicious",
        "tenant",
        "time_state",
        "truncated",
        "unexpected",
        "user_agent",
        "user_id",
    )

    def __init__(
        self, landed: LandedEvent, tenant: Tenant, out: StagedEvent, geo: GeoDatabase | None, late_days: int
    ) -> None:
        self.landed = landed
        self.tenant = tenant
        self.out = out
        self.geo = geo
        self.late_days = late_days
        self.payload: Json = {}
        self.fields: dict[str, Any] = {}
        self.properties: Json = {}
        self.path_set: PathSet | None = None
        self.findings: list[Finding] = []
        self.unexpected: Sequence[str] = ()
        self.truncated: Sequence[str] = ()
        self.cleaned = False
        self.time_state = TimeState.UNKNOWN
        self.page_state = PageState.UNKNOWN
        self.page_host: str | None = None
        self.user_agent: str | None = None
        self.client_ip: str | None = None
        self.user_id: str | None = None
        self.suspicious: dict[Reason, list[str]] = {}
        self.score = 100  # hundredths
        self.invalid = False

    def note(self, reason: Reason, field: str | None = None) -> None:
        """Record what was noticed; never a value of the payload."""
        self.findings.append(Finding(reason, field))
