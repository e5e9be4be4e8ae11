"""`sitevault retention` as an operator meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aging import day_ago, land_then, make_days, old_day
from given import page_view, sender
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
    monkeypatch.setenv("SITEVAULT_RETENTION_RAW_DAYS", "2")
    monkeypatch.setenv("SITEVAULT_RETENTION_STAGING_DAYS", "2")
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        code = run(("retention", *words))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_it_shows_plans_asks_drops_and_has_nothing_more_to_do(database: Database, call: Call) -> None:
    old_day(database, sender(database), 4)
    day = str(day_ago(4))
    assert day in call("show")[1]
    code, planned, _ = call("plan")
    assert (code, planned.count(f"of {day}: 2 rows")) == (0, 2)
    assert call("apply", "--dry-run")[1] == planned
    code, _, asked = call("apply")
    assert (code, "Nobody is there to ask" in asked) == (2, True)
    code, out, _ = call("apply", "--yes", "--json")
    done: dict[str, Any] = json.loads(out)
    assert (code, done["success"], {one["day"] for one in done["dropped"]}) == (0, True, {day})
    assert call("apply")[:2] == (0, "0 partitions dropped, 0 stay that are due.\n")
    landing = next(line for line in call("show")[1].splitlines() if line.startswith("raw.landed_event"))
    assert day not in landing


def test_what_stays_is_a_finding_that_says_why(database: Database, call: Call) -> None:
    who = sender(database)
    make_days(database, 4)
    land_then(database, who, 4, page_view(1))
    for words in (("plan",), ("apply", "--yes")):
        code, out, _ = call(*words)
        assert (code, f"1 events of {who.tenant_bk} wait for a worker" in out) == (1, True)


def test_settings_that_contradict_each_other_are_refused_before_anything(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITEVAULT_RETENTION_STAGING_DAYS", "1")
    code, _, said = call("apply")
    assert (code, "retention_staging_days: shorter" in said) == (2, True)
