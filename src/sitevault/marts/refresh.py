"""Vault to marts: each new event of a load is added once, added up per session, page and day beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import LiteralString, NamedTuple, Protocol, TypeAlias
from uuid import UUID

from sitevault.db import queries
from sitevault.db.wire import booleans, dates, hash_keys, int8s, texts, timestamps, uuids, wire_date
from sitevault.hashkeys import GHOST

SQL = queries.load("marts")

_PAGE_VIEW = "page_view"
_SUSPICIOUS = "SUSPICIOUS"
_DAY = 86_400_000_000  # microseconds
Parameters: TypeAlias = Mapping[str, object]


class NewEvent(Protocol):
    """An event that the vault did not have, as far as the marts are concerned."""

    tenant_hk: bytes
    event_id: UUID
    event_day: date
    event_type: str | None
    occurred_at: datetime
    session_hk: bytes
    visitor_hk: bytes
    page_hk: bytes
    user_hk: bytes
    campaign_hk: bytes
    source: str | None
    channel: str | None
    device_class: str | None
    browser: str | None
    os: str | None
    country: str | None
    is_bot: bool
    validation_status: str
    quality_score: Decimal


InTime: TypeAlias = Iterable[tuple[int, bytes, NewEvent]]
"""(occurred_at in its wire form, event_id, event), in the order of time, ties by id."""


class Step(NamedTuple):
    """One statement, and what it needs of the new events; None where they have nothing for it."""

    name: str
    statement: LiteralString
    parameters: Callable[[InTime], Parameters | None]


class _Session:
    __slots__ = ("events", "first", "is_bot", "last", "page_views")

    def __init__(self, first: tuple[int, bytes, NewEvent]) -> None:
        self.first = self.last = first
        self.is_bot = False
        self.events = self.page_views = 0


def _if_sessions(events: InTime) -> Parameters | None:
    """A lock needs nothing, and is taken where sessions are refreshed."""
    return {} if any(event.session_hk != GHOST for _, _, event in events) else None


def _sessions(events: InTime) -> Parameters | None:
    found: dict[tuple[bytes, bytes], _Session] = {}
    done_on: set[tuple[bytes, date]] = set()
    for one in events:
        event = one[2]
        if event.session_hk == GHOST:
            continue
        key = (event.session_hk, event.tenant_hk)
        session = found.get(key)
        if session is None:
            session = found[key] = _Session(one)
        done_on.add((event.tenant_hk, event.event_day))
        session.last = one
        session.events += 1
        session.is_bot |= event.is_bot
        session.page_views += event.event_type == _PAGE_VIEW
    if not found:
        return None
    in_order = [session for _, session in sorted(found.items(), key=lambda item: item[0])]
    began = [session.first[2] for session in in_order]
    days = sorted(done_on)
    return {
        "event_tenant_hk": hash_keys([tenant_hk for tenant_hk, _ in days]),
        "event_day": dates([wire_date(day) for _, day in days]),
        "tenant_hk": hash_keys([e.tenant_hk for e in began]),
        "session_hk": hash_keys([e.session_hk for e in began]),
        "first_at": timestamps([session.first[0] for session in in_order]),
        "first_event_id": uuids([session.first[1] for session in in_order]),
        "last_at": timestamps([session.last[0] for session in in_order]),
        "last_event_id": uuids([session.last[1] for session in in_order]),
        "visitor_hk": hash_keys([e.visitor_hk for e in began]),
        "user_hk": hash_keys([e.user_hk for e in began]),
        "entry_page_hk": hash_keys([e.page_hk for e in began]),
        "exit_page_hk": hash_keys([session.last[2].page_hk for session in in_order]),
        "campaign_hk": hash_keys([e.campaign_hk for e in began]),
        "source": texts([e.source for e in began]),
        "channel": texts([e.channel for e in began]),
        "device_class": texts([e.device_class for e in began]),
        "browser": texts([e.browser for e in began]),
        "os": texts([e.os for e in began]),
        "country": texts([e.country for e in began]),
        "is_bot": booleans(session.is_bot for session in in_order),
        "events": int8s([session.events for session in in_order]),
        "page_views": int8s([session.page_views for session in in_order]),
    }


def _pages(events: InTime) -> Parameters | None:
    found: dict[tuple[bytes, int, bytes], list[int]] = {}
    for at, _, event in events:
        if event.page_hk == GHOST:
            continue
        sums = found.setdefault((event.tenant_hk, at // _DAY, event.page_hk), [0, 0, 0])
        sums[0] += 1
        if event.event_type == _PAGE_VIEW:
            sums[2 if event.is_bot else 1] += 1
    if not found:
        return None
    keys = sorted(found)
    return {
        "tenant_hk": hash_keys([tenant_hk for tenant_hk, _, _ in keys]),
        "day": dates([day for _, day, _ in keys]),
        "page_hk": hash_keys([page_hk for _, _, page_hk in keys]),
        "events": int8s([found[key][0] for key in keys]),
        "page_views": int8s([found[key][1] for key in keys]),
        "bot_page_views": int8s([found[key][2] for key in keys]),
    }


def _events(events: InTime) -> Parameters | None:
    found: dict[tuple[bytes, int, str], list[int]] = {}
    quality: dict[tuple[bytes, int, str], Decimal] = {}
    for at, _, event in events:
        key = (event.tenant_hk, at // _DAY, event.event_type or "")
        sums = found.setdefault(key, [0, 0, 0])
        sums[0] += 1
        sums[1] += event.is_bot
        sums[2] += event.validation_status == _SUSPICIOUS
        quality[key] = quality.get(key, Decimal(0)) + event.quality_score
    if not found:
        return None
    keys = sorted(found)
    return {
        "tenant_hk": hash_keys([tenant_hk for tenant_hk, _, _ in keys]),
        "day": dates([day for _, day, _ in keys]),
        "event_type": texts([event_type for _, _, event_type in keys]),
        "events": int8s([found[key][0] for key in keys]),
        "bot_events": int8s([found[key][1] for key in keys]),
        "suspicious_events": int8s([found[key][2] for key in keys]),
        "quality_hundredths": int8s([int(quality[key] * 100) for key in keys]),
    }


STEPS = (
    Step("marts.rolled_days", SQL.hold_rolling_off, _if_sessions),
    Step("marts.sessions", SQL.refresh_sessions, _sessions),
    Step("marts.pages", SQL.refresh_pages, _pages),
    Step("marts.events", SQL.refresh_events, _events),
)
