"""`sitevault demo --once` proves itself: exact, repeatable, and gone when it is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from sitevault.demo.tenants import KEY_FILE


def demo(home: Path, *options: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "sitevault", "demo", "--once", "--events", "600", "--json", *options],
        env=os.environ | {"SITEVAULT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_the_demo_holds_its_kpis_and_accounts_for_everything_and_can_be_repeated(home: Path) -> None:
    first = demo(home, "--seed", "7")
    assert first["failures"] == []
    assert len(first["accounts"]) == 5
    assert all(account["exact"] for account in first["accounts"])
    assert {kpi["verdict"] for kpi in first["kpis"]} == {"PASS"}
    assert len(first["kpis"]) == 7
    assert first["guide"] == {"sent": 5, "processed": 5, "valid": 5, "enriched": 5, "right_tenant": 5}
    assert first["recount_confirmed"]
    assert (home / KEY_FILE).stat().st_mode & 0o077 == 0
    assert not (home / "postgres" / "data" / "postmaster.pid").exists(), "it stops what it started"

    again = demo(home, "--seed", "7")
    assert sum(account["repeated"] for account in again["accounts"]) > 500, "the same events, so duplicates"

    other = demo(home)
    assert other["seed"] != 7
    assert sum(account["repeated"] for account in other["accounts"]) == 0
    assert len(other["ledger"]["tenants"]) == 5, "tenants are made once"
