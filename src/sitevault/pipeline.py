"""The flow: what happens to an event, in order, and what each stage reads and writes.

    collector    HTTP -> landing      one flush = one COPY + one manifest row, answered after the commit
    landing      raw.landed_event     the payload as received, insert-only;  raw.batch is the workers' queue
    staging      pure Python          map, validate, score, enrich   -> staging.site_tracking_events_s
    vault        set-based SQL        hubs, links, satellites, the event      -> business.*
    marts        set-based SQL        sessions, pages, events by day          -> mart.*
    ledger       the account          landed = pending + vaulted + duplicate + invalid + error

A worker carries a claim of batches from landing to the ledger in one transaction. Whatever goes wrong, each
landed event ends in exactly one place: vaulted, duplicate, invalid, or a dead letter.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from sitevault.db import queries
from sitevault.marts import refresh
from sitevault.staging.model import StagedBatch, StagedEvent
from sitevault.staging.writer import copy_staged
from sitevault.vault import load as vault

SQL = queries.load("pipeline")

SET_BASED_STEPS = (*vault.STEPS, *refresh.STEPS)
"""Everything the database does for a load, in order."""


class Load(NamedTuple):
    """What one load did. Seconds are wall time per named step."""

    load_id: int
    load_date: datetime
    events: int
    vaulted: int
    duplicate: int
    invalid: int


def open_load(conn: psycopg.Connection) -> tuple[int, datetime]:
    """A fresh load_id and load_date."""
    row = conn.execute(vault.SQL.begin_load).fetchone()
    if row is None:
        raise RuntimeError("a SELECT without FROM returned no row")
    return row[0], row[1]


def remember_mapping_paths(conn: psycopg.Connection, batch: StagedBatch) -> None:
    """Keep which payload paths supplied which fields, for `trace`."""
    for (tenant_hk, mapping_hk), paths in sorted(batch.mapping_path_sets.items()):
        conn.execute(
            SQL.remember_mapping_paths,
            {"tenant_hk": tenant_hk, "mapping_hk": mapping_hk, "paths": Jsonb(paths)},
        )


def load(
    conn: psycopg.Connection, events: Sequence[StagedEvent], worker: str, staging_seconds: dict[str, float]
) -> Load:
    """Carry staged events into staging, vault, marts and ledger, within the caller's transaction.

    Raises what the database raises; the caller rolls back to where it was and looks for the culprit.
    """
    load_id, load_date = open_load(conn)
    batch_ids = sorted({event.batch_id for event in events})
    parameters = {"batch_ids": batch_ids, "load_id": load_id, "load_date": load_date}
    seconds = dict(staging_seconds)

    started = time.perf_counter()
    copy_staged(conn, events, load_id, load_date)
    seconds["staging.copy"] = time.perf_counter() - started

    for name, statement in SET_BASED_STEPS:
        started = time.perf_counter()
        conn.execute(statement, parameters)
        seconds[name] = time.perf_counter() - started

    started = time.perf_counter()
    outcome = conn.execute(SQL.account_outcomes, parameters).fetchone()
    seconds["ledger"] = time.perf_counter() - started
    if outcome is None:
        raise RuntimeError("an aggregate without GROUP BY returned no row")
    done = Load(load_id, load_date, len(events), *outcome)
    record_load(conn, done, worker, batches=len(batch_ids), error=0, seconds=seconds)
    return done


def record_load(
    conn: psycopg.Connection, done: Load, worker: str, *, batches: int, error: int, seconds: dict[str, float]
) -> None:
    """One row of ops.load; its CHECK refuses a load that does not balance."""
    conn.execute(
        SQL.record_load,
        {
            **done._asdict(),
            "worker": worker,
            "batches": batches,
            "error": error,
            "step_seconds": Jsonb({name: round(value, 6) for name, value in seconds.items()}, dumps=json.dumps),
        },
    )
