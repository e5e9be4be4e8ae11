"""Migration 0015 on a database that was at work before it: what is kept is kept, and work goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

import given
from sitevault.config import Config
from sitevault.db import migration_files
from sitevault.db.connect import Database
from sitevault.db.migrate import migrate
from sitevault.worker.run import Worker

BEFORE, MARTS = 14, 70
ROW = """
INSERT INTO business.site_event_nl (
    tenant_hk, event_id, event_day, raw_event_id, session_hk, visitor_hk, page_hk, user_hk, campaign_hk,
    event_type, occurred_at, received_timestamp, is_bot, validation_status, quality_score, properties,
    payload_digest, load_date, load_id, record_source
)
SELECT
    sha256('t'), '019f0000-0000-7000-8000-000000000001', '2026-06-27', 7, sha256('s'), sha256('v'), sha256('p'),
    sha256('u'), sha256('c'), 'page_view', now(), now(), false, 'VALID', 1, '{"b": 1.50, "a": [true]}', 9, now(),
    1, 'x'
"""
PERSONAL = """
INSERT INTO business.site_event_pii_ns (
    tenant_hk, event_id, event_day, client_ip, load_date, load_id, record_source
)
SELECT sha256('t'), '019f0000-0000-7000-8000-000000000001', '2026-06-27', '203.0.113.7', now(), 1, 'x'
"""


@pytest.fixture
def older(new_database: Callable[[str], Database], tmp_path: Path) -> Database:
    """A database as it was before, with an event in a partition of its day and one day in the default."""
    database = new_database("template0")
    for room in ("migrations", "objects"):
        shutil.copytree(migration_files.DIRECTORY / room, tmp_path / room)
    for file in (tmp_path / "migrations").iterdir():
        if int(file.name[:4]) > BEFORE:
            file.unlink()
    for file in (tmp_path / "objects").iterdir():
        if int(file.name[:2]) >= MARTS:
            file.unlink()  # the views of marts, and the grants, are of today's tables
    migrate(database, directory=tmp_path)
    with psycopg.connect(database.admin_conninfo) as admin:
        for table in ("site_event_nl", "site_event_pii_ns"):
            admin.execute("SELECT ops.ensure_partition(%s::regclass, '2026-06-27')", (f"business.{table}",))
        admin.execute(ROW.encode())
        admin.execute(ROW.replace("2026-06-27", "2031-01-01").replace("8000", "8001").encode())
        admin.execute(PERSONAL.encode())
    return database


def test_what_was_vaulted_before_is_there_after_and_read_as_jsonb(older: Database) -> None:
    migrate(older)
    with psycopg.connect(older.admin_conninfo) as admin:
        assert admin.execute(
            "SELECT count(*), count(*) FILTER (WHERE properties @> '{\"a\": [true]}')"
            " FROM business.site_event_details_s"
        ).fetchone() == (2, 2)
        assert admin.execute("SELECT host(client_ip) FROM business.site_event_pii_ns").fetchall() == [
            ("203.0.113.7",)
        ]


def test_every_partition_of_before_follows_its_table(older: Database) -> None:
    migrate(older)
    with psycopg.connect(older.admin_conninfo) as admin:
        left = admin.execute(
            "SELECT c.relname FROM pg_class AS c INNER JOIN pg_attribute AS a ON c.oid = a.attrelid"
            " WHERE c.relname LIKE 'site_event_nl%' AND a.attname = 'properties' AND a.atttypid <> 'json'::regtype"
        ).fetchall()
        keys = admin.execute(
            "SELECT conname FROM pg_constraint WHERE contype = 'p' AND conname LIKE 'site_event_pii_ns%'"
        ).fetchall()
    assert (left, keys) == ([], [])


def test_a_worker_goes_on_after_it(older: Database) -> None:
    migrate(older)
    who = given.sender(older, "The ONE Spa")
    given.land(older, [given.row(who, given.page_view(1)), given.row(who, given.page_view(2))])
    assert Worker(older, Config(), lanes=1).drain() == 2
