"""A plan says exactly what a bundle will do in an environment, and making it changes nothing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from bundling import bundle, guide
from given import Sender, sender
from sitevault.db import binaries
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.demo import incident
from sitevault.errors import UsageError
from sitevault.release import apply, plan, record, settings
from sitevault.release.model import (
    Bundle,
    File,
    ReleaseBlockedError,
    ReleaseError,
    ReleasePlan,
    Setting,
    definition_digest,
    seal,
)
from sitevault.release.target import Target
from sitevault.tenancy.tenants import find_tenant

FIX = File("objects/staging.sql", incident.text("fixed/staging"))
DEFAULT = File(
    "migrations/0001_default.sql", "ALTER TABLE raw.site_tracking_events_r ALTER error_message SET DEFAULT 'x'"
)
MORE = File("objects/more.sql", "CREATE FUNCTION staging.more() RETURNS int LANGUAGE sql AS 'SELECT 1'")
NOTE = "CREATE TABLE raw.note (n int)"
REPORT = File("objects/report.sql", "CREATE OR REPLACE VIEW mart.report AS SELECT 1 AS one;\n")


def names(made: ReleasePlan) -> set[str]:
    """The hazards, less that a database made for the test has no day behind it."""
    return {hazard.name for hazard in made.hazards} - {"no_baseline"}


def test_a_fix_of_a_function_changes_that_function_alone(guide_target: Target) -> None:
    made = plan.make(guide_target, bundle(guide_target, objects=[FIX]))
    (change,) = made.changes
    assert (change.kind, change.identity) == ("function", "staging.process_site_event(p_raw_event_id bigint)")
    assert change.before
    assert change.after
    assert change.before != change.after
    assert names(made) == set()
    assert not made.empty


def test_making_a_plan_changes_nothing(guide_target: Target) -> None:
    before = guide_target.snapshot().digest
    plan.make(guide_target, bundle(guide_target, objects=[FIX]))
    assert guide_target.snapshot().digest == before


def test_what_is_there_already_is_an_empty_plan(guide_target: Target) -> None:
    made = bundle(guide_target, objects=[FIX])
    guide_target.ground.conn.execute(FIX.text.encode())
    assert plan.make(guide_target, made).empty


def test_a_view_of_a_house_is_planned_as_its_owner(house_target: Target) -> None:
    made = plan.make(house_target, bundle(house_target, objects=[REPORT]))
    assert [change.identity for change in made.changes if change.kind == "view"] == ["mart.report"]
    assert "not_probed" in names(made)  # no event has landed in it


def test_a_database_that_was_never_enrolled_is_refused(incident_database: Database) -> None:
    with guide(incident_database, enrolled=False) as target, pytest.raises(ReleaseBlockedError, match="enrol"):
        plan.make(target, seal(structs.replace(_nothing(), shape="guide")))


def test_a_bundle_of_another_shape_is_refused(house_target: Target) -> None:
    with pytest.raises(ReleaseBlockedError, match="of shape guide"):
        plan.make(house_target, seal(structs.replace(_nothing(), shape="guide")))


def test_a_parameter_without_a_value_is_refused(guide_target: Target) -> None:
    made = seal(structs.replace(_nothing(), parameters=("limit",)))
    with pytest.raises(ReleaseBlockedError, match="gives no value to: limit"):
        plan.make(guide_target, made)


def test_a_parameter_is_put_in_as_a_literal(incident_database: Database) -> None:
    text = "CREATE FUNCTION staging.greeting() RETURNS text LANGUAGE sql AS $$ SELECT :{greeting}::text $$;"
    with guide(incident_database, parameters={"greeting": "it's; DROP"}) as target:
        made = bundle(
            target, objects=[File("objects/greeting.sql", text)], parameters=dict(target.settings.parameters)
        )
        planned = plan.make(target, made)
        assert planned.parameters == {"greeting": "it's; DROP"}
        assert "SELECT 'it''s; DROP'::text" in plan.render_sql(planned, made)


def test_what_the_bundle_does_not_expect_is_refused(guide_target: Target) -> None:
    made = bundle(guide_target, objects=[FIX])
    surprising = structs.replace(made, objects=(FIX, MORE))
    with pytest.raises(ReleaseError, match=r"staging\.more\(\) changes, which the bundle does not expect"):
        plan.make(guide_target, surprising)


def test_another_outcome_than_where_it_was_built_is_refused(guide_target: Target) -> None:
    made = bundle(guide_target, objects=[FIX])
    (one,) = made.expected
    other = structs.replace(made, expected=(structs.replace(one, attributes='{"definition": "another"}'),))
    with pytest.raises(ReleaseError, match="definition is"):
        plan.make(guide_target, other)


def test_an_error_of_sql_names_file_and_line(guide_target: Target) -> None:
    broken = seal(structs.replace(_nothing(), objects=(File("objects/x.sql", "SELECT 1;\n\nSELEC 2;"),)))
    with pytest.raises(ReleaseError, match=r"objects/x\.sql failed: 42601 .*, line 3"):
        plan.make(guide_target, broken)


def test_a_migration_that_ran_runs_no_more_and_an_edited_one_is_refused(guide_target: Target) -> None:
    file = File("migrations/0001_note.sql", "CREATE TABLE raw.note (n int);", revert="DROP TABLE raw.note;")
    made = bundle(guide_target, migrations=[file])
    assert plan.make(guide_target, made).migrations == (file.name,)
    guide_target.ground.conn.execute(file.text.encode())
    record.add_file(guide_target.ground, "x", file.name, file.sha256)
    assert plan.make(guide_target, made).empty
    edited = structs.replace(made, migrations=(structs.replace(file, text=file.text + " "),))
    with pytest.raises(ReleaseBlockedError, match="Not what ran here under that name"):
        plan.make(guide_target, edited)


# -- hazards ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "revert", "found"),
    [
        (NOTE, None, {"irreversible"}),
        (NOTE, "DROP TABLE raw.note", set()),
        (NOTE, "SELECT 1", {"irreversible"}),
        (
            "ALTER TABLE staging.site_tracking_events_s DROP COLUMN record_source",
            None,
            {"data_loss", "irreversible"},
        ),
        ("DELETE FROM raw.site_tracking_events_r WHERE raw_event_id = 2", None, {"data_loss"}),
        ("TRUNCATE raw.site_tracking_events_r CASCADE", None, {"data_loss"}),
        (
            "ALTER TABLE raw.site_tracking_events_r ALTER error_message TYPE varchar(900)",
            "ALTER TABLE raw.site_tracking_events_r ALTER error_message TYPE text",
            {"rewrite"},
        ),
        (
            "CREATE FUNCTION staging.process_site_event(bigint, boolean) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            None,
            {"overload"},
        ),
        (DEFAULT.text, None, set()),
    ],
)
def test_each_hazard_is_found_by_trying(
    new_database: Callable[[str], Database], text: str, revert: str | None, found: set[str]
) -> None:
    database = new_database("template0")
    with connect(database.admin_conninfo) as admin:
        incident.build(admin)
    with guide(database) as target:
        file = File("migrations/0001_change.sql", text, revert=revert)
        assert names(plan.make(target, bundle(target, migrations=[file]))) == found


def test_a_large_table_that_is_locked_against_writers_is_a_hazard(
    guide_target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bundle(guide_target, migrations=[DEFAULT])
    assert "long_lock" not in names(plan.make(guide_target, made))
    monkeypatch.setattr("sitevault.release.hazards.LONG_LOCK_BYTES", 1)
    assert "long_lock" in names(plan.make(guide_target, made))


def test_a_foreign_database_without_a_scheduler_cannot_be_paused(incident_database: Database) -> None:
    with guide(incident_database, scheduler=None) as target:
        assert names(plan.make(target, bundle(target, objects=[FIX]))) == {"unpausable"}


def test_a_server_older_than_the_one_it_was_tried_on_is_a_hazard(guide_target: Target) -> None:
    made = bundle(guide_target, objects=[FIX], postgresql=99)
    assert names(plan.make(guide_target, made)) == {"older_server"}


def test_a_hazard_is_accepted_by_name_and_an_unknown_name_is_refused(guide_target: Target) -> None:
    made = bundle(guide_target, objects=[FIX], postgresql=99)
    assert plan.unaccepted(plan.make(guide_target, made))
    accepted = plan.make(guide_target, made, ["older_server", "no_baseline"])
    assert accepted.accepted == ("no_baseline", "older_server")
    assert not plan.unaccepted(accepted)
    with pytest.raises(UsageError, match="no hazard called everything"):
        plan.make(guide_target, made, ["everything"])


# -- locks -----------------------------------------------------------------------------------------------------


def test_a_lock_somebody_holds_is_waited_for_briefly_and_its_holder_is_named(
    guide_target: Target, incident_database: Database
) -> None:
    made = bundle(guide_target, migrations=[DEFAULT])
    with connect(f"{incident_database.admin_conninfo} application_name=report") as other:
        other.execute("SELECT 'a secret' FROM raw.site_tracking_events_r")
        with pytest.raises(ReleaseBlockedError) as refused:
            plan.make(guide_target, made)
        holder = other.info.backend_pid
    said = refused.value.message
    assert f"process {holder}" in said
    assert "report" in said
    assert "raw.site_tracking_events_r" in said
    assert "secret" not in said


# -- the script ------------------------------------------------------------------------------------------------


def test_the_script_run_by_psql_does_what_the_plan_says(
    guide_target: Target, incident_database: Database, tmp_path: Path
) -> None:
    file = File(
        "migrations/0001_note.sql",
        f"{NOTE} -- no semicolon",
        revert="DROP TABLE raw.note",
        verify="SELECT count(*) = 0 FROM raw.note;",
    )
    made = bundle(guide_target, migrations=[file], objects=[FIX])
    planned = plan.make(guide_target, made)
    _psql(incident_database, tmp_path, plan.render_sql(planned, made))
    after = {tuple(name): text for name, text in guide_target.snapshot().objects.items()}
    assert {one.identity: definition_digest(after.get((one.kind, one.identity))) for one in planned.changes} == {
        one.identity: one.after for one in planned.changes
    }


def test_a_script_whose_verification_fails_leaves_nothing(
    guide_target: Target, incident_database: Database, tmp_path: Path
) -> None:
    file = File("migrations/0001_note.sql", NOTE, verify="SELECT count(*) > 0 FROM raw.note")
    made = bundle(guide_target, migrations=[file])
    before = guide_target.snapshot().digest
    with pytest.raises(subprocess.CalledProcessError) as failed:
        _psql(incident_database, tmp_path, plan.render_sql(plan.make(guide_target, made), made))
    assert "0001_note.sql does not verify" in failed.value.stderr
    assert guide_target.snapshot().digest == before


def test_the_script_of_a_plan_is_always_the_same(guide_target: Target) -> None:
    made = bundle(guide_target, objects=[FIX])
    planned = plan.make(guide_target, made)
    assert plan.render_sql(planned, made) == plan.render_sql(planned, made)
    again = plan.make(guide_target, made)
    strip = re.compile("^-- plan .*$", re.MULTILINE)
    assert strip.sub("", plan.render_sql(planned, made)) == strip.sub("", plan.render_sql(again, made))


# -- settings --------------------------------------------------------------------------------------------------


def test_settings_are_planned_put_in_force_and_taken_back(house_target: Target, database: Database) -> None:
    site = sender(database, "acme")
    mapping = Setting("mapping", site.tenant_bk, None, '{"session_id": ["context.sid"]}')
    schema = Setting("schema", site.tenant_bk, "page_view", '{"type": "object"}')
    made = bundle(house_target, settings=[mapping, schema])
    planned = plan.make(house_target, made)
    assert planned.settings == (settings.named(mapping), settings.named(schema))
    assert planned.changes == ()
    ground = house_target.ground
    with ground.transaction():
        apply.whole(house_target, made, {})
    assert plan.make(house_target, made).empty
    with ground.transaction():
        apply.revert(house_target, made, (), planned.settings)
    assert plan.make(house_target, made).settings == planned.settings
    assert _mapping(database, site) == {}


def test_settings_of_a_tenant_who_is_not_there_are_refused(house_target: Target) -> None:
    made = seal(structs.replace(_nothing(), shape="house", settings=(Setting("mapping", "nobody", None, "{}"),)))
    with pytest.raises(ReleaseBlockedError, match="the tenant nobody, who is not in testing"):
        plan.make(house_target, made)


def _mapping(database: Database, site: Sender) -> dict[str, list[str]]:
    with database.connect(Role.JUDGE) as judge:
        return find_tenant(judge, site.tenant_bk).mapping


def _nothing() -> Bundle:
    return Bundle(
        format=1, name="fix", version="1", shape="guide", author="ada", sitevault="0.1.0", postgresql=15,
        base_sha256="", migrations=(), objects=(), settings=(), staging="", parameters=(), claims=(), expected=(),
    )  # fmt: skip


def _psql(database: Database, tmp_path: Path, script: str) -> None:
    (tmp_path / "release.sql").write_text(script, "utf-8")
    subprocess.run(
        [
            binaries.find().program("psql"),
            "-X",
            "-q",
            "-d",
            database.admin_conninfo,
            "-f",
            tmp_path / "release.sql",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
