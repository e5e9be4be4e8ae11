"""The operators' guide works on a Sitevault database: its queries, word for word, answer with the true figures."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg.rows import dict_row

from given import Sender, land, page_view, row, sender
from observing import accept_poison, drain, judging, land_every_fate
from sitevault import clock
from sitevault.db import binaries, queries
from sitevault.db.connect import Database
from sitevault.db.roles import Role

GUIDE = queries.load("guide_queries", Path(__file__).parent)


class Known(NamedTuple):
    """Two tenants and what was sent for them: 7 events of every fate, and 2 good ones."""

    spa: Sender
    company: Sender


@pytest.fixture
def known(database: Database) -> Known:
    spa, company = sender(database), sender(database, "Test Company")
    land_every_fate(database, spa)
    land(database, [row(company, page_view(n)) for n in (1, 2)])
    # Loads what land_every_fate left pending, too; so one more is landed after it.
    drain(database)
    land(database, [row(spa, page_view(9))])
    return Known(spa, company)


def ask(database: Database, name: str, role: Role = Role.JUDGE) -> list[dict[str, Any]]:
    with database.connect(role) as conn, conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(getattr(GUIDE, name)).fetchall()


def test_every_query_of_the_guide_is_here() -> None:
    assert list(GUIDE) == [
        "duplicate_events",
        "tenant_assignments",
        "payload_keys",
        "table_structure",
        "processing_status",
        "staging_quality",
        "error_analysis",
        "tenant_isolation",
        "reset_errors",
    ]


def test_no_raw_event_is_there_twice(database: Database, known: Known) -> None:
    assert ask(database, "duplicate_events") == []


def test_every_event_is_assigned_to_the_tenant_of_its_key(database: Database, known: Known) -> None:
    rows = ask(database, "tenant_assignments")
    assert [row["raw_event_id"] for row in rows] == sorted(row["raw_event_id"] for row in rows)
    spa, company = known.spa.tenant_hk.hex(), known.company.tenant_hk.hex()
    assert [row["tenant_hex"] for row in rows] == [spa] * 7 + [company] * 2 + [spa]
    assert [row["event_type"] for row in rows].count("page_view") == 9
    assert [row["event_type"] for row in rows].count(None) == 1


def test_the_payloads_keys_come_as_an_array(database: Database, known: Known) -> None:
    (found,) = ask(database, "payload_keys")
    with judging(database) as judge:
        (payload,) = judge.execute(
            "SELECT payload FROM raw.landed_event WHERE raw_event_id = %s", [found["raw_event_id"]]
        ).fetchone() or ({},)
    assert sorted(found["keys"]) == sorted(payload)


def test_the_raw_events_have_no_processed_timestamp(database: Database) -> None:
    described = psql(database, GUIDE.table_structure.splitlines()[1])
    assert "raw_event_id" in described
    assert "processing_status" in described
    assert "processed_timestamp" not in described


def test_the_processing_status_counts_every_event_once(database: Database, known: Known) -> None:
    assert ask(database, "processing_status") == [
        {"total_events": 10, "processed": 8, "errors": 1, "pending": 1},
    ]


def test_the_staging_quality_is_that_of_what_was_sent(database: Database, known: Known) -> None:
    with judging(database) as judge:
        scores = [
            score
            for (score,) in judge.execute("SELECT quality_score FROM staging.site_tracking_events_s").fetchall()
        ]
    (found,) = ask(database, "staging_quality")
    # 7 good ones with 1.00; the INVALID one has no type (-0.50), session (-0.20) or visitor (-0.05)
    assert sorted(scores) == [Decimal("0.25"), *[Decimal("1.00")] * 7]
    assert found == {
        "staging_events": 8,
        "valid": 7,
        "invalid": 1,
        "avg_quality_score": round(sum(scores) / len(scores), 3),
    }


def test_the_error_analysis_says_what_the_database_said(database: Database, known: Known) -> None:
    (found,) = ask(database, "error_analysis")
    assert found["error_count"] == 1
    assert found["error_message"].startswith("load.rejected_by_database: ")
    assert "no_poison" in found["error_message"]


def test_the_isolation_check_counts_per_tenant(database: Database, known: Known) -> None:
    assert ask(database, "tenant_isolation") == [
        {"tenant_hex": known.spa.tenant_hk.hex(), "event_count": 8, "processed_count": 6},
        {"tenant_hex": known.company.tenant_hk.hex(), "event_count": 2, "processed_count": 2},
    ]


def test_the_reset_requeues_exactly_the_errors_and_they_can_be_processed(database: Database, known: Known) -> None:
    accept_poison(database)
    assert reset(database, clock.now() + timedelta(hours=1)) == 0
    assert reset(database, clock.now() - timedelta(hours=1)) == 1
    assert ask(database, "processing_status")[0]["pending"] == 2
    assert ask(database, "error_analysis") == []
    drain(database)
    assert ask(database, "processing_status") == [
        {"total_events": 10, "processed": 10, "errors": 0, "pending": 0},
    ]


def test_the_reset_is_the_workers_and_nobody_elses(database: Database, known: Known) -> None:
    for role in (Role.JUDGE, Role.READER, Role.COLLECTOR, Role.AUDITOR):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reset(database, clock.now(), role)


@pytest.mark.parametrize("name", [name for name in GUIDE if name not in ("table_structure", "reset_errors")])
def test_a_tenants_reader_sees_only_its_own_events(database: Database, known: Known, name: str) -> None:
    with database.connect(Role.READER) as conn, conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT set_config('sitevault.tenant_hk', %s, true)", [known.company.tenant_hk.hex()])
        rows = cursor.execute(getattr(GUIDE, name)).fetchall()
    foreign = known.spa.tenant_hk.hex()
    assert all(foreign not in str(row) for row in rows)
    totals = [row[column] for row in rows for column in ("total_events", "staging_events") if column in row]
    assert totals in ([], [2])


def reset(database: Database, deployment: Any, role: Role = Role.WORKER) -> int:
    statement = GUIDE.reset_errors.replace("[DEPLOYMENT_TIME]", deployment.isoformat())
    with database.connect(role) as conn:
        return conn.execute(statement).rowcount  # type: ignore[arg-type]


def psql(database: Database, command: str) -> str:
    program = binaries.find(None).program("psql")
    return subprocess.run(
        [program, "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-d", database.conninfo(Role.JUDGE), "-c", command],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PAGER": "cat"},
    ).stdout
