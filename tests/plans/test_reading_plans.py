"""What people look at again and again reads what it shows, not what there is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg
import pytest
from tests.plans.scans import FLUSH, LARGE, Grown, explain

from sitevault.db import queries
from sitevault.db.roles import Role
from sitevault.marts import rollup

OBSERVE = queries.load("observe")
RECEIPTS = queries.load("receipts")
FEW = 60
"""Tenants, days, steps: what does not grow with events."""


@pytest.fixture
def judge(grown: Grown) -> Iterator[psycopg.Connection[Any]]:
    with grown.database.connect(Role.JUDGE, autocommit=True) as conn, conn.transaction(force_rollback=True):
        yield conn


def _an_event(judge: psycopg.Connection[Any]) -> dict[str, Any]:
    row = judge.execute(
        "SELECT tenant_hk, event_id, raw_event_id FROM business.site_event_nl"
        " ORDER BY event_id OFFSET 5000 LIMIT 1"
    ).fetchone()
    assert row is not None
    return {"tenant_hk": row[0], "event_id": row[1], "raw_event_id": row[2], "batch_ids": [row[2] >> 16]}


@pytest.mark.parametrize("name", ["landed_copies", "event_of_landing", "staged_copies", "vault_rows"])
def test_a_trace_reads_its_event_and_its_flush(judge: psycopg.Connection[Any], name: str) -> None:
    scans = explain(judge, getattr(OBSERVE, name), _an_event(judge))
    assert scans.rows["landed_event"] <= FLUSH
    assert scans.rows["site_tracking_events_s"] <= FLUSH
    assert scans.rows["site_event_nl"] <= 1


@pytest.mark.parametrize("name", ["ledger", "lag", "last_received", "last_load", "failures_by_reason"])
def test_the_ledger_and_the_lag_read_no_event(judge: psycopg.Connection[Any], name: str) -> None:
    scans = explain(judge, getattr(OBSERVE, name), {"tenant_hk": None})
    assert not {"landed_event", "site_tracking_events_s", "site_event_nl"} & set(scans.rows)
    assert scans.total <= FEW


def test_the_status_of_a_tenant_reads_no_landed_event_that_is_done(grown: Grown) -> None:
    tenant_hk = grown.senders[0].tenant_hk
    with grown.database.connect(Role.READER, autocommit=True) as reader, reader.transaction(force_rollback=True):
        reader.execute("SELECT set_config('sitevault.tenant_hk', %s, true)", (tenant_hk.hex(),))
        scans = explain(reader, RECEIPTS.status, {"tenant_hk": tenant_hk})
    assert scans.rows["landed_event"] == 0
    assert scans.rows["site_event_nl"] == 0
    assert scans.rows["batch"] <= FEW


@pytest.mark.parametrize("view", ["mart.visitor_day_v", "mart.source_day_v", "mart.device_day_v"])
def test_sessions_of_rolled_up_days_are_not_read(grown: Grown, view: LiteralString) -> None:
    tenant_hk, today = grown.senders[0].tenant_hk, datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in range(3)]
    with grown.database.connect(Role.WORKER, autocommit=True) as worker, worker.transaction(force_rollback=True):
        open_days = _read_by_view(worker, view)
        for step in (rollup.SQL.forget_days, rollup.SQL.mark_days):
            worker.execute(step, {"tenant_hk": tenant_hk, "days": days})
        rolled = _read_by_view(worker, view)
    assert open_days > LARGE / 10
    assert rolled < open_days * 0.75


def test_a_reader_reads_the_sessions_of_open_days_only(grown: Grown) -> None:
    tenant_hk = grown.senders[0].tenant_hk
    query: LiteralString = "SELECT * FROM mart.visitor_day_v WHERE day < (now() AT TIME ZONE 'UTC')::date - 7"
    with grown.database.connect(Role.READER, autocommit=True) as reader, reader.transaction(force_rollback=True):
        reader.execute("SELECT set_config('sitevault.tenant_hk', %s, true)", (tenant_hk.hex(),))
        assert explain(reader, query, {}).rows["session_f"] == 0
        read = explain(reader, "SELECT * FROM mart.visitor_day_v", {})
        (sessions,) = reader.execute("SELECT count(*) FROM mart.session_f").fetchone() or (0,)
    assert read.rows["session_f"] <= sessions
    assert "session_f" not in read.whole


def _read_by_view(conn: psycopg.Connection[Any], view: LiteralString) -> int:
    return explain(conn, f"SELECT * FROM {view}", {}).rows["session_f"]


def test_a_funnel_reads_each_event_of_its_days_once(grown: Grown, judge: psycopg.Connection[Any]) -> None:
    # EXPLAIN does not look into a function: its statistics do.
    before = _read(grown)
    today = datetime.now(UTC).date()
    judge.execute(
        "SELECT * FROM mart.funnel(%s, %s, %s, 'page_view', 'page_view', 'page_view')",
        (grown.senders[0].tenant_hk, today, today),
    )
    judge.execute("SELECT pg_stat_force_next_flush()")
    assert _read(grown) - before <= 1.5 * (LARGE + 10_000)


def test_a_funnel_of_rolled_up_days_reads_no_event(grown: Grown) -> None:
    tenant_hk, today = grown.senders[0].tenant_hk, datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in range(3)]
    steps: LiteralString = "SELECT sessions FROM mart.funnel(%s, %s, %s, 'page_view', 'page_view', 'page_view')"
    with grown.database.connect(Role.WORKER, autocommit=True) as worker, worker.transaction(force_rollback=True):
        from_events = worker.execute(steps, (tenant_hk, days[-1], today)).fetchall()
        for step in rollup.STEPS:
            worker.execute(step, {"tenant_hk": tenant_hk, "days": days})
        before = _read_in_transaction(worker)
        rolled = worker.execute(steps, (tenant_hk, days[-1], today)).fetchall()
        assert _read_in_transaction(worker) == before
    assert rolled == from_events
    assert rolled[0][0] > FEW


@pytest.mark.parametrize("step", rollup.STEPS[1:-1])
def test_rolling_up_reads_a_day_once(grown: Grown, step: LiteralString) -> None:
    tenant_hk, today = grown.senders[0].tenant_hk, datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in range(3)]
    with grown.database.connect(Role.WORKER, autocommit=True) as worker, worker.transaction(force_rollback=True):
        scans = explain(worker, step, {"tenant_hk": tenant_hk, "days": days})
        (events,) = worker.execute("SELECT count(*) FROM business.site_event_nl").fetchone() or (0,)
        (sessions,) = worker.execute("SELECT count(*) FROM mart.session_f").fetchone() or (0,)
    assert scans.rows["site_event_nl"] <= events
    assert scans.rows["session_f"] <= sessions
    assert scans.rows["site_event_nl"] + scans.rows["session_f"] > FEW


def _read_in_transaction(conn: psycopg.Connection[Any]) -> int:
    (read,) = conn.execute(
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables"
        " WHERE schemaname = 'business'"
    ).fetchone() or (0,)
    return int(read)


def _read(grown: Grown) -> int:
    with psycopg.connect(grown.database.admin_conninfo, autocommit=True) as admin:
        row = admin.execute(
            "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables"
            " WHERE schemaname = 'business' AND relname LIKE 'site_event_nl%'"
        ).fetchone()
    assert row is not None
    return int(row[0])
