"""What the doctor says can be planned can be planned, and every maker mends a check that exists."""

from __future__ import annotations

import re
from pathlib import Path

from sitevault.doctor import checks
from sitevault.doctor.checks import CHECKS
from sitevault.repair.makers.registry import MAKERS

ROOMS = Path(checks.__file__).parent


def test_every_maker_is_of_a_check_that_exists() -> None:
    assert set(MAKERS) - {check.id for check in CHECKS} == set()


def test_every_check_that_names_a_plan_has_a_maker() -> None:
    named = set()
    for file in ROOMS.rglob("*.py"):
        text = file.read_text("utf-8")
        if "sitevault repair plan {ID}" in text:
            named |= set(re.findall(r'^ID = "([\w.]+)"', text, re.MULTILINE))
        named |= set(re.findall(r"sitevault repair plan ([a-z]+\.[a-z_]+)", text))
    assert len(named) > 10
    assert named - set(MAKERS) == set()
