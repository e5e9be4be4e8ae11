"""An environment is the database that was enrolled as it: not a copy, not another place, not another's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sitevault.cli.main import run
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.credentials import Credentials, write
from sitevault.db.roles import fingerprint
from sitevault.errors import ConfigurationError, Exit
from sitevault.release import environments, record
from sitevault.release.model import ReleaseBlockedError
from sitevault.release.target import Target, opened

Open = Callable[..., Target]


@pytest.fixture
def open_target(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    with ExitStack() as stack:

        def make(database: Database, name: str = "testing", **settings: Any) -> Target:
            monkeypatch.setenv("TARGET_URL", database.admin_conninfo)
            known = environments.read(Config(environments={name: {"url_from": "TARGET_URL", **settings}}))
            return stack.enter_context(opened(Config(), known, name))

        yield make


def test_a_database_that_was_never_enrolled_is_refused(open_target: Open, incident_database: Database) -> None:
    with pytest.raises(ReleaseBlockedError, match="never enrolled") as refusal:
        record.require_identity(open_target(incident_database))
    assert refusal.value.exit_code == Exit.BLOCKED
    assert refusal.value.command == "sitevault release enroll --env testing"


def test_an_enrolled_database_is_recognised_by_a_new_session(
    open_target: Open, incident_database: Database
) -> None:
    identity = record.enroll(open_target(incident_database))
    found = record.require_identity(open_target(incident_database))
    assert found == identity
    assert len(found.fingerprint) == 64


def test_production_under_another_name_is_refused(open_target: Open, incident_database: Database) -> None:
    record.enroll(open_target(incident_database, "production"))
    with pytest.raises(ReleaseBlockedError, match="database of production, reached as dev"):
        record.require_identity(open_target(incident_database, "dev"))


def test_a_copy_is_refused(
    open_target: Open, incident_database: Database, new_database: Callable[[str], Database]
) -> None:
    record.enroll(open_target(incident_database))
    with connect(incident_database.admin_conninfo, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
    copy = new_database(incident_database.where["dbname"])
    with pytest.raises(ReleaseBlockedError, match=r"a copy of"):
        record.require_identity(open_target(copy))


def test_a_database_that_is_reached_elsewhere_is_refused_until_it_is_enrolled_again(
    open_target: Open, incident_database: Database
) -> None:
    first = record.enroll(open_target(incident_database))
    with connect(incident_database.admin_conninfo) as admin:
        admin.execute("UPDATE sitevault_release.environment SET location = 'db1.example:5432/site'")
    target = open_target(incident_database)
    with pytest.raises(ReleaseBlockedError, match=r"enrolled at db1\.example:5432/site"):
        record.require_identity(target)
    assert record.enroll(target).fingerprint != first.fingerprint
    record.require_identity(target)


def test_a_plan_for_another_enrolment_is_refused(open_target: Open, incident_database: Database) -> None:
    target = open_target(incident_database)
    before = record.enroll(target)
    record.enroll(target)
    with pytest.raises(ReleaseBlockedError, match="made for another database"):
        record.require_identity(target, before)


def test_a_sitevaults_own_database_is_not_taken_for_a_foreign_one(open_target: Open, database: Database) -> None:
    with pytest.raises(ReleaseBlockedError, match="is a Sitevault's"):
        open_target(database)


def test_a_sitevaults_own_database_is_enrolled_in_its_own_record(
    database: Database, home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, Credentials(database.passwords, f"external {fingerprint()}"))
    monkeypatch.setenv("TARGET_URL", database.admin_conninfo)
    known = environments.read(Config(environments={"testing": {"home": str(home), "url_from": "TARGET_URL"}}))
    with opened(Config(), known, "testing") as target:
        identity = record.enroll(target)
        assert record.require_identity(target) == identity
        assert target.judge.execute("SELECT environment FROM ops.environment").fetchone() == ("testing",)
    with connect(database.admin_conninfo) as admin:
        assert admin.execute("SELECT count(*) FROM audit.entry WHERE action = 'release.enroll'").fetchone() == (1,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "does not name its database"),
        ({"url_from": "X", "aprovals": 1}, "aprovals"),
        ({"url_from": "X", "on_fail": "shrug"}, "on_fail"),
        ({"url_from": "X", "needs": "moon"}, "needs 'moon'"),
        ({"url_from": "X", "approvers": ["eve"]}, "eve"),
        ({"url_from": "X", "observe_hours": 0}, "observe_hours"),
    ],
)
def test_a_wrong_environment_is_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        environments.read(Config(environments={"testing": settings}))


def test_the_environment_before_is_the_one_above_in_the_file_unless_it_says_otherwise() -> None:
    known = environments.read(
        Config(
            environments={
                "testing": {"url_from": "A"},
                "dev": {"url_from": "B"},
                "hotfix": {"url_from": "C", "needs": "testing"},
                "island": {"url_from": "D", "needs": ""},
            }
        )
    )
    assert [known.before(name) for name in known.of] == [None, "testing", "testing", None]


def test_a_status_of_no_environment_is_not_a_healthy_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["release", "status"]) == Exit.USAGE
    assert "No environment is configured" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["observ_hours = 1", "gates = {succes_rate = 0.9}"])
def test_the_check_of_the_settings_reads_environments_and_their_gates(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "sitevault.toml"
    file.write_text(f'[environments.testing]\nhome = "x"\n{line}\n', "utf-8")
    assert run(["config", "check"]) == Exit.USAGE
    assert line.replace("gates = {", "").split(" ")[0] in capsys.readouterr().out
    file.write_text('[environments.testing]\nhome = "x"\n', "utf-8")
    assert run(["config", "check"]) == Exit.OK
