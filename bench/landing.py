"""Events straight into landing, through the collector's own writer, without HTTP."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime

from bench.house import House
from bench.traffic import Event
from sitevault import clock
from sitevault.db.roles import Role
from sitevault.db.wire import wire_address, wire_timestamp
from sitevault.landing.flush import LandingRow
from sitevault.landing.identity import identity_of
from sitevault.landing.writer import LandingWriter

LATE_DAYS = 30
_ADDRESS = wire_address("203.0.113.7")


def rows(events: Iterable[Event]) -> Iterator[LandingRow]:
    """What the collector would hand to landing."""
    received = clock.now()
    for event in events:
        yield row(event, received)


def row(event: Event, received: datetime) -> LandingRow:
    """One event as if it had come at that moment."""
    holder, body = event
    return LandingRow(
        holder.tenant_hk,
        holder.api_key_hk,
        identity_of(body, holder.tenant_hk, received, LATE_DAYS).bytes,
        wire_timestamp(received),
        _ADDRESS,
        "bench-server/1.0",
        None,
        None,
        "track",
        body,
    )


def land(house: House, landing_rows: Iterable[LandingRow], flush: int) -> list[int]:
    """Land rows in flushes of `flush` events; returns the batch ids."""
    return asyncio.run(_land(house, landing_rows, flush))


async def _land(house: House, landing_rows: Iterable[LandingRow], flush: int) -> list[int]:
    writer = LandingWriter(
        lambda: house.database.aconnect(Role.COLLECTOR, application_name="bench-landing"),
        max_events=1_000_000,
        max_bytes=1 << 30,
        timeout=60,
    )
    writer.start()
    await writer.wait_available(10)
    batch_ids = [(await writer.submit(group)).batch_id for group in _groups(landing_rows, flush)]
    await writer.drain()
    return batch_ids


def _groups(landing_rows: Iterable[LandingRow], size: int) -> Iterator[list[LandingRow]]:
    """Submissions are of one tenant each; a flush of ours is one tenant's, as when each sends a batch."""
    waiting: dict[bytes, list[LandingRow]] = {}
    for row in landing_rows:
        group = waiting.setdefault(row.tenant_hk, [])
        group.append(row)
        if len(group) == size:
            yield waiting.pop(row.tenant_hk)
    yield from itertools.filterfalse(lambda group: not group, waiting.values())
