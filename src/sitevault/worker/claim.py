"""Takes work off the queue: pending batches, or dead letters that were requeued."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString

import psycopg

from sitevault.db import queries
from sitevault.errors import SitevaultError
from sitevault.staging.model import LandedEvent

SQL = queries.load("worker")

_PAGE = 16  # batches locked at a time: few enough that a second worker finds some, too


class LandedRowsMissingError(SitevaultError):
    """A manifest promises events that landing does not hold."""


@dataclass(frozen=True)
class Claim:
    """Events locked for one transaction; the lock goes with it."""

    events: list[LandedEvent]
    batch_ids: list[int]
    requeued: frozenset[tuple[bytes, int]] = field(default=frozenset())
    """(tenant_hk, raw_event_id) of the dead letters among them; batches are already accounted for then."""


def claim_batches(conn: psycopg.Connection, most_events: int) -> Claim | None:
    """Lock pending batches in order until they hold `most_events`, and read their events."""
    claimed: list[tuple[int, int, datetime]] = []
    taken = after = 0
    while taken < most_events:
        page = conn.execute(SQL.claim_batches, {"after": after, "most": _PAGE}).fetchall()
        for batch in page:
            if taken >= most_events:
                break
            claimed.append(batch)
            taken += batch[1]
        if len(page) < _PAGE:
            break
        after = page[-1][0]
    if not claimed:
        return None
    batch_ids = [batch_id for batch_id, _, _ in claimed]
    times = [received for _, _, received in claimed]
    parameters = {"batch_ids": batch_ids, "first": min(times), "last": max(times)}
    events = _read(conn, SQL.read_batches, parameters)
    if len(events) != taken:
        events = _read(conn, SQL.read_batches_of_any_time, parameters)
    if len(events) != taken:
        raise LandedRowsMissingError(
            f"The manifests of batches {batch_ids[0]} to {batch_ids[-1]} promise {taken} events, "
            f"landing holds {len(events)}.",
            fix="Do not delete from raw.landed_event by hand; restore the rows, or account for them.",
        )
    return Claim(events, batch_ids)


def claim_requeued(conn: psycopg.Connection, most_events: int) -> Claim | None:
    """Lock requeued dead letters, oldest first, and read their events."""
    letters = conn.execute(SQL.claim_requeued, {"most": most_events}).fetchall()
    if not letters:
        return None
    requeued = frozenset((tenant_hk, raw_event_id) for tenant_hk, raw_event_id, _ in letters)
    events = _read(
        conn,
        SQL.read_requeued,
        {
            "batch_ids": sorted({batch_id for _, _, batch_id in letters}),
            "raw_event_ids": sorted(raw_event_id for _, raw_event_id in requeued),
        },
    )
    mine = [event for event in events if (event.tenant_hk, event.raw_event_id) in requeued]
    if len(mine) != len(requeued):
        raise LandedRowsMissingError(
            f"{len(requeued)} dead letters were requeued, landing holds {len(mine)} of their events.",
            fix="Restore the rows of raw.landed_event before requeueing their dead letters.",
        )
    return Claim(mine, sorted({event.batch_id for event in mine}), requeued)


def _read(conn: psycopg.Connection, query: LiteralString, parameters: dict[str, object]) -> list[LandedEvent]:
    with conn.cursor(binary=True) as cursor:
        cursor.execute(query, parameters)
        return [LandedEvent(*row) for row in cursor]
