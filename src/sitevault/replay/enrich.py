"""Enriches events anew: raw and the event's own row stay, what newer data says becomes a satellite row."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from sitevault import clock
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.hashkeys import encode_part
from sitevault.replay import book
from sitevault.replay.book import SQL
from sitevault.replay.leave import require_leave
from sitevault.replay.rebuild import rebuild
from sitevault.replay.run import holding
from sitevault.staging.model import EnrichmentStatus, LandedEvent
from sitevault.staging.stage import Stager
from sitevault.tenancy import audit_log
from sitevault.tenancy.audit_log import Action
from sitevault.tenancy.context import administer
from sitevault.worker.claim import patched
from sitevault.worker.lane import Lane
from sitevault.worker.tenants import Tenants

ENRICHMENTS: dict[str, tuple[str, ...]] = {
    "bot": ("is_bot",),
    "geo": ("country",),
    "referrer": ("referrer_host", "source", "channel"),
    "user_agent": ("device_class", "browser", "os"),
}
"""The enrichments whose data changes, and the columns of the satellite each fills."""

COLUMNS = ("referrer_host", "source", "channel", "device_class", "browser", "os", "country", "is_bot")
_BATCH = 5_000

Heard = Callable[[str, int], None]
"""Called with the tenant and how many of its events were looked at."""


@dataclass
class Enriched:
    """What enriching anew changed, or would change."""

    replay_id: int | None
    enrichment: str
    looked_at: int = 0
    changed: int = 0
    values: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(column, old, new) -> events."""

    def as_dict(self) -> dict[str, Any]:
        """For the record and for --json."""
        return {
            "enrichment": self.enrichment,
            "looked_at": self.looked_at,
            "changed": self.changed,
            "values": [
                {"column": column, "old": old, "new": new, "events": events}
                for (column, old, new), events in self.values.most_common()
            ],
        }


def enrich(
    database: Database,
    config: Config,
    enrichment: str,
    *,
    tenant_hk: bytes | None = None,
    dry_run: bool = False,
    reason: str | None = None,
    while_paused: bool = False,
    heard: Heard = lambda tenant, events: None,
) -> Enriched:
    """Derive one enrichment of every vaulted event again, and remember what differs; then the marts follow.

    Interrupted, it is simply run again: what was done no longer differs.
    """
    with database.connect(Role.WORKER, autocommit=True, application_name="enrich") as conn:
        result = Enriched(None, enrichment)
        if not dry_run:
            require_leave(conn, while_paused)
            selection = {"enrich": enrichment} | ({"tenant_hk": tenant_hk.hex()} if tenant_hk else {})
            result.replay_id = book.open_replay(conn, "enrich", selection, reason)
        with holding(conn, result.replay_id) if result.replay_id is not None else nullcontext():
            for hk, bk in conn.execute(SQL.tenants, {"tenant_hk": tenant_hk}).fetchall():
                changed = _enrich_one(
                    database,
                    config,
                    conn,
                    hk,
                    while_paused,
                    result,
                    lambda n, bk=bk: heard(bk, n),  # type: ignore[misc]
                )
                if changed and result.replay_id is not None:
                    _record(database, hk, result.replay_id, enrichment, changed, reason)
                    rebuild(
                        database, config, "marts",
                        tenant_hk=hk, accept_differences=True, reason=reason, while_paused=while_paused,
                    )  # fmt: skip
            if result.replay_id is not None:
                stored = Jsonb(result.as_dict(), dumps=json.dumps)
                conn.execute(
                    SQL.set_result,
                    {"replay_id": result.replay_id, "result": stored, "selected": result.looked_at},
                )
    return result


def _enrich_one(
    database: Database,
    config: Config,
    writer: psycopg.Connection[Any],
    tenant_hk: bytes,
    while_paused: bool,
    result: Enriched,
    heard: Callable[[int], None],
) -> int:
    """One tenant's events, read in one snapshot and written in batches; returns how many differed."""
    lane = Lane(database, config, Tenants(database), "enrich")
    stager = Stager(late_days=config.late_days, geo_database=config.geo_database)
    looked_at = changed = 0
    try:
        conn = lane.connected()
        with conn.transaction(), psycopg.ServerCursor(conn, "vaulted_events") as cursor:
            cursor.itersize = _BATCH
            cursor.execute(SQL.vaulted_events, {"tenant_hk": tenant_hk}, binary=True)
            while rows := list(islice(cursor, _BATCH)):
                new = _newer(lane, conn, stager, rows, result)
                looked_at, changed = looked_at + len(rows), changed + len(new)
                if new and result.replay_id is not None:
                    with writer.transaction(), writer.cursor() as inserting:
                        require_leave(writer, while_paused)
                        inserting.executemany(SQL.insert_enrichment, new)
                heard(looked_at)
    finally:
        lane.close()
    result.looked_at += looked_at
    result.changed += changed
    return changed


def _newer(
    lane: Lane, conn: psycopg.Connection[Any], stager: Stager, rows: list[Any], result: Enriched
) -> list[dict[str, Any]]:
    """The satellite rows of those events of which the enrichment says something else today."""
    head = 2 + len(COLUMNS)
    known = {row[head + 3]: row[:head] for row in rows}
    landed = [LandedEvent(*row[head:]) for row in rows]
    events = patched(conn, landed, {"batch_ids": sorted({event.batch_id for event in landed})})
    entitled, _ = lane.tenants.sort_out(conn, events)
    load_date = clock.now()
    new = []
    for staged in stager.stage_batch(entitled, lane.tenants.rules).staged:
        if staged.enrichment_status == EnrichmentStatus.PARTIAL:
            continue  # a step failed: nothing was learnt
        event_id, event_day, *values = known[staged.raw_event_id]
        old = dict(zip(COLUMNS, values, strict=True))
        now = old | {name: getattr(staged, name) for name in ENRICHMENTS[result.enrichment]}
        if now == old:
            continue
        for name in ENRICHMENTS[result.enrichment]:
            if now[name] != old[name]:
                result.values[name, str(old[name]), str(now[name])] += 1
        new.append(
            {
                **now,
                "tenant_hk": staged.tenant_hk,
                "event_id": event_id,
                "event_day": event_day,
                "load_date": load_date,
                "enrichment": result.enrichment,
                "hash_diff": _hash_diff(now),
                "replay_id": result.replay_id,
            }
        )
    return new


def _hash_diff(values: dict[str, Any]) -> bytes:
    texts = (None if values[name] is None else str(values[name]) for name in COLUMNS)
    return hashlib.sha256(b"\x01" + b"".join(map(encode_part, texts))).digest()


def _record(
    database: Database, tenant_hk: bytes, replay_id: int, enrichment: str, changed: int, reason: str | None
) -> None:
    details: dict[str, audit_log.Json] = {
        "replay_id": replay_id,
        "enrichment": enrichment,
        "events": changed,
        "reason": reason,
    }
    with database.connect(Role.MIGRATOR, autocommit=True) as admin, administer(admin, tenant_hk):
        audit_log.record(admin, tenant_hk, Action.EVENTS_ENRICH, details)
