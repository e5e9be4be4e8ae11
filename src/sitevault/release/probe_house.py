"""The house's own pipeline, tried on copies of real events inside the open transaction, with the worker's rights.

A copy has the event's payload, key and tenant, and an id and a number that are its own: so the queue is not
claimed, nothing is taken for a duplicate of itself, and the workers go on meanwhile.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from msgspec import structs
from psycopg.types.json import set_json_dumps, set_json_loads

from sitevault import pipeline
from sitevault.db import queries
from sitevault.reasons import Reason
from sitevault.release.target import Target
from sitevault.repair.ground import SQL as GROUND
from sitevault.repair.shadow import Output
from sitevault.staging.model import StagedEvent
from sitevault.staging.stage import Stager
from sitevault.worker.bisect import Culprit, load_what_can_be
from sitevault.worker.claim import SQL as WORKER
from sitevault.worker.claim import claim_events
from sitevault.worker.lane import prepare
from sitevault.worker.tenants import Tenants

SQL = queries.load("release_probe")

ENTRY = "the pipeline"

_RANDOM_BITS = 62
_Id = tuple[bytes, int, int, str]


def attempt(target: Target, most: int) -> tuple[dict[int, str], dict[int, Output]]:
    """How each event stands, and what the pipeline makes of its copy; nothing of it stays."""
    with as_worker(target) as conn:
        chosen: list[_Id] = conn.execute(SQL.events_of_the_house, {"most": most}).fetchall()
        stands = {number: status for _, number, _, status in chosen}
        try:
            with conn.transaction():
                return stands, _carry(target, conn, chosen)
        except psycopg.Error as error:
            # not an event's fault: a right, a column, a function is missing, and nothing would go through
            failed = Output(None, None, error.sqlstate or "lost")
            return stands, dict.fromkeys(stands, failed)


@contextmanager
def as_worker(target: Target) -> Iterator[psycopg.Connection[Any]]:
    """A savepoint of the open transaction, as a worker's connection is; rolled back."""
    conn = target.ground.conn
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(SQL.act_as_worker)
            conn.execute(GROUND.bound_waiting, {"lock_timeout": "1s", "statement_timeout": "30s"})
            yield conn
    finally:
        set_json_loads(json.loads, conn)
        set_json_dumps(json.dumps, conn)


def _carry(target: Target, conn: psycopg.Connection[Any], chosen: Sequence[_Id]) -> dict[int, Output]:
    if target.database is None or not chosen:
        return {}
    tenants = Tenants(target.database, within=conn)
    tenants.sort_out(conn, ())  # reads the rules while JSON is still read as values
    prepare(conn)
    landed = claim_events(conn, [(tenant, number, batch) for tenant, number, batch, _ in chosen]).events
    entitled, foreign = tenants.sort_out(conn, landed)
    config = target.config
    stager = Stager(late_days=config.late_days, geo_database=config.geo_database)
    batch = stager.stage_batch(entitled, tenants.rules)
    outputs = {event.raw_event_id: Output("ERROR", None, Reason.KEY_NOT_OF_TENANT) for event in foreign}
    outputs |= {event.raw_event_id: Output("ERROR", None, Reason.STAGING_FAILED) for event, _ in batch.failed}
    pipeline.remember_mapping_paths(conn, batch)
    for day in sorted({event.event_day for event in batch.staged}):
        conn.execute(WORKER.ensure_event_day, {"day": day})
    copies = _copies(batch.staged)

    def load(events: Sequence[StagedEvent]) -> pipeline.Load:
        return pipeline.load(conn, events, "release-probe", {})

    _, culprits = load_what_can_be(conn, list(copies.values()), load)
    return outputs | _outputs(conn, copies, culprits)


def _outputs(
    conn: psycopg.Connection[Any], copies: Mapping[int, StagedEvent], culprits: Sequence[Culprit[StagedEvent]]
) -> dict[int, Output]:
    refused = {culprit.event.raw_event_id: culprit.sqlstate or "refused" for culprit in culprits}
    of = {
        "tenant_hks": sorted({copy.tenant_hk for copy in copies.values()}),
        "batch_ids": sorted({copy.batch_id for copy in copies.values()}),
        "raw_event_ids": [copy.raw_event_id for copy in copies.values()],
        "event_ids": [copy.event_id for copy in copies.values()],
        "days": sorted({copy.event_day for copy in copies.values()}),
    }
    staged = {number: json.loads(row) for number, row in conn.execute(SQL.copies_staged, of).fetchall()}
    vaulted = {number for (number,) in conn.execute(SQL.copies_vaulted, of).fetchall()}
    return {
        number: _output(copy.raw_event_id, staged, vaulted, refused.get(copy.raw_event_id))
        for number, copy in copies.items()
    }


def _output(number: int, staged: Mapping[int, Any], vaulted: set[int], sqlstate: str | None) -> Output:
    if sqlstate is not None:
        return Output("ERROR", None, sqlstate)
    row = staged.get(number)
    if row is not None and row.get("validation_status") == "INVALID":
        return Output("PROCESSED", row, None)
    return Output("PROCESSED" if number in vaulted else "DUPLICATE", row, None)


def _copies(staged: Sequence[StagedEvent]) -> dict[int, StagedEvent]:
    """Original number -> the copy. What had one id has one id again, so duplicates are duplicates."""
    ids: dict[UUID, UUID] = {}
    return {
        event.raw_event_id: structs.replace(
            event,
            raw_event_id=-event.raw_event_id,
            event_id=ids.setdefault(event.event_id, _another(event.event_id)),
        )
        for event in staged
    }


def _another(event_id: UUID) -> UUID:
    """An id of the same moment."""
    return UUID(int=(event_id.int >> _RANDOM_BITS << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS))
