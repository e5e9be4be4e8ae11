"""`sitevault demo incident`: the incident is found, mended, taken back, mended again and replayed, and is gone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from sitevault.db import embedded
from sitevault.db.connect import connect
from sitevault.demo import incident
from sitevault.demo.incident.scratch import measure, placed, scratch

COMMAND = [sys.executable, "-m", "sitevault", "demo", "incident"]
TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "the-incident.md"


def told(home: Path, *options: str) -> str:
    done = subprocess.run(
        [*COMMAND, *options],
        env=os.environ | {"SITEVAULT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def incidents(home: Path) -> list[str]:
    """Scratch databases and roles that are still there."""
    with embedded.attach(home) as server, connect(server.superuser_conninfo()) as admin:
        found = admin.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'sitevault_incident%'"
            " UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'sitevault_incident%'"
        )
        return [name for (name,) in found.fetchall()]


def test_the_incident_ends_with_five_of_five_the_right_tenants_and_nothing_left_behind(home: Path) -> None:
    answer = json.loads(told(home, "--json"))
    assert (answer["success"], answer["broken"]) == (True, [])
    assert {name for name in answer["before"] if name.startswith("functions.")} == {
        "functions.arbitrary_tenant", "functions.field_contract", "functions.set_returning_in_scalar",
        "functions.missing_object", "functions.lost_error_write", "functions.swallowed_failure",
        "functions.orphan_overload", "functions.unconditional_claim",
    }  # fmt: skip
    assert answer["after"] == {"tenancy.provenance": "unknown"}, "what nothing proves stays unknown"
    assert answer["outcomes"] == {"PROCESSED": 5}
    kpis = {kpi["name"]: kpi for kpi in answer["kpis"]}
    assert (kpis["Processing Success Rate"]["value"], kpis["Processing Success Rate"]["verdict"]) == (
        1,
        "INCONCLUSIVE",
    )
    assert kpis["Data Quality Score"]["value"] == 1.0
    assert "2 events came without a key" in kpis["Tenant Isolation"]["note"]
    assert incidents(home) == []


def test_the_tutorial_shows_what_the_command_says(home: Path) -> None:
    """Figures that differ from run to run are left out of the comparison; every other line must be the same."""
    page = TUTORIAL.read_text("utf-8")
    shown = [line for block in re.findall(r"```text\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    said = {_steady(line) for line in told(home).splitlines()}
    assert [line for line in shown if line.strip() and _steady(line) not in said] == []
    assert len(shown) > 60


def _steady(line: str) -> str:
    line = re.sub(r"sitevault_incident_\w+|undo [0-9a-f]{12}|PostgreSQL [\d.]+|in [\d.]+ s$", "~", line)
    line = re.sub(r"the oldest for \d+ days|[\d.]+ ms per event", "~", line)
    line = re.sub(r"[?✗✓] (PASS|FAIL|INCONCLUSIVE)( +median)", r"~\2", line)
    return " ".join(line.split())


def test_ctrl_c_takes_the_scratch_database_along(home: Path) -> None:
    running = subprocess.Popen(
        [*COMMAND, "--keep"],
        env=os.environ | {"SITEVAULT_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    lines = iter(running.stderr.readline, "")
    url = next(found[1] for line in lines if (found := re.search(r"URL='(.*)'", line)))
    with psycopg.connect(url) as conn:
        assert {one.status for one in placed(conn)} == {"PROCESSED"}
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert incidents(home) == []


def test_interrupted_in_the_middle_nothing_is_left_behind(home: Path) -> None:
    running = subprocess.Popen(
        COMMAND,
        env=os.environ | {"SITEVAULT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert running.stdout is not None
    for line in running.stdout:  # the story is under way; what comes in its first instants may not be heard
        if line.startswith("$ sitevault doctor"):
            break
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGINT
    assert incidents(home) == []


@pytest.fixture
def url(server: embedded.EmbeddedServer):  # type: ignore[no-untyped-def]
    with scratch(server) as made:
        yield made


def test_the_figures_can_fail(url: str) -> None:
    """Whatever a row claims of itself, an event under another tenant than its key's owner is a contradiction."""
    with connect(url, autocommit=True) as conn:
        incident.mend(conn)
        conn.execute("SELECT staging.process_pending_events()")
        conn.execute(
            "UPDATE staging.site_tracking_events_s SET browser = NULL, quality_score = 0.5 WHERE raw_event_id = 1"
        )
        conn.execute("DELETE FROM staging.site_tracking_events_s WHERE raw_event_id = 2")
        kpis = {kpi.name: kpi for kpi in measure(conn, [0.01] * 5)}
    assert kpis["Tenant Isolation"].verdict == "FAIL"
    assert (kpis["Processing Success Rate"].verdict, "1 LOST" in kpis["Processing Success Rate"].note) == (
        "FAIL",
        True,
    )
    assert kpis["Validation Status"].verdict == "FAIL"
    assert kpis["Enrichment Status"].value == 0.75


def test_the_owner_of_the_scratch_database_is_no_superuser(url: str) -> None:
    with connect(url) as conn:
        assert conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)


def test_it_runs_with_the_settings_of_a_database_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scratch database is on the embedded server whatever DATABASE_URL says."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@localhost:1/nowhere")
    assert "DOES NOT HOLD" not in told(home)
    assert incidents(home) == []
