"""The flow: what happens to an event, in order, and what each stage reads and writes.

    collector    HTTP -> landing      one flush = one statement, with one manifest row, answered after its commit
    landing      raw.landed_event     the payload as received, insert-only;  raw.batch is the workers' queue
    staging      pure Python          map, validate, score, enrich   -> staging.site_tracking_events_s
    vault        COPY, set-based SQL  the event, hubs, links, satellites      -> business.*
    marts        set-based SQL        sessions, pages, events by day          -> mart.*
    ledger       the account          landed = pending + vaulted + duplicate + invalid + error

A worker carries a claim of batches from landing to the ledger in one transaction. Whatever goes wrong, each
landed event ends in exactly one place: vaulted, duplicate, invalid, or a dead letter.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from sitevault.db import queries
from sitevault.db.wire import hash_keys, int8s
from sitevault.marts import refresh
from sitevault.staging.model import StagedBatch, StagedEvent
from sitevault.staging.writer import copy_staged
from sitevault.vault import load as vault
from sitevault.vault.arrivals import Arrivals

SQL = queries.load("pipeline")

ROW_STEPS: tuple[tuple[str, Callable[[psycopg.Connection, Arrivals, int, datetime], None]], ...] = (
    ("vault.events", vault.settle_events),
    ("vault.event_pii", vault.vault_pii),
    ("vault.duplicates", vault.record_duplicates),
)
"""What has a row per event goes in by COPY."""
SET_BASED_STEPS = (*vault.STEPS, *refresh.STEPS)
"""Everything else is one statement per set, in this order."""


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
    seconds = dict(staging_seconds)

    with _timed(seconds, "staging.copy"):
        copy_staged(conn, events, load_id, load_date)
    with _timed(seconds, "vault.arrivals"):
        arrivals = Arrivals(events)
    for name, carry in ROW_STEPS:
        with _timed(seconds, name):
            carry(conn, arrivals, load_id, load_date)
    for name, statement, parameters in statements(arrivals, load_id, load_date):
        with _timed(seconds, name):
            conn.execute(statement, parameters)

    vaulted, duplicate = len(arrivals.new), len(arrivals.repeats)
    done = Load(load_id, load_date, len(events), vaulted, duplicate, len(events) - vaulted - duplicate)
    batches = len({event.batch_id for event in events})
    record_load(conn, done, worker, batches=batches, error=0, seconds=seconds)
    return done


def statements(
    arrivals: Arrivals, load_id: int, load_date: datetime
) -> Iterator[tuple[str, LiteralString, dict[str, Any]]]:
    """What the database is told of settled arrivals, set by set: name, statement, parameters."""
    of_load = {"load_id": load_id, "load_date": load_date}
    for name, statement, of_arrivals in vault.STEPS:
        if found := of_arrivals(arrivals):
            yield name, statement, {**found, **of_load}
    for name, statement, of_new in refresh.STEPS:
        if (found := of_new(arrivals.new_in_time)) is not None:
            yield name, statement, dict(found)
    yield "ledger", SQL.account_outcomes, _outcomes(arrivals)


def _outcomes(arrivals: Arrivals) -> dict[str, Any]:
    vaulted = Counter((event.tenant_hk, event.batch_id) for event in arrivals.new)
    duplicate = Counter((repeat.event.tenant_hk, repeat.event.batch_id) for repeat in arrivals.repeats)
    events = Counter((event.tenant_hk, event.batch_id) for event in arrivals.all)
    pairs = sorted(events)
    return {
        "tenant_hks": hash_keys([tenant_hk for tenant_hk, _ in pairs]),
        "batch_ids": int8s([batch_id for _, batch_id in pairs]),
        "vaulted": int8s([vaulted[pair] for pair in pairs]),
        "duplicate": int8s([duplicate[pair] for pair in pairs]),
        "invalid": int8s([events[pair] - vaulted[pair] - duplicate[pair] for pair in pairs]),
    }


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started


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
