"""How different clients write the same event down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sitevault.demo.traffic import Visit

Payload = dict[str, Any]


def write(visit: Visit, dialect: str, now: datetime, *, relayed: bool) -> Payload:
    """The event in a dialect; `relayed` by a server, which names the visitor's own agent and address."""
    at = visit.at + visit.skew if visit.skew else visit.at
    payload = DIALECTS[dialect](visit, at, relayed)
    if visit.skew:
        payload["sent_at"] = (now + visit.skew).isoformat()
    return payload


def _guide(visit: Visit, at: datetime, relayed: bool) -> Payload:
    data = {
        "event_id": visit.id, "session_id": visit.session, "visitor_id": visit.visitor, "user_id": visit.user,
        "page_title": visit.title, "referrer": visit.referrer, **visit.details,
        **({"user_agent": visit.agent, "ip_address": visit.address} if relayed else {}),
    }  # fmt: skip
    return {
        "event_type": visit.type, "page_url": visit.url, "timestamp": at.isoformat(), "event_data": _given(data)
    }  # fmt: skip


def _flat(visit: Visit, at: datetime, relayed: bool) -> Payload:
    return _given({
        "event_id": visit.id, "event_type": visit.type, "page_url": visit.url, "occurred_at": at.isoformat(),
        "session_id": visit.session, "visitor_id": visit.visitor, "user_id": visit.user,
        "page_title": visit.title, "referrer": visit.referrer, **visit.details,
        **({"user_agent": visit.agent, "client_ip": visit.address} if relayed else {}),
    })  # fmt: skip


def _aliases(visit: Visit, at: datetime, relayed: bool) -> Payload:
    return _given({
        "id": visit.id, "evt_type": visit.type, "url": visit.url, "ts": int(at.timestamp() * 1000),
        "sessionId": visit.session, "visitorId": visit.visitor, "userId": visit.user, "title": visit.title,
        "ref": visit.referrer, **visit.details,
        **({"userAgent": visit.agent, "ip": visit.address} if relayed else {}),
    })  # fmt: skip


def _camel(visit: Visit, at: datetime, relayed: bool) -> Payload:
    page = _given({"url": visit.url, "title": visit.title, "referrer": visit.referrer})
    context = {"page": page, **({"userAgent": visit.agent, "ip": visit.address} if relayed else {})}
    return _given({
        "messageId": visit.id, "type": "track", "event": visit.type, "anonymousId": visit.visitor,
        "userId": visit.user, "timestamp": at.isoformat(), "context": context,
        "properties": {"session_id": visit.session, **visit.details},
    })  # fmt: skip


def _given(fields: Payload) -> Payload:
    return {name: value for name, value in fields.items() if value is not None}


DIALECTS: dict[str, Callable[[Visit, datetime, bool], Payload]] = {
    "guide": _guide,  # session and visitor under event_data
    "flat": _flat,
    "aliases": _aliases,  # evt_type and other people's names
    "camel": _camel,  # the common customer-data platforms'
}
