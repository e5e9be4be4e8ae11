"""A short run of the chaos suite: it kills, it counts, and it leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
from chaos.results import Run

from homes import temporary_home

ROOT = Path(__file__).parent.parent.parent


def test_a_short_run_loses_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    faults = ("kill a collector", "kill a worker", "kill PostgreSQL", "cut a flush", "clock jump", "disk full")
    with temporary_home() as home:
        scratch = home / "scratch"
        scratch.mkdir(mode=0o711)
        chosen = [word for fault in faults for word in ("--fault", fault)]
        results = tmp_path / "results.json"
        done = subprocess.run(
            [sys.executable, "-m", "chaos", "--kills", "3", "--minutes", "0.2", "--json", str(results), *chosen],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": str(scratch)},
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert list(scratch.iterdir()) == []
        assert str(scratch) not in Path("/proc/mounts").read_text("utf-8")
    run = msgspec.json.decode(results.read_bytes(), type=Run)
    assert run.kills >= 3  # a server that is slow to come back may be killed once more
    assert run.sound
    assert set(run.by_kind) | set(run.skipped) == set(faults)
    assert run.account.found.events >= run.acknowledged > 100
    assert f"seed {run.seed}" in done.stdout
