"""`plan`, `rehearse` and `preflight` as a person runs them: words, JSON, exit codes, files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bundling import bundle
from sitevault.cli.main import run as command
from sitevault.demo import incident
from sitevault.release import model
from sitevault.release.model import Bundle, File
from sitevault.release.target import Target

FIX = File("objects/staging.sql", incident.text("fixed/staging"))


class Said(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    stdout: str
    stderr: str


Run = Callable[..., Said]


@pytest.fixture
def run(
    guide_target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command of `release` for the enrolled database, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TESTING_URL", guide_target.conninfo)
    Path("sitevault.toml").write_text(
        '[environments.testing]\nurl_from = "TESTING_URL"\nscheduler = {pause = "SELECT 1", resume = "SELECT 1"}\n'
    )

    def call(*words: str) -> Said:
        code = command(["release", *words, "--env", "testing"])
        return Said(code, *capsys.readouterr())

    return call


def written(made: Bundle) -> str:
    model.write(made, Path("fix.json"))
    return "fix.json"


def answer(result: Said) -> Any:
    return json.loads(result.stdout)


def test_a_plan_is_written_and_says_that_something_would_change(run: Run, guide_target: Target) -> None:
    result = run("plan", written(bundle(guide_target, objects=[FIX])))
    assert result.code == 2, result.stderr
    assert "change function staging.process_site_event(p_raw_event_id bigint)" in result.stdout
    assert model.read_plan(Path("fix-1.testing.plan.json")).changes


def test_a_plan_of_nothing_is_exit_code_0(run: Run, guide_target: Target) -> None:
    file = written(bundle(guide_target, objects=[FIX]))
    guide_target.ground.conn.execute(FIX.text.encode())
    result = run("plan", file)
    assert (result.code, "Nothing would change in testing." in result.stdout) == (0, True)


def test_a_plan_as_sql_is_a_script(run: Run, guide_target: Target) -> None:
    result = run("plan", written(bundle(guide_target, objects=[FIX])), "--sql", "--out", "p.json")
    assert result.stdout.startswith("-- fix 1, to testing\n")
    assert result.stdout.endswith("COMMIT;\n")


def test_hazards_are_listed_until_they_are_accepted(run: Run, guide_target: Target) -> None:
    file = written(bundle(guide_target, migrations=[File("migrations/0001_n.sql", "CREATE TABLE raw.n (n int)")]))
    open_ = answer(run("plan", file, "--json"))["unaccepted"]
    assert open_ == ["irreversible", "no_baseline"]
    accepted = [word for name in open_ for word in ("--accept", name)]
    assert answer(run("plan", file, "--json", *accepted))["unaccepted"] == []


def test_a_rehearsal_answers_with_every_event(run: Run, guide_target: Target) -> None:
    file = written(bundle(guide_target, objects=[FIX]))
    said = answer(run("rehearse", file, "--json"))
    assert said["success"] is True
    assert {one["verdict"] for one in said["events"]} == {"mended", "still fails"}
    result = run("rehearse", file)
    assert result.code == 0
    assert "Nothing speaks against it. testing is as it was." in result.stdout


def test_a_refused_rehearsal_is_exit_code_1(run: Run, guide_target: Target) -> None:
    made = bundle(guide_target, objects=[File("objects/staging.sql", FIX.text, verify="SELECT false")])
    run("plan", written(made), "--out", "plan.json")
    result = run("rehearse", "fix.json", "plan.json")
    assert result.code == 1
    assert "REFUSED: the verification of objects/staging.sql does not say true" in result.stdout


def test_a_preflight_says_unknown_by_its_exit_code(run: Run, guide_target: Target) -> None:
    result = run("preflight", written(bundle(guide_target, objects=[FIX])), "--json")
    said = answer(result)
    verdicts = {one["item"]: one["verdict"] for one in said["items"]}
    assert verdicts["tenants"] in ("warning", "unknown")
    assert "blocked" not in verdicts.values()
    assert result.code == (3 if "unknown" in verdicts.values() else 0)


def test_a_blocked_preflight_is_exit_code_6(run: Run, guide_target: Target) -> None:
    run("plan", written(bundle(guide_target, objects=[FIX])), "--out", "plan.json")
    guide_target.ground.conn.execute("COMMENT ON FUNCTION staging.process_site_event(bigint) IS 'moved'")
    result = run("preflight", "fix.json", "plan.json")
    assert result.code == 6
    assert "Blocked by drift" in result.stdout
