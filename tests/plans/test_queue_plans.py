"""Finding work, and finding an event again, costs what is found, not what is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests import given
from tests.plans.scans import FLUSH, Grown, explain

from sitevault.collector.receipts import time_bounds
from sitevault.config import Config
from sitevault.db import queries
from sitevault.db.roles import Role
from sitevault.worker.claim import SQL
from sitevault.worker.run import Worker

RECEIPTS = queries.load("receipts")
PENDING = 5


@pytest.fixture
def worker(grown: Grown) -> Iterator[psycopg.Connection[Any]]:
    with grown.database.connect(Role.WORKER, autocommit=True) as conn, conn.transaction(force_rollback=True):
        yield conn


@pytest.fixture
def waiting(grown: Grown) -> Iterator[list[int]]:
    """A few flushes that no worker has taken yet; asked for before `worker`, whose locks have to go first."""
    flushes = (
        [given.row(grown.senders[0], given.page_view(10_000_000 + FLUSH * flush + n)) for n in range(FLUSH)]
        for flush in range(PENDING)
    )
    yield given.land(grown.database, *flushes)
    Worker(grown.database, Config(), lanes=1).drain()


def test_a_claim_reads_no_more_manifests_than_it_takes(
    waiting: list[int], worker: psycopg.Connection[Any]
) -> None:
    scans = explain(worker, SQL.claim_batches, {"after": 0, "most": 3})
    assert dict(scans.rows) == {"batch": 3}
    assert not scans.whole


def test_a_claim_that_finds_nothing_reads_nothing(worker: psycopg.Connection[Any], grown: Grown) -> None:
    assert explain(worker, SQL.claim_batches, {"after": 0, "most": 16}).total == 0


def test_an_empty_claim_of_requeued_dead_letters_reads_nothing(
    worker: psycopg.Connection[Any], grown: Grown
) -> None:
    assert explain(worker, SQL.claim_requeued, {"most": 16}).total == 0


def test_reading_a_claim_reads_its_events_in_their_partition_only(
    waiting: list[int], worker: psycopg.Connection[Any]
) -> None:
    taken = waiting[:3]
    first, last = _received(worker, taken)
    scans = explain(worker, SQL.read_batches, {"batch_ids": taken, "first": first, "last": last})
    assert dict(scans.rows) == {"landed_event": 3 * FLUSH}
    assert scans.partitions["landed_event"] <= 2  # two around midnight
    assert not scans.whole & {"landed_event"}


def _received(conn: psycopg.Connection[Any], batch_ids: list[int]) -> tuple[Any, Any]:
    row = conn.execute(
        "SELECT min(received_timestamp), max(received_timestamp) FROM raw.batch WHERE batch_id = ANY(%s)",
        (batch_ids,),
    ).fetchone()
    assert row is not None
    return row


def test_finishing_a_claim_touches_its_manifests_only(waiting: list[int], worker: psycopg.Connection[Any]) -> None:
    parameters = {"batch_ids": waiting, "load_id": 1, "load_date": "2026-01-01T00:00:00Z"}
    assert dict(explain(worker, SQL.finish_batches, parameters).rows) == {"batch": PENDING}


@pytest.fixture
def reader(grown: Grown) -> Iterator[psycopg.Connection[Any]]:
    """As the collector reads receipts: under row-level security, with one tenant's context."""
    with grown.database.connect(Role.READER, autocommit=True) as conn, conn.transaction(force_rollback=True):
        conn.execute("SELECT set_config('sitevault.tenant_hk', %s, true)", (grown.senders[1].tenant_hk.hex(),))
        yield conn


def _an_event(grown: Grown) -> dict[str, Any]:
    tenant_hk = grown.senders[1].tenant_hk
    with grown.database.connect(Role.JUDGE) as judge:
        row = judge.execute(
            "SELECT event_id, raw_event_id FROM business.site_event_nl WHERE tenant_hk = %s"
            " ORDER BY event_id OFFSET 500 LIMIT 1",
            (tenant_hk,),
        ).fetchone()
    assert row is not None
    return {"tenant_hk": tenant_hk, "event_id": row[0], "batch_id": row[1] >> 16, "first": row[1], "last": row[1]}


def test_the_receipt_of_an_event_reads_its_own_rows_and_its_flush(
    reader: psycopg.Connection[Any], grown: Grown
) -> None:
    event = _an_event(grown)
    bounds = time_bounds(event["event_id"]) or {}
    scans = explain(reader, RECEIPTS.receipts_of_event, event | bounds | {"most": 100})
    assert scans.rows["landed_event"] == 1
    assert scans.rows["site_event_nl"] == 1
    assert scans.partitions["site_event_nl"] == 1
    # Staging is found by batch: the rows of one flush, of which all but one are thrown away.
    assert scans.rows["site_tracking_events_s"] <= FLUSH
    assert scans.total <= FLUSH + 10


def test_the_receipts_of_a_submission_read_its_flush(reader: psycopg.Connection[Any], grown: Grown) -> None:
    scans = explain(reader, RECEIPTS.receipts_of_landing, _an_event(grown))
    assert scans.rows["landed_event"] <= FLUSH
    assert scans.rows["site_event_nl"] == 1
    assert scans.total <= 2 * FLUSH + 10
