"""Which events a release touched: those that failed under it and not before. Undoing it requeues exactly those.

Never told by time: an error that came late may have been there before the release, and an event that waited for
long may have failed because of it.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from psycopg import sql
from psycopg.rows import tuple_row

from sitevault.db import queries
from sitevault.release import record
from sitevault.release.record import Released
from sitevault.release.scheduler import SQL as PAUSE
from sitevault.release.target import Target
from sitevault.replay.selection import EVENTS_PER_BATCH_ID

SQL = queries.load("release_touched")


class Touched(NamedTuple):
    """An event that failed under a release and not before; `waited`: it stood pending when the release came."""

    raw_event_id: int
    tenant_hk: str | None
    waited: bool


def standing(target: Target) -> str:
    """What is pending or failed now, as JSON for the record of the release that is about to be carried out."""
    return json.dumps(_house_standing(target) if target.house else _guide_standing(target), sort_keys=True)


def touched(target: Target, release: Released) -> list[Touched]:
    """The events in ERROR that this release's time in force put there."""
    before = json.loads(release.standing)
    if not target.house:
        errors, pending = _Ranges(before["error"]), _Ranges(before["pending"])
        return [
            Touched(number, tenant_hk, number in pending)
            for number, tenant_hk in target.ground.all(_about_raw(SQL.failed_events))
            if number not in errors
        ]
    letters = [(tenant, number) for tenant, numbers in before["requeued"].items() for number in numbers]
    parameters = {
        "load_id": before["load_id"],
        "tenant_hks": [tenant for tenant, _ in letters],
        "raw_event_ids": [number for _, number in letters],
    }
    last_batch = before["batches"]["last"] or 0
    return [
        Touched(number, tenant_hk, requeued or number // EVENTS_PER_BATCH_ID <= last_batch)
        for number, tenant_hk, requeued in _read(target, SQL.failed_since_load, parameters)
    ]


def requeue(target: Target, events: Iterable[Touched]) -> int:
    """Set exactly these events back to PENDING, in the open transaction or one of its own; returns how many were.

    One that is no longer in ERROR is left alone.
    """
    of_tenant: dict[str | None, list[int]] = defaultdict(list)
    for event in events:
        of_tenant[event.tenant_hk if target.house else None].append(event.raw_event_id)
    ground = target.ground
    done = 0
    with record.brief(ground):
        for tenant_hk, numbers in sorted(of_tenant.items(), key=lambda item: item[0] or ""):
            if target.house:
                ground.within(tenant_hk)
            query = SQL.requeue_letters if target.house else _about_raw(SQL.requeue_events)
            done += ground.conn.execute(query, {"tenant_hk": tenant_hk, "raw_event_ids": numbers}).rowcount
        if target.house:
            ground.within(None)
            ground.conn.execute(PAUSE.wake_workers)
    return done


def _house_standing(target: Target) -> dict[str, Any]:
    requeued: dict[str, list[int]] = defaultdict(list)
    for tenant_hk, number in _read(target, SQL.requeued_letters):
        requeued[tenant_hk].append(number)
    batches, events, first, last = _read(target, SQL.waiting_batches)[0]
    return {
        "load_id": _read(target, SQL.newest_load)[0][0],
        "requeued": requeued,
        "batches": {"pending": batches, "events": events, "first": first, "last": last},
    }


def _guide_standing(target: Target) -> dict[str, Any]:
    of_status: dict[str, list[int]] = {"PENDING": [], "ERROR": []}
    for number, status in target.ground.all(_about_raw(SQL.standing_events)):
        of_status[status].append(number)
    return {name.lower(): ranges(numbers) for name, numbers in of_status.items()}


def _read(target: Target, query: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """Every tenant's rows, as the judge sees them."""
    with target.judge.transaction():
        target.judge.execute(SQL.bound_wait)
        return target.judge.cursor(row_factory=tuple_row).execute(sql.SQL(query), parameters).fetchall()


def _about_raw(template: str) -> sql.Composed:
    return sql.SQL(template).format(raw=sql.Identifier("raw", "site_tracking_events_r"))


def ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Sorted numbers as [first, last] pairs: a backlog of a million is a few of them."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


class _Ranges:
    def __init__(self, pairs: Sequence[Sequence[int]]) -> None:
        self._firsts = [first for first, _ in pairs]
        self._lasts = [last for _, last in pairs]

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number)
        return place > 0 and number <= self._lasts[place - 1]
