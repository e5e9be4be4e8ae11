"""A rehearsal goes there and back on the target itself, and leaves it exactly as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from bundling import bundle, guide
from given import land, page_view, row, sender
from sitevault.db.connect import Database, connect
from sitevault.db.migration_files import migrations, objects
from sitevault.demo import incident
from sitevault.release import plan
from sitevault.release.bundle import make as built
from sitevault.release.events import Event, Teller, silent
from sitevault.release.model import Bundle, File, ReleaseBlockedError
from sitevault.release.rehearse import Rehearsal, rehearse
from sitevault.release.target import Target

FIX = File("objects/staging.sql", incident.text("fixed/staging"))
SECOND = File("objects/second.sql", incident.text("fixed/second_door"))
REPORT = File("objects/report.sql", "CREATE OR REPLACE VIEW mart.report AS SELECT 1 AS one;")
LOSES = """
CREATE OR REPLACE FUNCTION raw.lose() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.page_url := NULL; RETURN NEW; END $$;
CREATE OR REPLACE TRIGGER lose BEFORE INSERT ON staging.site_tracking_events_s
FOR EACH ROW EXECUTE FUNCTION raw.lose();
"""


def tried(target: Target, made: Bundle, *accepted: str) -> Rehearsal:
    return rehearse(target, made, plan.make(target, made, accepted), Teller(silent, target.environment))


def everything(database: Database) -> list[object]:
    """Every row of every table with the transaction that wrote it, and how far the catalog is."""
    with connect(database.admin_conninfo) as admin:
        tables = admin.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname !~ '^(pg_|information_)' ORDER BY 1"
        ).fetchall()
        return [
            (name, admin.execute(f"SELECT xmin::text, t.*::text FROM {name} AS t ORDER BY 2").fetchall())
            for (name,) in tables
        ]


def test_a_fix_is_rehearsed_and_the_table_says_what_happened_to_each_event(guide_target: Target) -> None:
    seen = tried(guide_target, bundle(guide_target, objects=[FIX, SECOND]))
    assert seen.reasons == []
    assert seen.compared is not None
    assert {one.verdict.value for one in seen.compared.events} == {"mended"}
    assert len(seen.compared.events) == 2 * 5
    assert any("functions.set_returning_in_scalar" in fault.check for fault in seen.mends)
    assert list(seen.seconds) == ["look", "probe before", "apply", "check", "probe after", "verify", "back"]


def test_a_rehearsal_leaves_catalog_and_rows_as_they_were(
    guide_target: Target, incident_database: Database
) -> None:
    before, rows = guide_target.snapshot().digest, everything(incident_database)
    tried(guide_target, bundle(guide_target, objects=[FIX]))
    assert guide_target.snapshot().digest == before
    assert everything(incident_database) == rows


def test_a_lost_column_is_a_refusal_unless_it_is_accepted(guide_target: Target) -> None:
    guide_target.ground.conn.execute(FIX.text.encode())
    made = bundle(guide_target, objects=[File("objects/lose.sql", LOSES)])
    (reason,) = tried(guide_target, made).reasons
    assert "loses what it filled before: page_url of 5 events" in reason
    accepted = tried(guide_target, made, "output_lost")
    assert accepted.ok
    assert any("(accepted)" in remark for remark in accepted.remarks)


def test_a_release_that_brings_a_fault_is_refused(guide_target: Target) -> None:
    for name in incident.FIXES:
        guide_target.ground.conn.execute(incident.text(f"fixed/{name}"))
    made = bundle(guide_target, objects=[File("objects/ingest.sql", _ingest())])
    assert any("functions.arbitrary_tenant" in reason for reason in tried(guide_target, made).reasons)


def test_a_verification_that_is_not_true_is_a_refusal(guide_target: Target) -> None:
    made = bundle(guide_target, objects=[structs.replace(FIX, verify="SELECT false")])
    assert tried(guide_target, made).reasons == ["the verification of objects/staging.sql does not say true"]


def test_without_a_way_back_it_is_a_refusal_unless_it_is_accepted(guide_target: Target) -> None:
    made = bundle(guide_target, migrations=[File("migrations/0001_note.sql", "CREATE TABLE raw.note (n int)")])
    (reason,) = tried(guide_target, made).reasons
    assert reason.startswith("there is no way back: ")
    assert "raw.note" in reason
    assert tried(guide_target, made, "irreversible").ok


def test_an_object_that_moved_since_the_plan_stops_it(guide_target: Target) -> None:
    made = bundle(guide_target, objects=[FIX])
    planned = plan.make(guide_target, made)
    guide_target.ground.conn.execute("COMMENT ON FUNCTION staging.process_site_event(bigint) IS 'moved'")
    with pytest.raises(ReleaseBlockedError, match=r"Changed since the plan was made: .*process_site_event"):
        rehearse(guide_target, made, planned, Teller(silent, "testing"))


def test_a_plan_of_another_bundle_is_refused(guide_target: Target) -> None:
    made, other = bundle(guide_target, objects=[FIX]), bundle(guide_target, objects=[SECOND])
    with pytest.raises(ReleaseBlockedError, match="The plan is for the bundle"):
        rehearse(guide_target, other, plan.make(guide_target, made), Teller(silent, "testing"))


def test_a_lock_somebody_holds_ends_it_soon_and_is_named(
    guide_target: Target, incident_database: Database
) -> None:
    made = bundle(guide_target, objects=[File("objects/lose.sql", LOSES)])
    planned = plan.make(guide_target, made)
    with connect(f"{incident_database.admin_conninfo} application_name=nightly") as other:
        other.execute("LOCK TABLE staging.site_tracking_events_s IN SHARE MODE")
        with pytest.raises(ReleaseBlockedError, match=r"nightly.*holds staging\.site_tracking_events_s"):
            rehearse(guide_target, made, planned, Teller(silent, "testing"))


def test_it_tells_what_it_does(guide_target: Target) -> None:
    heard: list[Event] = []
    made = bundle(guide_target, objects=[FIX])
    rehearse(guide_target, made, plan.make(guide_target, made), Teller(heard.append, "testing"))
    assert {event.step for event in heard} == {"rehearse"}
    assert heard[-1].message == "Rolled back"


# -- the house -------------------------------------------------------------------------------------------------


def test_a_view_is_rehearsed_in_a_house_with_events_under_way(house_target: Target, database: Database) -> None:
    site = sender(database)
    land(database, [row(site, page_view(number)) for number in range(3)])
    before, rows = house_target.snapshot().digest, everything(database)
    seen = tried(house_target, bundle(house_target, objects=[REPORT]))
    assert seen.reasons == []
    assert seen.compared is not None
    assert [one.after for one in seen.compared.events] == ["PROCESSED, VALID"] * 3
    assert house_target.snapshot().digest == before
    assert everything(database) == rows


def test_sitevaults_own_schema_is_rehearsed_through_its_own_ledger(
    house_target: Target, database: Database
) -> None:
    site = sender(database)
    land(database, [row(site, page_view(1))])
    made = own(house_target, "COMMENT ON TABLE raw.batch IS 'another word';")
    planned = plan.make(house_target, made)
    assert [(one.kind, one.identity) for one in planned.changes] == [("table", "raw.batch")]
    rows = everything(database)
    seen = rehearse(house_target, made, planned, Teller(silent, "testing"))
    assert seen.reasons == []
    assert everything(database) == rows


def own(target: Target, more: str) -> Bundle:
    """Sitevault's own schema, with one object changed."""
    files = [File(f"objects/{file.path.name}", file.text.decode()) for file in objects()]
    last = structs.replace(files[-1], text=f"{files[-1].text}\n{more}\n")
    return bundle(
        target,
        migrations=[File(f"migrations/{file.path.name}", file.text.decode()) for file in migrations()],
        objects=[*files[:-1], last],
        own=True,
    )


