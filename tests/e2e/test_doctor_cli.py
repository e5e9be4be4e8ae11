"""`sitevault doctor` as a person types it: what it prints, how it ends, and what it never shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import given
from doctoring import guide_shape
from doctoring import run as damage
from observing import drain
from sitevault.cli.main import run
from sitevault.db.connect import Database, connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.doctor.checks import CHECKS

SECRET = "the name of a patient"


@pytest.fixture
def doctor(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs the command; `where` is the configured database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SITEVAULT_HOME", str(server.home))

    def call(*words: str, where: Database | None = None) -> tuple[int, str, str]:
        if where is not None:
            monkeypatch.setenv("DATABASE_URL", where.admin_conninfo)
        capsys.readouterr()
        code = run(["doctor", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


@pytest.fixture
def guide(new_database: Callable[[str], Database]) -> str:
    conninfo = new_database("template0").admin_conninfo
    with connect(conninfo) as admin:
        guide_shape(admin)
    damage(
        conninfo,
        "INSERT INTO auth.tenant_h VALUES ('\\x01', 'the-one-spa')",
        "INSERT INTO raw.site_tracking_events_r (tenant_hk, received_timestamp, raw_payload)"
        " SELECT '\\x01', now() - interval '3 days', jsonb_build_object('event_type', 'page_view', 'user', "
        f"'{SECRET}', 'page_url', 'https://theonespa.example/{SECRET}') FROM generate_series(1, 5)",
    )
    return conninfo


def test_a_healthy_house_ends_with_0(doctor: Any, database: Database) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(number)) for number in range(20)])
    drain(database)
    # the tests' server works without fsync, which is a finding
    code, out, _ = doctor("--skip", "catalog.server", where=database)
    assert code == 0, out
    assert out.count("✓ ") == len(CHECKS)  # one line each but the skipped, and the sum
    assert "✗ 0" in out


def test_findings_end_with_1_and_say_what_to_do(doctor: Any, guide: str) -> None:
    code, out, _ = doctor("--database", guide, "--check", "queue")
    assert code == 1
    assert "✗ queue.pending" in out
    assert "5 events" in out
    assert "repair: sitevault repair plan queue.pending" in out


def test_what_is_unknown_ends_with_3(doctor: Any, guide: str) -> None:
    code, out, _ = doctor("--database", guide, "--check", "tenancy.provenance")
    assert code == 3
    assert "? tenancy.provenance" in out


@pytest.mark.parametrize("form", ["--json", "--sarif", "-v"])
def test_no_value_of_a_payload_is_ever_shown(doctor: Any, guide: str, form: str) -> None:
    _, out, err = doctor("--database", guide, form)
    assert "queue.pending" in out
    assert SECRET not in out + err
    assert "theonespa.example" not in out + err


def test_the_json_has_every_check_and_the_sarif_every_finding(doctor: Any, guide: str) -> None:
    code, out, _ = doctor("--database", guide, "--json")
    report = json.loads(out)
    assert code in (1, 3)
    assert {one["id"] for one in report["checks"]} == {check.id for check in CHECKS}
    found = [finding for one in report["checks"] for finding in one["findings"]]
    _, out, _ = doctor("--database", guide, "--sarif")
    log = json.loads(out)
    assert log["version"] == "2.1.0"
    assert len(log["runs"][0]["results"]) >= len(found) > 0


def test_another_database_is_misuse(doctor: Any, new_database: Callable[[str], Database]) -> None:
    code, _, err = doctor("--database", new_database("template0").admin_conninfo)
    assert code == 2
    assert "neither Sitevault's nor of the guide's shape" in err


@pytest.mark.parametrize("words", [["--check", "nonsense"], ["--since", "soon"], ["--database", "a=b"]])
def test_words_that_make_no_sense_end_with_2(doctor: Any, words: list[str]) -> None:
    assert doctor(*words)[0] == 2


def test_explaining_and_listing_need_no_database(doctor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    code, out, _ = doctor("--explain", "queue.pending")
    assert code == 0
    assert "Why it matters" in out
    code, out, _ = doctor("--list")
    assert code == 0
    assert all(check.id in out for check in CHECKS)
