"""Probing a release: what becomes of real events before and after, without touching one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from bundling import house
from given import Sender, land, page_view, row, sender
from sitevault.db.connect import Database, connect
from sitevault.demo import incident
from sitevault.release import probe, settings
from sitevault.release.model import Setting
from sitevault.release.probe import Compared, Verdict
from sitevault.release.target import Target

PROCESS = "staging.process_site_event(p_raw_event_id bigint)"
SECOND = "staging.catch_up_site_event(p_raw_event_id bigint)"


def rows(database: Database, table: str) -> list[tuple[object, ...]]:
    """Every row with the transaction that wrote it."""
    with connect(database.admin_conninfo) as admin:
        return admin.execute(f"SELECT xmin::text, xmax::text, ctid::text, t.* FROM {table} AS t").fetchall()


def compared(target: Target, statements: str) -> Compared:
    ground = target.ground
    with ground.transaction(), ground.conn.transaction(force_rollback=True):
        before = probe.probe(target)
        ground.conn.execute(statements.encode())
        return probe.compare(before, probe.probe(target))


def verdicts(found: Compared, entry: str) -> set[str]:
    return {one.verdict.value for one in found.events if one.entry == entry}


def test_a_fix_mends_the_stuck_events_at_one_door_and_not_at_the_other(guide_target: Target) -> None:
    found = compared(guide_target, incident.text("fixed/staging"))
    assert verdicts(found, PROCESS) == {"mended"}
    assert verdicts(found, SECOND) == {"still fails"}
    assert {one.stands for one in found.events} <= {"PENDING", "ERROR"}


def test_a_release_that_breaks_what_worked_is_seen(guide_target: Target) -> None:
    guide_target.ground.conn.execute(incident.text("fixed/staging"))
    refuse = """
        CREATE FUNCTION raw.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON staging.site_tracking_events_s
        FOR EACH ROW EXECUTE FUNCTION raw.refuse();
    """
    found = compared(guide_target, refuse)
    assert verdicts(found, PROCESS) == {"broken"}


def test_a_column_that_was_filled_and_is_no_more_is_counted_without_its_values(guide_target: Target) -> None:
    ground = guide_target.ground
    ground.conn.execute(incident.text("fixed/staging"))
    wrapped = """
        CREATE FUNCTION raw.lose() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.page_url := NULL; NEW.record_source := 'another'; RETURN NEW; END $$;
        CREATE TRIGGER lose BEFORE INSERT ON staging.site_tracking_events_s
        FOR EACH ROW EXECUTE FUNCTION raw.lose();
    """
    found = compared(guide_target, wrapped)
    assert found.columns[PROCESS].lost["page_url"] == 5
    assert found.columns[PROCESS].changed["record_source"] == 5
    assert "page_url" in found.lost[PROCESS]


def test_a_door_that_is_closed_and_one_that_is_new_are_said(guide_target: Target) -> None:
    ground = guide_target.ground
    ground.conn.execute(incident.text("fixed/staging"))
    body = incident.text("fixed/staging").replace("process_site_event", "another_door")
    found = compared(guide_target, f"DROP FUNCTION {SECOND}; {body}")
    assert verdicts(found, SECOND) == {"closed"}
    assert verdicts(found, PROCESS.replace("process_site_event", "another_door")) == {"new"}


def test_probing_leaves_every_row_of_the_guide_as_it_was(
    guide_target: Target, incident_database: Database
) -> None:
    tables = ("raw.site_tracking_events_r", "staging.site_tracking_events_s")
    before = [rows(incident_database, table) for table in tables]
    compared(guide_target, incident.text("fixed/staging"))
    after = [rows(incident_database, table) for table in tables]
    strip = [[(one[0], *one[2:]) for one in table] for table in before]
    assert [[(one[0], *one[2:]) for one in table] for table in after] == strip


# -- the house -------------------------------------------------------------------------------------------------


@pytest.fixture
def site(database: Database) -> Sender:
    return sender(database)


@pytest.fixture
def pending(database: Database, site: Sender) -> Iterator[Target]:
    """Five events have landed, and no worker has come by yet."""
    land(database, [row(site, page_view(number)) for number in range(4)])
    land(database, [row(site, {"page_url": "https://spa.example/"})])
    with house(database) as target:
        yield target


def test_the_pipeline_carries_copies_of_pending_events(pending: Target) -> None:
    with pending.ground.transaction():
        found = probe.probe(pending)
    assert set(found.stands.values()) == {"PENDING"}
    (outputs,) = found.outputs.values()
    said = Counter(probe.said(output) for output in outputs.values())
    assert said == {"PROCESSED, VALID": 4, "PROCESSED, INVALID": 1}


def test_a_mapping_that_the_release_brings_is_seen(pending: Target, site: Sender) -> None:
    mapping = Setting("mapping", site.tenant_bk, None, '{"page_title": ["session_id"]}')
    ground = pending.ground
    with ground.transaction(), ground.conn.transaction(force_rollback=True):
        before = probe.probe(pending)
        settings.put(pending, [mapping])
        found = probe.compare(before, probe.probe(pending))
    (shift,) = found.columns.values()
    assert shift.gained["page_title"] == 4
    assert not shift.lost


def test_a_right_that_the_worker_loses_stops_every_event(pending: Target) -> None:
    found = compared(pending, "REVOKE INSERT ON business.site_session_h FROM sitevault_worker")
    assert "42501" in {one.after.rpartition(" ")[2] for one in found.events}
    assert found.count(Verdict.BROKEN) >= 4


def test_a_constraint_that_refuses_events_breaks_them(pending: Target) -> None:
    found = compared(
        pending, "ALTER TABLE business.site_page_h ADD CONSTRAINT never CHECK (page_hk IS NULL) NOT VALID"
    )
    assert "failed with 23514" in {one.after for one in found.events}


def test_probing_leaves_every_row_of_the_house_as_it_was(pending: Target, database: Database) -> None:
    tables = ("raw.batch", "raw.dead_letter", "staging.site_tracking_events_s", "business.site_event_nl",
              "business.site_page_h", "mart.session_f", "ops.ledger_d", "ops.load")  # fmt: skip
    before = [rows(database, table) for table in tables]
    compared(pending, "SELECT 1")
    assert [rows(database, table) for table in tables] == before


def test_json_reads_as_it_did_after_probing(pending: Target) -> None:
    with pending.ground.transaction():
        probe.probe(pending)
    assert pending.ground.one("""SELECT '{"a": 1}'::jsonb""") == ({"a": 1},)