def _ingest() -> str:
    text: str = incident.text("03_functions")
    start = text.index("CREATE FUNCTION raw.ingest_site_event")
    return text[start : text.index("CREATE FUNCTION staging.browser_of")].replace(
        "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
    )


def test_a_foreign_database_is_rehearsed_while_nobody_can_pause_it(incident_database: Database) -> None:
    with guide(incident_database, scheduler=None) as target:
        assert tried(target, bundle(target, objects=[FIX])).ok


def test_sitevaults_own_bundle_is_an_empty_plan_where_it_is_in_force(house_target: Target) -> None:
    made = built(None, "ada", silently).bundle
    assert plan.make(house_target, made).empty


def test_a_bundle_from_a_directory_is_rehearsed_as_it_was_built(guide_target: Target, tmp_path: Path) -> None:
    (tmp_path / "objects").mkdir()
    (tmp_path / "release.toml").write_text('name = "fix"\nversion = "1"\nshape = "guide"\n')
    base = [incident.text(name) for name in ("01_tables", "02_tenants", "03_functions")]
    base += [incident.text(f"staging_{version}") for version in incident.FAULTS]
    (tmp_path / "base.sql").write_text("\n".join(base))
    (tmp_path / "objects" / "staging.sql").write_text(FIX.text)
    made = built(tmp_path, "ada", silently).bundle
    assert tried(guide_target, made).reasons == []


def silently(_: str) -> None:
    """Nobody reads the progress of a build here."""
