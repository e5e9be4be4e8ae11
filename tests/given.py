"""What tests start from: tenants with keys, and events that landed through the real writer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sitevault import clock
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.db.wire import wire_address, wire_timestamp
from sitevault.landing.flush import LandingRow
from sitevault.landing.identity import identity_of
from sitevault.landing.writer import LandingWriter
from sitevault.tenancy.keys import KeyKind, create_key
from sitevault.tenancy.tenants import add_tenant

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


STARTED = clock.now() - timedelta(minutes=1)


class Sender(NamedTuple):
    """A tenant and one of its keys."""

    tenant_bk: str
    tenant_hk: bytes
    api_key_hk: bytes
    key: str


def sender(database: Database, name: str = "The ONE Spa", *, kind: KeyKind = KeyKind.SECRET) -> Sender:
    """A new tenant with a new key."""
    with database.connect(Role.MIGRATOR) as admin:
        tenant = add_tenant(admin, name).tenant
        origins = ["*"] if kind is KeyKind.PUBLIC else []
        made = create_key(admin, tenant.tenant_bk, kind, label="test", allowed_origins=origins)
    return Sender(tenant.tenant_bk, tenant.tenant_hk, made.api_key.api_key_hk, made.key)


def page_view(number: int, **fields: Any) -> dict[str, Any]:
    """A complete page view; `number` makes its id."""
    return {
        "event_id": f"event-{number}",
        "event_type": "page_view",
        "page_url": f"https://spa.example/{number % 5}",
        "timestamp": (STARTED + timedelta(milliseconds=number)).isoformat(),
        "session_id": f"session-{number % 3}",
        "visitor_id": f"visitor-{number % 2}",
    } | fields


def row(who: Sender, payload: bytes | dict[str, Any], *, received: datetime | None = None) -> LandingRow:
    """An event as the collector hands it to landing."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    received = received or clock.now()
    return LandingRow(
        tenant_hk=who.tenant_hk,
        api_key_hk=who.api_key_hk,
        event_id=identity_of(body, who.tenant_hk, received, 30).bytes,
        received_timestamp=wire_timestamp(received),
        client_ip=wire_address("203.0.113.77"),
        user_agent=FIREFOX,
        origin="https://spa.example",
        geo_hint=None,
        protocol="track",
        payload=body,
    )


def land(database: Database, *flushes: Iterable[LandingRow]) -> list[int]:
    """Land each group of rows as one flush; returns the batch ids."""

    async def write() -> list[int]:
        writer = LandingWriter(
            lambda: database.aconnect(Role.COLLECTOR), max_events=100_000, max_bytes=1 << 30, timeout=30
        )
        writer.start()
        assert await writer.wait_available(10)
        batch_ids = [(await writer.submit(list(rows))).batch_id for rows in flushes]
        await writer.drain()
        return batch_ids

    return asyncio.run(write())
