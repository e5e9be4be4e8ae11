"""What is measured is let ahead of others only where that was asked for, and only while it lasts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from bench import ahead
from bench.figures import HarnessError


@pytest.fixture
def other() -> Iterator[int]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.kill()


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_wanted", False)
    try:
        ahead.want()
    except HarnessError:
        pytest.skip("letting processes ahead is not allowed here")


def test_nobody_is_let_ahead_who_did_not_ask(other: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_wanted", False)
    with ahead.of_others([other]):
        assert os.sched_getscheduler(other) == os.SCHED_OTHER


def test_a_process_is_ahead_within_the_block_and_not_after_it(other: int, wanted: None) -> None:
    with ahead.of_others([other]):
        assert os.sched_getscheduler(other) == os.SCHED_RR
    assert os.sched_getscheduler(other) == os.SCHED_OTHER


def test_a_process_that_ended_meanwhile_is_passed_over(other: int, wanted: None) -> None:
    with ahead.of_others([other, 2**22 + 1]):
        assert os.sched_getscheduler(other) == os.SCHED_RR
