"""The preflight names what a server lacks, in plain words, each with its cure."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sitevault.db.connect import Database, connect, refuse_problems
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.preflight import Finding, Level, _security_fixes, _version, preflight
from sitevault.errors import PreflightError


def found(conninfo: str) -> dict[str, Finding]:
    with connect(conninfo, autocommit=True) as conn:
        return {finding.id: finding for finding in preflight(conn)}


def without_durability(findings: dict[str, Finding]) -> dict[str, Finding]:
    """The suite's own server runs without fsync, which the preflight rightly minds."""
    return {id_: finding for id_, finding in findings.items() if id_ != "durable"}


def test_a_superuser_on_a_fresh_database_meets_no_problem(
    new_database: Callable[[str], Database],
) -> None:
    findings = without_durability(found(new_database("template0").admin_conninfo))
    assert {finding.level for finding in findings.values()} == {Level.OK}


def test_a_migrated_database_meets_no_problem_either(database: Database) -> None:
    findings = without_durability(found(database.admin_conninfo))
    assert {finding.level for finding in findings.values()} == {Level.OK}


def test_a_server_without_fsync_is_a_problem(database: Database) -> None:
    finding = found(database.admin_conninfo)["durable"]
    assert finding.level is Level.PROBLEM
    assert "fsync" in finding.message
    assert "ALTER SYSTEM SET fsync = on" in str(finding.fix)


def test_the_preflight_changes_nothing(new_database: Callable[[str], Database]) -> None:
    empty = new_database("template0")
    with psycopg.connect(empty.admin_conninfo, options="-c default_transaction_read_only=on") as conn:
        assert preflight(conn)


@pytest.fixture
def ordinary(server: EmbeddedServer, new_database: Callable[[str], Database]) -> str:
    """A user with the right to connect and nothing else."""
    database = new_database("template0")
    with connect(database.admin_conninfo, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS ordinary")
        admin.execute("CREATE ROLE ordinary LOGIN PASSWORD 'ordinary'")
        admin.execute(f"GRANT CONNECT ON DATABASE {database.where['dbname']} TO ordinary".encode())
    return make_conninfo(database.admin_conninfo, user="ordinary", password="ordinary")


def test_an_unprivileged_user_is_told_what_he_lacks(
    server: EmbeddedServer, ordinary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a server that has never seen Sitevault: the suite's own has its roles already.
    monkeypatch.setattr("sitevault.db.preflight.Role", ["sitevault_owner", "not_there_yet"])
    findings = found(ordinary)
    assert findings["roles"].level is Level.PROBLEM
    assert "superuser" in str(findings["roles"].fix)
    assert findings["schemas"].level is Level.PROBLEM
    assert findings["encoding"].level is Level.OK


def test_where_the_roles_exist_no_right_to_make_them_is_asked_for(ordinary: str) -> None:
    assert found(ordinary)["roles"].level is Level.OK


def test_an_encoding_that_cannot_hold_every_event_is_a_problem(server: EmbeddedServer, database: Database) -> None:
    with connect(server.superuser_conninfo(), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS latin")
        admin.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc")
    assert found(server.superuser_conninfo("latin"))["encoding"].level is Level.PROBLEM


def test_schemas_of_somebody_else_are_named(new_database: Callable[[str], Database]) -> None:
    database = new_database("template0")
    with connect(database.admin_conninfo, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA raw")
    finding = found(database.admin_conninfo)["names_free"]
    assert finding.level is Level.PROBLEM
    assert "raw" in finding.message


@pytest.mark.parametrize(("major", "minor", "level"), [
    (15, 13, Level.PROBLEM), (15, 14, Level.OK), (16, 9, Level.PROBLEM), (16, 10, Level.OK),
    (17, 5, Level.PROBLEM), (17, 6, Level.OK), (18, 0, Level.OK),
])  # fmt: skip
def test_releases_with_known_leaks_are_refused(major: int, minor: int, level: Level) -> None:
    assert _security_fixes(major, minor).level is level


@pytest.mark.parametrize(
    ("major", "level"), [(14, Level.PROBLEM), (15, Level.OK), (18, Level.OK), (19, Level.WARNING)]
)
def test_versions_outside_the_tested_are_named(major: int, level: Level) -> None:
    assert _version(major).level is level


def test_all_problems_are_raised_together_and_warnings_are_not() -> None:
    findings = [
        Finding("a", Level.PROBLEM, "First.", "Do this."),
        Finding("b", Level.WARNING, "Second.", "Do that."),
        Finding("c", Level.PROBLEM, "Third.", "Do more."),
    ]
    with pytest.raises(PreflightError) as caught:
        refuse_problems(findings)
    assert "First." in caught.value.message
    assert "Third." in caught.value.message
    assert "Second." not in caught.value.message
    assert "Do this." in str(caught.value.fix)
    refuse_problems(findings[1:2])
