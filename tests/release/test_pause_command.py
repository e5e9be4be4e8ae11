"""`sitevault release pause` and `resume`, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests import given
from tests.release.targets import guide, pending

from sitevault.cli.main import run
from sitevault.config import Config
from sitevault.db.connect import Database, open_database
from sitevault.db.migrate import migrate
from sitevault.db.roles import Role
from sitevault.demo import incident
from sitevault.errors import Exit
from sitevault.release import pause, record
from sitevault.release.events import Teller, silent

Typed = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Runs a command with --json; its exit code and its answer."""
    settings = tmp_path / "sitevault.toml"
    settings.write_text('[environments.testing]\nurl_from = "TESTING_URL"\n')
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        code = run([*arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return command


@pytest.fixture
def foreign(incident_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("TESTING_URL", incident_database.admin_conninfo)
    with guide(incident_database) as target:
        incident.mend(target.ground.conn)
    return incident_database


PAUSE = ("release", "pause", "--env", "testing", "--message", "looking")
RESUME = ("release", "resume", "--env", "testing", "--yes")


def test_where_nothing_can_pause_the_jobs_the_exit_code_is_unknown(typed: Typed, foreign: Database) -> None:
    code, answer = typed(*PAUSE)
    assert code == Exit.UNKNOWN
    assert "neither pg_cron nor" in answer["unpausable"]


def test_resuming_by_steps_ends_with_all_of_them(typed: Typed, foreign: Database) -> None:
    typed(*PAUSE)
    code, answer = typed(*RESUME, "--canary", "1", "--canary", "all")
    assert (code, answer["resumed"]) == (Exit.OK, True)
    assert [step["outcomes"] for step in answer["steps"]] == [{"PROCESSED": 1}, {"PROCESSED": 4}]


def test_an_event_that_fails_stops_the_steps_and_they_stay_paused(typed: Typed, foreign: Database) -> None:
    with guide(foreign) as target:
        target.ground.conn.execute(
            """UPDATE raw.site_tracking_events_r SET raw_payload = raw_payload || '{"timestamp": "soon"}'"""
        )
    typed(*PAUSE)
    code, answer = typed(*RESUME, "--canary", "1", "--canary", "all")
    assert (code, answer["resumed"]) == (Exit.FINDINGS, False)
    with guide(foreign) as target:
        assert pause.in_force(target) is not None


def test_what_is_no_step_is_a_matter_of_usage(typed: Typed, foreign: Database) -> None:
    assert typed(*RESUME, "--canary", "soon")[0] == Exit.USAGE


def test_resuming_where_nothing_is_paused_is_done(typed: Typed, foreign: Database) -> None:
    code, answer = typed(*RESUME)
    assert (code, answer["resumed"]) == (Exit.OK, False)


def test_a_release_that_is_under_way_is_not_resumed_from_outside(typed: Typed, foreign: Database) -> None:
    with guide(foreign) as target, closing(target.session("deployer")) as deployer:
        pause.pause(target, "r1", "deploying", Teller(silent, "testing"))
        deployer.execute("SELECT pg_advisory_lock(hashtext('sitevault.release'))")
        code, answer = typed(*RESUME)
        assert code == Exit.BLOCKED
        assert "is under way" in answer["message"]
        deployer.execute("SELECT pg_advisory_unlock_all()")
        assert typed(*RESUME)[0] == Exit.OK


def test_without_a_yes_nobody_goes_on(typed: Typed, foreign: Database) -> None:
    typed(*PAUSE)
    assert typed(*RESUME[:-1])[0] == Exit.USAGE
    with guide(foreign) as target:
        assert pause.in_force(target) is not None


def test_a_sitevaults_own_database_is_paused_and_resumed_by_its_home(
    typed: Typed, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitevault.toml").write_text(f'[environments.testing]\nhome = "{home}"\n')
    with open_database(Config(home=home)) as database:
        migrate(database)
        who = given.sender(database)
        given.land(database, *([given.row(who, given.page_view(number))] for number in range(12)))
        assert typed("release", "enroll", "--env", "testing", "--yes")[0] == Exit.OK
        assert typed(*PAUSE)[0] == Exit.OK
        code, answer = typed(*RESUME, "--canary", "1", "--canary", "10")
        assert (code, answer["resumed"]) == (Exit.OK, False)
        assert [step["outcomes"] for step in answer["steps"]] == [{"vaulted": 1}, {"vaulted": 10}]
        with database.connect(Role.JUDGE) as judge:
            assert pending(judge) == 1
        assert typed(*RESUME)[1]["resumed"] is True


def test_the_record_says_who_paused_without_a_release(typed: Typed, foreign: Database) -> None:
    typed(*PAUSE)
    with guide(foreign) as target:
        held = record.paused(target.ground)
        assert held is not None
        assert (held.release_id, held.message) == (None, "looking")
