"""Each lint finds what it looks for, and leaves alone what is right."""

from __future__ import annotations

import pytest

from sitevault.release.lint import squawk, texts
from sitevault.release.lint.model import Finding, Severity, judge, require_used
from sitevault.release.lint.run import LINTS
from sitevault.release.model import Allowance, BundleError, File


def lint(text: str, *, objects: bool = False) -> list[tuple[str, int, str]]:
    file = File("a.sql", text)
    looked = texts.look((), (file,), {}) if objects else texts.look((file,), (), {})
    return [(one.lint, one.line, one.message) for one in looked]


def names(text: str, *, objects: bool = False) -> list[str]:
    return [name for name, _, _ in lint(text, objects=objects)]


@pytest.mark.parametrize(
    "text",
    ["BEGIN; SELECT 1; COMMIT", "ROLLBACK", "START TRANSACTION", "PREPARE TRANSACTION 'x'", "SAVEPOINT a", "END"],
)
def test_a_file_may_not_say_when_its_transaction_ends(text: str) -> None:
    assert "transaction_control" in names(text)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE INDEX CONCURRENTLY i ON app.thing (name)",
        "DROP INDEX CONCURRENTLY app.i",
        "REINDEX TABLE CONCURRENTLY app.thing",
        "REINDEX DATABASE",
        "VACUUM app.thing",
        "CREATE DATABASE d",
        "DROP DATABASE d",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "ALTER TABLE app.t DETACH PARTITION app.p CONCURRENTLY",
        "CREATE TABLESPACE t LOCATION '/t'",
        "CLUSTER",
    ],
)
def test_what_cannot_be_in_a_transaction_is_an_error(text: str) -> None:
    assert names(text) == ["outside_transaction"]


@pytest.mark.parametrize(
    "text",
    [
        "SET search_path = app",
        "SET LOCAL work_mem = '1GB'",
        "SET ROLE app_owner",
        "SET SESSION AUTHORIZATION app_owner",
        "RESET ALL",
        "DISCARD ALL",
        "SELECT pg_catalog.set_config('search_path', 'app', false)",
    ],
)
def test_what_outlives_its_file_is_shown(text: str) -> None:
    assert names(text) == ["session_state"]


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("CREATE TABLE thing (a int)", "thing"),
        ("ALTER TABLE thing ADD COLUMN a int", "thing"),
        ("CREATE INDEX i ON thing (a)", "thing"),
        ("CREATE VIEW app.v AS SELECT a FROM thing", "thing"),
        ("INSERT INTO app.thing SELECT * FROM other", "other"),
        ("CREATE TABLE app.a (b bigint REFERENCES thing (a))", "thing"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "f"),
        ("DROP FUNCTION f(int)", "f"),
        ("DROP TABLE thing", "thing"),
        ("DROP TYPE mood", "mood"),
        ("DROP TRIGGER t ON thing", "thing.t"),
        ("COMMENT ON COLUMN thing.a IS 'x'", "thing.a"),
        ("COMMENT ON FUNCTION f(int) IS 'x'", "f"),
        ("GRANT SELECT ON thing TO app_reader", "thing"),
        ("GRANT EXECUTE ON FUNCTION f(int) TO app_reader", "f"),
        ("ALTER FUNCTION f(int) OWNER TO app_owner", "f"),
        ("CREATE TYPE mood AS ENUM ('a')", "mood"),
        ("CREATE DOMAIN mood AS text", "mood"),
        ("CREATE SEQUENCE s", "s"),
        ("CREATE TRIGGER t AFTER INSERT ON app.thing FOR EACH ROW EXECUTE FUNCTION f()", "f"),
    ],
)
def test_a_name_without_its_schema_is_an_error(text: str, bare: str) -> None:
    assert [(name, message) for name, _, message in lint(text)] == [
        ("unqualified_name", f"{bare} is named without its schema")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE app.thing (a bigint, b text, c jsonb, CONSTRAINT k CHECK (a > 0))",
        "WITH them AS (SELECT 1 AS a) INSERT INTO app.thing SELECT a FROM them",
        "CREATE TEMPORARY TABLE scratch (a int); INSERT INTO scratch SELECT 1; DROP FUNCTION app.f(int)",
        "SELECT count(*) FROM pg_class",
        "DROP TABLE app.thing; DROP TRIGGER t ON app.thing; COMMENT ON COLUMN app.thing.a IS 'x'",
        "CREATE INDEX i ON app.thing (lower(name)); ANALYZE app.thing",
        "CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO app_reader",
        "DO $$ BEGIN PERFORM 1; END $$",
    ],
)
def test_what_is_named_in_full_is_left_alone(text: str) -> None:
    assert lint(text) == []


