"""The catalog's checks: each finds its fault, and is quiet beside it."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from tests import given
from tests.doctoring import look, report_on, run, snapshot_of
from tests.observing import drain

from sitevault.db.connect import Database, connect
from sitevault.doctor.checks import CHECKS, catalog
from sitevault.doctor.checks.catalog import (
    bloat,
    blocked,
    drift,
    hot_path,
    idle_indexes,
    invalid_indexes,
    partitions,
    posture,
    sequences,
    server,
    transactions,
    unvalidated,
    wraparound,
)
from sitevault.doctor.model import Check, Verdict
from sitevault.doctor.run import examine
from sitevault.doctor.snapshot import Snapshot

# the tests' own server works without fsync, which catalog.server rightly finds
ELSEWHERE = ("catalog.server",)


@pytest.mark.parametrize("check", [one for one in CHECKS if one.id not in ELSEWHERE], ids=lambda check: check.id)
def test_a_healthy_house_is_all_green(database: Database, check: Check) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(number)) for number in range(30)])
    drain(database)
    outcome = look(database, check)
    assert outcome.findings == ()
    assert outcome.verdict is Verdict.OK


@pytest.mark.parametrize("check", catalog.CHECKS, ids=lambda check: check.id)
def test_the_guides_tables_are_left_alone(guide: str, check: Check) -> None:
    run(guide, "INSERT INTO auth.tenant_h VALUES ('\\x01', 'spa')")
    if check.id not in ELSEWHERE:
        assert [one for one in look(guide, check).findings if "superuser" not in one.message] == []


def test_an_invalid_index_is_found(guide: str) -> None:
    run(guide, "INSERT INTO auth.tenant_h VALUES ('\\x01', 'spa'), ('\\x02', 'other')")
    with connect(guide, autocommit=True) as admin, pytest.raises(psycopg.errors.UniqueViolation):
        admin.execute('CREATE UNIQUE INDEX CONCURRENTLY "Bad Index" ON auth.tenant_h (record_source)')
    (finding,) = look(guide, invalid_indexes.CHECK).findings
    assert finding.subject == "auth.Bad Index"
    assert "enforces nothing" in finding.message


def test_a_constraint_that_was_never_validated_is_found(guide: str) -> None:
    run(guide, "ALTER TABLE auth.tenant_h ADD CONSTRAINT short CHECK (length(tenant_bk) < 5) NOT VALID")
    (finding,) = look(guide, unvalidated.CHECK).findings
    assert finding.subject == "auth.tenant_h.short"


FILL = (
    "INSERT INTO raw.site_tracking_events_r (tenant_hk, raw_payload, processing_status)"
    " SELECT '\\x01', jsonb_build_object('x', repeat(md5(n::text), 20)), 'PROCESSED'"
    " FROM generate_series(1, 12000) AS n"
)
TENANT = "INSERT INTO auth.tenant_h VALUES ('\\x01', 'spa')"
DROP_STATUS_INDEX = "DROP INDEX raw.site_tracking_events_r_processing_status_received_timestamp_idx"


def test_a_queue_without_its_index_is_found_once_it_is_large(guide: str) -> None:
    run(guide, TENANT, DROP_STATUS_INDEX)
    assert look(guide, hot_path.CHECK).findings == ()
    run(guide, FILL)
    (finding,) = look(guide, hot_path.CHECK).findings
    assert "processing_status" in finding.message
    run(guide, "CREATE INDEX ON raw.site_tracking_events_r (raw_event_id) WHERE processing_status = 'PENDING'")
    assert look(guide, hot_path.CHECK).findings == ()


def test_two_indexes_that_are_the_same_are_found(guide: str) -> None:
    run(
        guide,
        "CREATE INDEX again ON staging.site_tracking_events_s (raw_event_id)",
        "CREATE INDEX other ON staging.site_tracking_events_s (raw_event_id) WHERE raw_event_id > 5",
    )
    (finding,) = look(guide, idle_indexes.CHECK).findings
    assert {one.object.split(".")[1] for one in finding.evidence} == {
        "again", "site_tracking_events_s_raw_event_id_idx"
    }  # fmt: skip


def test_an_unused_index_is_told_only_after_a_week_of_counting(
    guide: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_indexes, "LEAST_BYTES", 100_000)
    run(guide, TENANT, FILL, "CREATE INDEX idle ON raw.site_tracking_events_r (tenant_hk, raw_payload)")
    outcome = look(guide, idle_indexes.CHECK)
    assert outcome.findings == ()
    assert "less than a week" in outcome.notes[0]

    def a_week_later(snapshot: Snapshot) -> None:
        import datetime

        old = snapshot.server._replace(counted_since=snapshot.server.now - datetime.timedelta(days=8))
        snapshot._parts["server"] = old

    with snapshot_of(guide) as snapshot:
        a_week_later(snapshot)
        findings = idle_indexes.CHECK.look(snapshot).findings
    assert [one.subject for one in findings if "no query" in one.message] == ["raw.idle"]


def test_a_day_without_a_partition_and_rows_beside_them_are_found(database: Database) -> None:
    run(
        database,
        "DO $$ DECLARE one regclass; BEGIN FOR one IN SELECT inhrelid::regclass FROM pg_inherits"
        " WHERE inhparent = 'raw.landed_event'::regclass AND inhrelid::regclass::text ~ '_p20'"
        " LOOP EXECUTE 'DROP TABLE ' || one; END LOOP; END $$",
    )
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(1))])
    found = {one.subject: one for one in look(database, partitions.CHECK).findings}
    assert found["raw.landed_event"].verdict is Verdict.PROBLEM
    assert "raw.landed_event_default" in found


def test_a_table_of_dead_rows_is_found(guide: str) -> None:
    run(guide, "ALTER TABLE auth.tenant_h SET (autovacuum_enabled = off)")
    with connect(guide, autocommit=True) as admin:
        admin.execute("INSERT INTO auth.tenant_h SELECT int4send(n), n FROM generate_series(1, 30000) AS n")
        admin.execute("DELETE FROM auth.tenant_h WHERE tenant_bk::int > 100")
        admin.execute("SELECT pg_stat_force_next_flush()")
    (finding,) = look(guide, bloat.CHECK).findings
    assert finding.subject == "auth.tenant_h"
    assert finding.evidence[0].counts["dead"] == 29_900


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(1_000_000, Verdict.OK), (1_700_000_000, Verdict.WARNING), (2_100_000_000, Verdict.PROBLEM)],
)
def test_a_sequence_is_held_against_its_columns_type(guide: str, value: int, verdict: Verdict) -> None:
    run(
        guide,
        "ALTER SEQUENCE raw.site_tracking_events_r_raw_event_id_seq AS bigint",
        f"SELECT setval('raw.site_tracking_events_r_raw_event_id_seq', {value})",
        "CREATE SEQUENCE raw.round MAXVALUE 10 CYCLE",
        "SELECT setval('raw.round', 10)",
    )
    assert look(guide, sequences.CHECK).verdict is verdict


def test_a_table_that_vacuum_does_not_freeze_is_found(guide: str) -> None:
    with snapshot_of(guide) as snapshot:
        old = [one._replace(transaction_age=1_300_000_000) for one in snapshot.table_use[:1]]
        snapshot._parts["table_use"] = old + snapshot.table_use[1:]
        (finding,) = wraparound.CHECK.look(snapshot).findings
    assert finding.verdict is Verdict.PROBLEM


def test_who_blocks_whom_is_found(guide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocked, "PATIENCE_SECONDS", 0.2)
    with connect(guide) as waiter, connect(guide) as holder:
        blocking, waiting = holder.info.backend_pid, waiter.info.backend_pid
        holder.execute("LOCK TABLE auth.tenant_h")
        victim = threading.Thread(target=lambda: waiter.execute("SELECT count(*) FROM auth.tenant_h"))
        victim.start()
        time.sleep(0.6)
        outcome = look(guide, blocked.CHECK)
        holder.rollback()
        victim.join()
    (finding,) = outcome.findings
    assert str(blocking) in finding.subject
    assert str(waiting) in finding.evidence[0].object
    assert "auth.tenant_h" in finding.evidence[0].says


def test_a_transaction_left_open_is_found(guide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "IDLE_SECONDS", 0.1)
    with connect(guide) as idle:
        idle.execute("SELECT 1")
        pid = idle.info.backend_pid
        time.sleep(0.3)
        found = look(guide, transactions.CHECK).findings
    assert [one for one in found if str(pid) in one.subject]


def test_settings_that_lose_what_was_committed_are_found(guide: str) -> None:
    assert "fsync" in {one.subject for one in look(guide, server.CHECK).findings}
    with snapshot_of(guide) as snapshot:
        safe = dict.fromkeys(snapshot.server.settings, "on")
        snapshot._parts["server"] = snapshot.server._replace(settings=safe, version=180_004)
        assert server.CHECK.look(snapshot).findings == ()
        snapshot._parts["server"] = snapshot.server._replace(version=160_004)
        (finding,) = server.CHECK.look(snapshot).findings
    assert "CVE-2025-8713" in finding.message


def test_rights_that_are_lent_are_found_in_the_guides_shape(guide: str) -> None:
    body = "LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"
    run(
        guide,
        f"CREATE FUNCTION staging.lends() RETURNS integer {body}",
        f"CREATE FUNCTION staging.pinned() RETURNS integer SET search_path = pg_catalog, pg_temp {body}",
        "GRANT UPDATE ON raw.site_tracking_events_r TO PUBLIC",
        "GRANT SELECT ON auth.tenant_h TO PUBLIC",
    )
    found = {one.subject: one for one in look(guide, posture.CHECK).findings}
    assert "staging.lends()" in found
    assert "staging.pinned()" not in found
    assert found["raw.site_tracking_events_r"].verdict is Verdict.PROBLEM
    assert found["auth.tenant_h"].verdict is Verdict.WARNING


def test_an_application_that_works_as_superuser_is_found_and_a_persons_tool_is_not(guide: str) -> None:
    with (
        connect(f"{guide} application_name=tracker"),
        connect(f"{guide} application_name=psql"),
    ):
        messages = [one.message for one in look(guide, posture.CHECK).findings]
    assert len([one for one in messages if "works as a superuser" in one]) == 1
    assert messages[0].startswith("tracker")


def test_what_the_audit_finds_the_doctor_finds(database: Database) -> None:
    run(database, "ALTER TABLE staging.site_tracking_events_s NO FORCE ROW LEVEL SECURITY")
    found = look(database, posture.CHECK).findings
    assert "staging.site_tracking_events_s" in {one.subject for one in found}


DAMAGE = {
    "index raw.landed_event_event_ix": ("DROP INDEX raw.landed_event_event_ix", "missing"),
    "column auth.tenant_h.note": ("ALTER TABLE auth.tenant_h ADD note text", "added"),
    "function business.encode_part(part text)": (
        "CREATE OR REPLACE FUNCTION business.encode_part(part text) RETURNS bytea LANGUAGE sql IMMUTABLE"
        " AS $$ SELECT part::bytea $$",
        "changed",
    ),
    "constraint raw.batch batch_state": ("ALTER TABLE raw.batch DROP CONSTRAINT batch_state", "missing"),
    "table ops.spare": ("CREATE TABLE ops.spare (a integer)", "added"),
    "view auth.tenant_v": ("GRANT SELECT ON auth.tenant_v TO PUBLIC", "changed"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_was_changed_by_hand_is_found_by_its_name(database: Database, name: str) -> None:
    statement, what = DAMAGE[name]
    if what == "changed" and database.server_version // 10_000 != 18:
        pytest.skip("definitions are compared on the version that comes along")
    run(database, statement)
    found = {one.subject: one for one in look(database, drift.CHECK).findings}
    assert what in found[name].message
    parts = {name, "column ops.spare.a", "index raw.landed_event_default_event_id_idx"}
    assert set(found) <= parts


def test_a_schema_of_another_version_is_not_called_drift(database: Database) -> None:
    run(database, "DELETE FROM ops.object_set")
    (finding,) = look(database, drift.CHECK).findings
    assert finding.repair == "sitevault migrate"


def test_a_round_in_the_guides_shape_runs_every_check(guide: str) -> None:
    report = report_on(guide)
    assert len(report.examined) == len(CHECKS)
    broken = [one for one in report.findings if "the check itself failed" in one.message]
    assert broken == []


def test_a_whole_round_costs_few_queries(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with snapshot_of(database) as snapshot:
        asked: list[str] = []
        execute = psycopg.Cursor.execute
        monkeypatch.setattr(
            psycopg.Cursor,
            "execute",
            lambda self, query, *a, **k: (asked.append(""), execute(self, query, *a, **k))[1],
        )
        examine(snapshot)
    assert len(asked) < 80
