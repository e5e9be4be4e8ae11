"""The checklist, executed: each item is ok, a warning, blocked or unknown, and each can be each it says it can."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from bundling import bundle, guide, house
from given import land, page_view, row, sender
from sitevault import __version__
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.demo import incident
from sitevault.release import plan, preflight, record, staged
from sitevault.release.model import Bundle, File, ReleasePlan, seal
from sitevault.release.preflight.model import Checked
from sitevault.release.preflight.registry import ITEMS
from sitevault.release.target import Target

FIX = File("objects/staging.sql", incident.text("fixed/staging"))
REPORT = File("objects/report.sql", "CREATE OR REPLACE VIEW mart.report AS SELECT 1 AS one;")


def look(target: Target, made: Bundle, planned: ReleasePlan | None = None) -> dict[str, Checked]:
    return {one.item: one for one in preflight.run(target, made, planned or plan.make(target, made))}


def test_the_incident_may_be_mended_and_nothing_is_shown_better_than_it_is(guide_target: Target) -> None:
    before = guide_target.snapshot().digest
    found = look(guide_target, bundle(guide_target, objects=[FIX]))
    assert list(found) == [item.id for item in ITEMS]
    assert [one.item for one in found.values() if one.verdict == "blocked"] == []
    assert found["identity"].verdict == found["rights"].verdict == found["trial"].verdict == "ok"
    assert found["pending"].evidence.startswith("5 events are pending")
    assert found["tenants"].verdict in ("warning", "unknown")
    assert found["tenants"].evidence.startswith("of 5 events looked at: ")
    assert "equal to the byte" in found["backup"].evidence
    assert guide_target.snapshot().digest == before


def test_a_house_with_its_workers_version_and_disk(house_target: Target, database: Database) -> None:
    site = sender(database)
    land(database, [row(site, page_view(1))])
    made = bundle(house_target, objects=[REPORT], staging=staged.digest(), sitevault=__version__)
    assert look(house_target, made)["workers"].evidence == "no worker is connected"
    with database.connect(Role.WORKER, application_name=f"worker-bell {__version__}"):
        found = look(house_target, made)
    assert [one for one in found.values() if one.verdict == "blocked"] == []
    assert found["workers"].verdict == "ok"
    assert found["pending"].evidence.startswith("1 events are pending")
    assert found["tenants"].verdict == "ok"
    with database.connect(Role.WORKER, application_name="worker-bell 0.0.9"):
        assert look(house_target, made)["workers"].verdict == "warning"
    with database.connect(Role.WORKER, application_name="worker-bell"):
        assert look(house_target, made)["workers"].verdict == "unknown"
    other = seal(structs.replace(made, staging="another"))
    assert look(house_target, other)["workers"].verdict == "blocked"


def test_disk_is_read_where_the_server_is_ours_and_unknown_where_it_is_elsewhere(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house(database) as target:
        made = bundle(target, objects=[REPORT])
        planned = plan.make(target, made)
        target.config.home.mkdir(exist_ok=True) if target.config.home == tmp_path else None
        monkeypatch.setattr("sitevault.release.preflight.disk._directory", lambda look: None)
        assert look(target, made, planned)["disk"].verdict == "unknown"
        monkeypatch.setattr("sitevault.release.preflight.disk._directory", lambda look: tmp_path)
        monkeypatch.setattr("sitevault.release.preflight.disk.LEAST_BYTES", 0)
        assert "MiB free" in look(target, made, planned)["disk"].evidence
        monkeypatch.setattr("sitevault.release.preflight.disk.LEAST_BYTES", 2**62)
        assert look(target, made, planned)["disk"].verdict == "blocked"


def test_a_database_that_is_another_now_is_blocked(guide_target: Target) -> None:
    made = bundle(guide_target, objects=[FIX])
    planned = plan.make(guide_target, made)
    record.enroll(guide_target)
    assert look(guide_target, made, planned)["identity"].verdict == "blocked"


def test_a_user_who_may_not_is_blocked(guide_target: Target) -> None:
    made = bundle(guide_target, objects=[FIX])
    planned = plan.make(guide_target, made)
    with connect(guide_target.conninfo, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS passer_by")
        admin.execute("CREATE ROLE passer_by")
        admin.execute("GRANT USAGE ON SCHEMA raw, staging, sitevault_release TO passer_by")
        admin.execute("GRANT SELECT ON ALL TABLES IN SCHEMA raw, staging, sitevault_release TO passer_by")
    try:
        guide_target.ground.conn.execute("SET ROLE passer_by")
        found = look(guide_target, made, planned)
        guide_target.ground.conn.execute("RESET ROLE")
    finally:
        with connect(guide_target.conninfo, autocommit=True) as admin:
            admin.execute("DROP OWNED BY passer_by; DROP ROLE passer_by")
    assert found["rights"].verdict == "blocked"
    assert found["trial"].verdict == "blocked"
    assert found["backup"].verdict == "unknown"


def test_a_column_nobody_expects_is_a_warning_and_a_missing_one_blocks(guide_target: Target) -> None:
    conn = guide_target.ground.conn
    conn.execute("ALTER TABLE raw.site_tracking_events_r ADD COLUMN processed_timestamp timestamptz")
    made = bundle(guide_target, objects=[FIX])
    assert look(guide_target, made)["structure"].evidence == (
        "nobody expects raw.site_tracking_events_r.processed_timestamp"
    )
    conn.execute("ALTER TABLE raw.site_tracking_events_r DROP COLUMN processed_timestamp")
    into = "INSERT INTO staging.site_tracking_events_s ("
    bad = FIX.text.replace(into, f"{into}surprise, ", 1)
    broken = bundle(guide_target, objects=[structs.replace(FIX, text=bad)])
    found = look(guide_target, broken)["structure"]
    assert found.verdict == "blocked"
    assert "surprise" in found.evidence


def test_a_constraint_that_was_never_validated_is_a_warning(guide_target: Target) -> None:
    guide_target.ground.conn.execute(
        "ALTER TABLE raw.site_tracking_events_r ADD CONSTRAINT late CHECK (raw_event_id > 0) NOT VALID"
    )
    assert look(guide_target, bundle(guide_target, objects=[FIX]))["references"].verdict == "warning"


def test_an_object_that_moved_blocks_and_one_changed_by_hand_is_told(guide_target: Target) -> None:
    made = bundle(guide_target, objects=[FIX])
    planned = plan.make(guide_target, made)
    ground = guide_target.ground
    with ground.transaction():
        before = guide_target.snapshot()
        ground.conn.execute(FIX.text.encode())
        changes = list(before.changes(guide_target.snapshot()))
        record.record_release(
            ground, planned, made, changes, started_at=_now(guide_target), baseline=None, standing="{}"
        )
    assert look(guide_target, made, planned)["drift"].verdict == "blocked"
    ground.conn.execute("COMMENT ON FUNCTION staging.process_site_event(bigint) IS 'by hand'")
    again = FIX.text + "\nCOMMENT ON FUNCTION staging.process_site_event(bigint) IS 'by release';"
    found = look(guide_target, bundle(guide_target, objects=[structs.replace(FIX, text=again)]))["drift"]
    assert found.verdict == "warning"
    assert "not as fix 1 left it" in found.evidence


def test_no_way_back_blocks_until_it_is_accepted(guide_target: Target) -> None:
    made = bundle(guide_target, migrations=[File("migrations/0001_note.sql", "CREATE TABLE raw.note (n int)")])
    assert look(guide_target, made)["backup"].verdict == "blocked"
    accepted = plan.make(guide_target, made, ["irreversible"])
    assert look(guide_target, made, accepted)["backup"].verdict == "warning"


def test_a_lock_that_is_held_blocks_and_names_its_holder(guide_target: Target) -> None:
    file = File(
        "migrations/0001_d.sql", "ALTER TABLE raw.site_tracking_events_r ALTER error_message SET DEFAULT ''"
    )
    made = bundle(guide_target, migrations=[file])
    planned = plan.make(guide_target, made)
    with connect(f"{guide_target.conninfo} application_name=nightly") as other:
        other.execute("LOCK TABLE raw.site_tracking_events_r IN SHARE MODE")
        found = look(guide_target, made, planned)["conflicts"]
    assert found.verdict == "blocked"
    assert "nightly" in found.evidence


def test_a_long_transaction_is_a_warning(guide_target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitevault.release.preflight.conflicts.LONG_SECONDS", 0.0)
    made = bundle(guide_target, objects=[FIX])
    with connect(f"{guide_target.conninfo} application_name=nightly") as other:
        other.execute("SELECT 1")
        found = look(guide_target, made)["conflicts"]
    assert found.verdict == "warning"
    assert "nightly" in found.evidence


def test_too_few_connections_block(guide_target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitevault.release.preflight.load.FREE_CONNECTIONS", 10_000)
    assert look(guide_target, bundle(guide_target, objects=[FIX]))["load"].verdict == "blocked"


def test_an_item_that_breaks_is_unknown(guide_target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sitevault.release.preflight.pending.OLD_SECONDS", "not a number")
    found = look(guide_target, bundle(guide_target, objects=[FIX]))["pending"]
    assert found.verdict == "unknown"
    assert "TypeError" in found.evidence


def test_a_foreign_database_without_a_scheduler_has_unknown_workers(incident_database: Database) -> None:
    with guide(incident_database, scheduler=None) as target:
        assert look(target, bundle(target, objects=[FIX]))["workers"].verdict == "unknown"


def _now(target: Target) -> object:
    row = target.ground.one("SELECT now()")
    return row[0] if row else None
