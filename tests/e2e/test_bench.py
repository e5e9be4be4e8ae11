"""The bench's harness: its figures are of what was stored, and nothing of it is left behind. Never its times."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from bench.figures import Result
from bench.machine import Run

from homes import temporary_home

ROOT = Path(__file__).parent.parent.parent
SIDES = {
    "single": {"stored", "not stored", "stored, without uvloop"},
    "batches": {"posted", "bare COPY"},
    "pipeline": {"one worker", "row by row", "row by row, each committed", "load alone"},
    "freshness": {"collector and worker"},
    "start": {"empty directory"},
}


@pytest.mark.parametrize("row", SIDES)
def test_a_row_is_measured_against_its_reference_and_nothing_is_left_behind(row: str, tmp_path: Path) -> None:
    (result,) = _smoke(row, tmp_path / "results.json")
    assert set(result.sides) == SIDES[row]
    assert all(over.low >= 0 for figures in result.sides.values() for over in figures.values())
    ours, *references = result.sides.values()
    for over, reference in zip(result.ratios.values(), references, strict=True):
        assert over.median == pytest.approx(ours["events/s"].median / reference["events/s"].median)
        assert over.median > 0
    assert result.verdicts
    assert result.checks


def test_a_database_is_grown_and_compared_with_a_fresh_one_and_then_asked(tmp_path: Path) -> None:
    growth, asked = _smoke("growth", tmp_path / "results.json")
    assert [point.events for point in growth.way] == [540, 1_000, 2_000]
    grown, fresh = growth.sides.values()
    rate = growth.ratios["rate, grown / fresh"]
    assert rate.median == pytest.approx(grown["events/s"].median / fresh["events/s"].median)
    assert growth.way[-1].figures["rate, grown / fresh"] == rate.median
    assert growth.stopped_early == ""
    (taken,) = asked.sides.values()
    assert all(over.low > 0 for over in taken.values())


def test_a_run_whose_time_is_up_keeps_what_it_measured_and_says_so(tmp_path: Path) -> None:
    growth, _ = _smoke("growth", tmp_path / "results.json", "--minutes", "0")
    assert growth.stopped_early == "Stopped at 60 of 2,000 events: its time was up."


def test_a_grown_database_is_kept_where_it_is_asked_again(tmp_path: Path) -> None:
    with temporary_home() as home:
        kept = str(home / "grown")
        _, asked = _smoke("growth", tmp_path / "first.json", "--minutes", "0", "--home", kept)
        (again,) = _smoke("questions", tmp_path / "again.json", "--home", kept)
    assert again.title == asked.title == "What people ask of 60 events"


def _smoke(row: str, into: Path, *options: str) -> list[Result]:
    with temporary_home() as home:
        scratch = home / "scratch"
        scratch.mkdir(mode=0o711)
        done = subprocess.run(
            [sys.executable, "-m", "bench", row, "--smoke", *options, "--json", str(into)],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(scratch)},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        assert list(scratch.iterdir()) == []
        assert _processes_that_name(scratch) == []
    return msgspec.json.decode(into.read_bytes(), type=Run).results


def _processes_that_name(directory: Path) -> list[str]:
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(directory) in line:
            lines.append(line)
    return lines