def test_a_block_is_looked_into_with_its_lines() -> None:
    text = (
        "SELECT 1;\nDO $do$\nDECLARE\n    v_n bigint;\nBEGIN\n    SELECT count(*) INTO v_n FROM thing;\n"
        "    IF v_n > 1 THEN\n        DELETE FROM app.thing USING other;\n    END IF;\nEND\n$do$;"
    )
    assert [(line, message.split()[0]) for _, line, message in lint(text)] == [(6, "thing"), (8, "other")]


def test_a_block_that_cannot_be_read_is_unknown() -> None:
    assert names("DO $$ this is no block $$") == ["unreadable"]


def test_rows_in_objects_are_shown_and_in_migrations_left_alone() -> None:
    text = "INSERT INTO app.thing (thing_id) VALUES (1)"
    assert names(text, objects=True) == ["rows_in_objects"]
    assert names(text) == []


def test_the_line_is_that_of_the_statement_after_its_comments() -> None:
    text = "-- first\n\nSELECT 1; -- and\n/* before\n it */ DROP TABLE thing;\n\nVACUUM app.t"
    assert [(name, line) for name, line, _ in lint(text)] == [("unqualified_name", 5), ("outside_transaction", 7)]


def test_reverts_and_verifications_are_looked_at_too() -> None:
    file = File("0001_a.sql", "SELECT 1", "DROP TABLE thing", "COMMIT")
    assert [(one.where, one.lint) for one in texts.look((file,), (), {})] == [
        ("0001_a.revert.sql", "unqualified_name"),
        ("0001_a.verify.sql", "transaction_control"),
    ]


def test_text_that_is_no_sql_is_unknown_not_fine() -> None:
    (found,) = texts.look((), (File("a.sql", "\\i other.sql\n"),), {})
    assert (found.lint, found.severity) == ("unreadable", Severity.UNKNOWN)


def test_a_parameter_stands_for_its_value() -> None:
    file = File("a.sql", "SELECT :{what}::text; SELECT ':{other}'")
    assert list(texts.look((), (file,), {"what": "it's"})) == []


def test_squawk_that_is_not_there_is_said_and_is_not_a_yes() -> None:
    (found,) = squawk.look((File("a.sql", "SELECT 1"),), {}, None)
    assert (found.lint, found.severity) == ("squawk", Severity.UNKNOWN)
    assert "not run" in found.message


def test_squawk_that_breaks_is_unknown() -> None:
    (found,) = squawk.look((File("a.sql", "SELECT 1"),), {}, "/bin/false")
    assert found.severity is Severity.UNKNOWN


def test_squawk_warns_of_what_locks_a_table() -> None:
    program = squawk.executable()
    if program is None:
        pytest.skip("squawk is not installed")
    text = "SELECT 1;\nALTER TABLE app.thing ALTER COLUMN a TYPE bigint;"
    found = [one for one in squawk.look((File("0001_a.sql", text),), {}, program) if "type" in one.lint]
    assert [(one.lint, one.severity, one.where, one.line) for one in found] == [
        ("squawk:changing-column-type", Severity.WARNING, "0001_a.sql", 2)
    ]


ERROR = Finding("unqualified_name", Severity.ERROR, "a.sql", 3, "thing is named without its schema")


def test_an_error_refuses_the_bundle_naming_lint_and_place() -> None:
    with pytest.raises(BundleError, match=r"unqualified_name  a\.sql:3: thing is named"):
        judge([ERROR], ())


def test_what_is_allowed_is_a_warning_that_says_why() -> None:
    allowed = (Allowance("unqualified_name", "a.sql", "the schema is named by a setting"),)
    (found,) = judge([ERROR], allowed)
    assert found.severity is Severity.WARNING
    assert "allowed: the schema is named by a setting" in str(found)
    require_used(allowed, [found])


def test_an_allowance_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(BundleError, match="allows what no lint found"):
        require_used((Allowance("unqualified_name", "b.sql", "once"),), judge([], ()))


def test_every_lint_has_a_name_of_its_own_and_says_why() -> None:
    assert len({one.id for one in LINTS}) == len(LINTS) > 10
    assert all(one.looks_for and one.why and one.mend for one in LINTS)
