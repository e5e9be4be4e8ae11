"""On a large catalog and a large table the doctor stays quick: few queries, and never the whole table."""

from __future__ import annotations

import time

import psycopg
import pytest
from tests.doctoring import run, snapshot_of

from sitevault.doctor import plpgsql_check, sample
from sitevault.doctor.checks import CHECKS
from sitevault.doctor.run import examine
from sitevault.doctor.snapshot import Options

TABLES, FUNCTIONS = 400, 360
TRIED = ("functions.probe", "functions.static")


def large_catalog(where: str) -> None:
    """So many tables with a key, a constraint and an index each, and functions that read and write them."""
    run(
        where,
        "CREATE SCHEMA shop",
        f"""DO $do$ BEGIN FOR n IN 1 .. {TABLES} LOOP
            EXECUTE format('CREATE TABLE shop.t%s (id bigserial PRIMARY KEY, tenant_hk bytea, status text'
                ' CHECK (status IN (''NEW'', ''DONE'')), payload jsonb, at timestamptz DEFAULT now())', n);
            EXECUTE format('CREATE INDEX ON shop.t%s (tenant_hk, at)', n);
        END LOOP; END $do$""",
        f"""DO $do$ BEGIN FOR n IN 1 .. {FUNCTIONS} LOOP
            EXECUTE format($f$CREATE FUNCTION shop.f%1$s(p_tenant bytea, p_payload jsonb) RETURNS bigint
                LANGUAGE plpgsql AS $body$
                DECLARE v_id bigint; v_type text := p_payload ->> 'event_type';
                BEGIN
                    IF v_type IS NULL THEN RETURN NULL; END IF;
                    INSERT INTO shop.t%1$s (tenant_hk, status, payload) VALUES (p_tenant, 'NEW', p_payload)
                    RETURNING id INTO v_id;
                    UPDATE shop.t%1$s SET status = 'DONE' WHERE id = v_id AND tenant_hk = p_tenant;
                    RETURN v_id;
                END $body$ $f$, n);
        END LOOP; END $do$""",
        "INSERT INTO auth.tenant_h VALUES ('\\x01', 'spa')",
    )


def test_the_static_part_takes_seconds_and_few_queries_on_a_large_catalog(
    guide: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    large_catalog(guide)
    # It is asked function by function, which is no static part.
    monkeypatch.setattr(plpgsql_check, "ask", lambda _: plpgsql_check.Answer())
    checks = [one for one in CHECKS if one.id not in TRIED and not one.id.startswith("probe.")]
    asked: list[str] = []
    execute = psycopg.Cursor.execute

    def counted(self: psycopg.Cursor, query: object, *rest: object, **more: object) -> object:
        asked.append(str(query)[:80])
        return execute(self, query, *rest, **more)  # type: ignore[arg-type]

    with snapshot_of(guide) as snapshot:
        monkeypatch.setattr(psycopg.Cursor, "execute", counted)
        start = time.process_time()
        report = examine(snapshot, checks)
        ours = time.process_time() - start
        assert len(snapshot.functions) == FUNCTIONS
        assert len(snapshot.relations) >= TABLES
    assert len(asked) < 90
    assert ours < 5
    assert [one for one in report.findings if "the check itself failed" in one.message] == []
    # every table and function is well made
    assert [one.subject for one in report.findings if "shop." in one.subject] == []


def test_a_large_table_of_events_is_never_read_whole(guide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "SMALL_BYTES", 1 << 20)
    run(
        guide,
        "INSERT INTO auth.tenant_h VALUES ('\\x01', 'spa')",
        "INSERT INTO raw.site_tracking_events_r (tenant_hk, received_timestamp, raw_payload, processing_status)"
        " SELECT '\\x01', now() - (40000 - n) * interval '2 seconds',"
        " jsonb_build_object('event_type', 'page_view', 'x', repeat(md5(n::text), 8)), 'PROCESSED'"
        " FROM generate_series(1, 40000) AS n",
        "INSERT INTO staging.site_tracking_events_s (raw_event_id, tenant_hk, event_type)"
        " SELECT raw_event_id, tenant_hk, 'page_view' FROM raw.site_tracking_events_r",
        "ANALYZE",
    )
    with snapshot_of(guide, Options(sample=1_000)) as snapshot:
        conn = snapshot.connection
        before = read(conn)
        assert snapshot.sample.events
        assert snapshot.payloads.events
        assert snapshot.carried
        assert snapshot.orphans.looked_at
        assert snapshot.waiting == []
        assert read(conn) == before


def read(conn: psycopg.Connection) -> int:
    """Rows of the table of events that this transaction has read by scanning it."""
    row = conn.execute(
        "SELECT pg_stat_get_xact_tuples_returned('raw.site_tracking_events_r'::regclass)"
    ).fetchone()
    assert row is not None
    return int(row[0])
