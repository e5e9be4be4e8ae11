"""Takes work off the queue: pending batches, or dead letters that were requeued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString

import psycopg

from sitevault.db import queries
from sitevault.errors import SitevaultError
from sitevault.staging.model import LandedEvent
from sitevault.staging.patch import PatchStep, apply, read_steps

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
    return _read_claimed(conn, claimed) if claimed else None


def claim_named(conn: psycopg.Connection, batch_ids: Sequence[int]) -> Claim | None:
    """Lock those of these batches that are still pending, waiting for who holds one, and read their events."""
    claimed = conn.execute(SQL.claim_named_batches, {"batch_ids": list(batch_ids)}).fetchall()
    return _read_claimed(conn, claimed) if claimed else None


def _read_claimed(conn: psycopg.Connection, claimed: Sequence[tuple[int, int, datetime]]) -> Claim:
    taken = sum(events for _, events, _ in claimed)
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
    return claim_events(conn, letters)


def claim_events(conn: psycopg.Connection, letters: Sequence[tuple[bytes, int, int]]) -> Claim:
    """The events of (tenant_hk, raw_event_id, batch_id) the caller holds; their batches are accounted for."""
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
        events = [LandedEvent(*row) for row in cursor]
    return patched(conn, events, {"batch_ids": parameters["batch_ids"]})


def patched(
    conn: psycopg.Connection, events: list[LandedEvent], of_batches: dict[str, object]
) -> list[LandedEvent]:
    """The events as staging is to see them: what a replay changed stands beside raw, which stays as it is."""
    steps: dict[tuple[bytes, int], list[PatchStep]] = {}
    for tenant_hk, raw_event_id, stored in conn.execute(SQL.patches, of_batches):
        steps.setdefault((tenant_hk, raw_event_id), []).extend(read_steps(stored))
    if not steps:
        return events
    return [
        apply(event, mine) if (mine := steps.get((event.tenant_hk, event.raw_event_id))) else event
        for event in events
    ]
