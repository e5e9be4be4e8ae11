"""Carries selected events through the pipeline once more: what is in the vault stays, the rest goes on its way.

An event already in the vault, or known as a duplicate, is left as it is: its row never changes. One in ERROR,
INVALID or requeued is staged and loaded anew, and the ledger counts it where it ends and no longer where it was.
One still PENDING is carried with its whole batch, as a worker would.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from sitevault.replay.book import SQL
from sitevault.staging.patch import PatchStep, write_steps
from sitevault.tenancy.audit_log import acting
from sitevault.worker.claim import claim_events, claim_named
from sitevault.worker.lane import Lane

CARRIED = frozenset({"error", "invalid", "pending"})
SETTLED = frozenset({"vaulted", "duplicate", "conflict"})


class Chosen(NamedTuple):
    """One selected event, and where it was when it was selected."""

    tenant_hk: bytes
    raw_event_id: int
    batch_id: int
    was: str


class Ended(NamedTuple):
    """Where a selected event is now."""

    chosen: Chosen
    place: str

    @property
    def outcome(self) -> str:
        """The column of the replay's account it belongs in."""
        if self.chosen.was in SETTLED or self.place not in (
            "vaulted",
            "duplicate",
            "conflict",
            "invalid",
            "error",
        ):
            return "unchanged"
        return "duplicate" if self.place == "conflict" else self.place


class Patch(NamedTuple):
    """What is changed of each event, by which replay and why."""

    replay_id: int
    steps: Sequence[PatchStep]
    reason: str


def carry(lane: Lane, conn: psycopg.Connection[Any], chosen: Sequence[Chosen], patch: Patch | None) -> list[Ended]:
    """Carry the events through, within the caller's transaction; returns where each of them is now."""
    conn.execute(SQL.one_at_a_time)
    _take_pending(lane, conn, chosen, patch)
    conn.execute(SQL.lock_letters, ids_of(chosen))
    now = _places(conn, chosen)
    again = [one for one in chosen if now[one.raw_event_id] in CARRIED]
    if again:
        _send_back(conn, again, now)
        if patch is not None:
            _record(conn, again, patch)
        letters = [(one.tenant_hk, one.raw_event_id, one.batch_id) for one in again]
        lane.carry(conn, claim_events(conn, letters))
        now = _places(conn, chosen)
    return [Ended(one, now[one.raw_event_id]) for one in chosen]


def account(ended: Iterable[Ended]) -> Counter[str]:
    """How many events ended where."""
    return Counter(one.outcome for one in ended)


def _take_pending(
    lane: Lane, conn: psycopg.Connection[Any], chosen: Sequence[Chosen], patch: Patch | None
) -> None:
    """Batches that no worker has carried are carried whole: an event has no manifest of its own."""
    rows = conn.execute(SQL.places, ids_of(chosen)).fetchall()
    waiting = {row[1] for row in rows if row[3] == "pending" and not row[4]}
    if not waiting:
        return
    if patch is not None:
        _record(conn, [one for one in chosen if one.raw_event_id in waiting], patch)
    claim = claim_named(conn, sorted({one.batch_id for one in chosen if one.raw_event_id in waiting}))
    if claim is not None:
        lane.carry(conn, claim)


def _send_back(conn: psycopg.Connection[Any], again: Sequence[Chosen], now: dict[int, str]) -> None:
    conn.execute(SQL.send_back, ids_of(again))
    invalid: dict[bytes, list[Chosen]] = defaultdict(list)
    for one in again:
        if now[one.raw_event_id] == "invalid":
            invalid[one.tenant_hk].append(one)
    for tenant_hk in sorted(invalid):
        events = invalid[tenant_hk]
        conn.execute(
            SQL.supersede,
            {
                "tenant_hk": tenant_hk,
                "batch_ids": sorted({one.batch_id for one in events}),
                "raw_event_ids": [one.raw_event_id for one in events],
            },
        )
        conn.execute(
            SQL.take_back_invalid,
            {"tenant_hk": tenant_hk, "event_batch_ids": [one.batch_id for one in events]},
        )


def _record(conn: psycopg.Connection[Any], events: Iterable[Chosen], patch: Patch) -> None:
    steps = Jsonb(write_steps(patch.steps))
    with conn.cursor() as cursor:
        cursor.executemany(
            SQL.record_patch,
            [
                {
                    "tenant_hk": one.tenant_hk,
                    "raw_event_id": one.raw_event_id,
                    "batch_id": one.batch_id,
                    "replay_id": patch.replay_id,
                    "steps": steps,
                    "actor": acting(),
                    "reason": patch.reason,
                }
                for one in events
            ],
        )


def _places(conn: psycopg.Connection[Any], chosen: Sequence[Chosen]) -> dict[int, str]:
    found = {row[1]: row[3] for row in conn.execute(SQL.places, ids_of(chosen))}
    return {one.raw_event_id: found.get(one.raw_event_id, "gone") for one in chosen}


def ids_of(chosen: Sequence[Chosen]) -> dict[str, object]:
    """Events as parameters."""
    return {
        "tenant_hks": sorted({one.tenant_hk for one in chosen}),
        "batch_ids": sorted({one.batch_id for one in chosen}),
        "raw_event_ids": [one.raw_event_id for one in chosen],
    }
