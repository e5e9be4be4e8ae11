"""Where the server has plpgsql_check it reads the functions too; where not, that is said and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.doctoring import look, run, snapshot_of

from sitevault.db.catalog import capture
from sitevault.db.connect import Database, connect
from sitevault.doctor import plpgsql_check, scratch
from sitevault.doctor.checks.functions.missing_object import CHECK
from sitevault.doctor.model import Outcome, Verdict
from sitevault.doctor.snapshot import Ground, Options

GROUNDS = pytest.mark.parametrize("ground", [Ground.CLONE, Ground.TARGET])
AVAILABLE = "SELECT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'plpgsql_check')"
LEFT_OVER = "SELECT datname FROM pg_catalog.pg_database WHERE datname LIKE 'sitevault_doctor_%'"


def is_available(database: Database) -> bool:
    with connect(database.admin_conninfo) as admin:
        return admin.execute(AVAILABLE).fetchone() == (True,)


@pytest.fixture
def checkable(template: Database) -> None:
    if not is_available(template):
        pytest.skip("this server has no plpgsql_check: run with PostgreSQL 15 and postgresql-15-plpgsql-check")


@pytest.fixture
def uncheckable(template: Database) -> None:
    if is_available(template):
        pytest.skip("this server has plpgsql_check: what is said without it is tested on the embedded one")


@pytest.fixture(autouse=True)
def nothing_is_left_over(template: Database) -> Iterator[None]:
    yield
    with connect(template.admin_conninfo) as admin:
        assert admin.execute(LEFT_OVER).fetchall() == []


def told(database: Database | str, ground: Ground | None) -> list[tuple[str, str]]:
    """Function without arguments and SQLSTATE of each thing plpgsql_check says."""
    where = database if isinstance(database, str) else database.admin_conninfo
    with snapshot_of(where, Options(ground=ground)) as snapshot:
        answer = plpgsql_check.ask(snapshot)
    assert answer.not_asked is None
    return [(one.function.partition("(")[0], one.sqlstate) for one in answer.said]


def examined(conninfo: str, ground: Ground | None) -> Outcome:
    return look(conninfo, CHECK, Options(ground=ground))


@pytest.mark.usefixtures("checkable")
@GROUNDS
def test_it_finds_what_is_missing_in_the_incident_and_leaves_the_catalog_as_it_was(
    incident_database: Database, ground: Ground
) -> None:
    with connect(incident_database.admin_conninfo) as admin:
        before = capture(admin).digest
    found = told(incident_database, ground)
    assert ("staging.process_site_event", "42703") in found
    assert ("staging.browser_of", "42883") in found or ("staging.browser_of", "3F000") in found
    with connect(incident_database.admin_conninfo) as admin:
        assert capture(admin).digest == before


@pytest.mark.usefixtures("checkable")
@GROUNDS
def test_what_the_text_told_already_is_not_told_twice(incident_database: Database, ground: Ground) -> None:
    outcome = examined(incident_database.admin_conninfo, ground)
    places = [(one.subject, one.evidence[0].sqlstate) for one in outcome.findings]
    assert len(places) == len(set(places))
    assert outcome.verdict is Verdict.PROBLEM


@pytest.mark.usefixtures("checkable")
@GROUNDS
def test_it_finds_what_the_text_alone_does_not_show(guide: str, ground: Ground) -> None:
    run(
        guide,
        "CREATE FUNCTION staging.mixed_up(n integer) RETURNS text LANGUAGE plpgsql AS $$\n"
        "BEGIN\n"
        "    RETURN (\n"
        "        SELECT event_type FROM staging.site_tracking_events_s WHERE page_url = n LIMIT 1\n"
        "    );\n"
        "END $$",
    )
    (finding,) = examined(guide, ground).findings
    assert finding.verdict is Verdict.PROBLEM
    assert (finding.evidence[0].line, finding.evidence[0].sqlstate) == (4, "42883")


@pytest.mark.usefixtures("checkable")
def test_an_error_of_another_kind_is_a_warning_without_the_value(guide: str) -> None:
    run(
        guide,
        "CREATE FUNCTION staging.no_number() RETURNS integer LANGUAGE plpgsql AS $$\n"
        "DECLARE n integer;\n"
        "BEGIN\n"
        "    SELECT 'a-secret'::integer INTO n;\n"
        "    RETURN n;\n"
        "END $$",
    )
    (finding,) = examined(guide, None).findings
    assert finding.verdict is Verdict.WARNING
    assert finding.evidence[0].sqlstate == "22P02"
    assert "a-secret" not in repr(finding)


@pytest.mark.usefixtures("checkable")
def test_a_trigger_is_checked_with_its_table_and_its_transition_tables(guide: str) -> None:
    run(
        guide,
        "CREATE FUNCTION raw.count_new() RETURNS trigger LANGUAGE plpgsql AS $$\n"
        "BEGIN PERFORM count(*) FROM fresh WHERE retry_count > 0; RETURN NULL; END $$",
        "CREATE TRIGGER count_new AFTER INSERT ON raw.site_tracking_events_r REFERENCING NEW TABLE AS fresh"
        " FOR EACH STATEMENT EXECUTE FUNCTION raw.count_new()",
        "CREATE FUNCTION raw.mark_new() RETURNS trigger LANGUAGE plpgsql AS $$\n"
        "BEGIN NEW.retry_count := cardinality(NEW.retry_count); RETURN NEW; END $$",
        "CREATE TRIGGER mark_new BEFORE INSERT ON raw.site_tracking_events_r"
        " FOR EACH ROW EXECUTE FUNCTION raw.mark_new()",
    )
    assert told(guide, Ground.TARGET) == [("raw.mark_new", "42883")]


@pytest.mark.usefixtures("checkable")
def test_tables_that_a_function_makes_and_bare_names_of_other_schemas_are_not_missing(guide: str) -> None:
    run(
        guide,
        "CREATE FUNCTION staging.by_a_table() RETURNS bigint LANGUAGE plpgsql AS $$\n"
        "DECLARE n bigint;\n"
        "BEGIN\n"
        "    CREATE TEMP TABLE mine AS SELECT 1 AS x FROM tenant_h;\n"
        "    SELECT count(*) INTO n FROM mine;\n"
        "    RETURN n;\n"
        "END $$",
    )
    assert examined(guide, None).findings == ()


@pytest.mark.usefixtures("checkable")
@GROUNDS
def test_a_functions_own_search_path_counts(guide: str, ground: Ground) -> None:
    run(
        guide,
        "CREATE FUNCTION auth.how_many() RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog AS $$\n"
        "BEGIN RETURN (SELECT count(*) FROM tenant_h); END $$",
    )
    assert told(guide, ground) == [("auth.how_many", "42P01")]


@pytest.mark.usefixtures("checkable")
@GROUNDS
def test_our_own_functions_are_well_by_it_too(database: Database, ground: Ground) -> None:
    outcome = examined(database.admin_conninfo, ground)
    assert outcome.findings == ()
    assert not any("not checked" in note for note in outcome.notes)


@pytest.mark.usefixtures("checkable")
def test_the_copy_goes_when_a_person_interrupts(guide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def interrupted(conn: psycopg.Connection[Any], *_: object) -> None:
        made.append(conn.execute("SELECT current_database()").fetchone())
        raise KeyboardInterrupt

    monkeypatch.setattr(plpgsql_check, "_check_all", interrupted)
    with snapshot_of(guide) as snapshot, pytest.raises(KeyboardInterrupt):
        plpgsql_check.ask(snapshot)
    ((name,),) = made
    assert name.startswith("sitevault_doctor_")


@pytest.mark.usefixtures("checkable")
def test_a_schema_that_cannot_be_copied_is_said_and_is_unknown_only_where_a_copy_was_asked_for(
    guide: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "COPY_SECONDS", 0)
    by_default = examined(guide, None)
    assert by_default.verdict is Verdict.OK
    assert any("pg_dump took longer than 0 s" in note for note in by_default.notes)
    assert examined(guide, Ground.CLONE).verdict is Verdict.UNKNOWN


@pytest.mark.usefixtures("checkable")
@GROUNDS
def test_a_role_without_the_right_gets_the_static_part_and_a_note(database: Database, ground: Ground) -> None:
    outcome = look(database, CHECK, Options(ground=ground))
    assert outcome.count > 0
    assert outcome.verdict is Verdict.UNKNOWN
    by_default = look(database, CHECK)
    assert by_default.verdict is Verdict.OK
    assert any("may not create a database" in note for note in by_default.notes)


@pytest.mark.usefixtures("checkable")
def test_the_password_is_on_no_command_line(guide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[str] = []
    really = scratch.subprocess.run

    def watched(command: list[object], **rest: Any) -> Any:
        commands.append(" ".join(map(str, command)))
        return really(command, **rest)

    monkeypatch.setattr(scratch.subprocess, "run", watched)
    assert told(guide, None) == []
    password = conninfo_to_dict(guide)["password"]
    assert len(commands) >= 2
    assert not any(str(password) in one for one in commands)


@pytest.mark.usefixtures("uncheckable")
def test_without_the_extension_a_note_says_so_and_nothing_else_changes(guide: str) -> None:
    outcome = examined(guide, None)
    assert outcome.verdict is Verdict.OK
    assert any("does not have the extension plpgsql_check" in note for note in outcome.notes)


@pytest.mark.usefixtures("uncheckable")
@GROUNDS
def test_without_the_extension_it_is_unknown_for_whoever_asked_for_it(guide: str, ground: Ground) -> None:
    outcome = examined(guide, ground)
    assert outcome.verdict is Verdict.UNKNOWN
    assert "does not have the extension plpgsql_check" in outcome.findings[-1].message
