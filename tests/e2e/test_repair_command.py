"""`sitevault repair` as an operator meets it in his own database: plan, apply, the doctor is content, undo."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from doctoring import run as damage
from sitevault.cli.main import run
from sitevault.db.connect import Database
from sitevault.db.embedded import EmbeddedServer

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    server: EmbeddedServer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Call:
    monkeypatch.setenv("DATABASE_URL", database.admin_conninfo)
    monkeypatch.setenv("SITEVAULT_HOME", str(server.home))
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        code = run(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def verdict(call: Call, check: str) -> str:
    report: dict[str, Any] = json.loads(call("doctor", "--check", check, "--json")[1])
    return str(report["verdict"])


def test_a_broken_grant_is_planned_applied_found_clean_and_undone(database: Database, call: Call) -> None:
    damage(database, "GRANT SELECT ON raw.landed_event TO PUBLIC")
    assert verdict(call, "catalog.posture") == "problem"
    assert call("repair", "plan", "catalog.posture")[0] == 0
    assert verdict(call, "catalog.posture") == "problem", "a plan changes nothing"
    assert call("repair", "apply", "repair.json")[0] == 2, "nobody is there to ask"
    code, said, _ = call("repair", "apply", "repair.json", "--yes", "--json")
    done = json.loads(said)
    assert (code, done["already"], len(done["objects"]) > 0) == (0, False, True)
    assert verdict(call, "catalog.posture") != "problem"
    assert json.loads(call("repair", "apply", "repair.json", "--yes", "--json")[1])["already"]
    assert [one["state"] for one in json.loads(call("repair", "list", "--json")[1])] == ["APPLIED"]
    assert call("repair", "undo", done["id"], "--yes")[0] == 0
    assert verdict(call, "catalog.posture") == "problem"


def test_an_edited_plan_is_refused(database: Database, call: Call, tmp_path: Path) -> None:
    damage(database, "GRANT SELECT ON raw.landed_event TO PUBLIC")
    call("repair", "plan", "catalog.posture")
    file = tmp_path / "repair.json"
    file.write_text(file.read_text("utf-8").replace("landed_event", "dead_letter"), "utf-8")
    assert call("repair", "apply", "repair.json", "--yes")[0] == 6


def test_a_check_that_does_not_exist_is_said(call: Call) -> None:
    code, _, said = call("repair", "plan", "tenancy.nothing")
    assert (code, "There is no check tenancy.nothing" in said) == (2, True)


def test_nothing_to_repair_is_said_and_leaves_no_file(call: Call, tmp_path: Path) -> None:
    code, said, _ = call("repair", "plan", "queue.errors")
    assert (code, "There is nothing to repair" in said) == (0, True)
    assert not (tmp_path / "repair.json").exists()
