"""Two processes that live and end together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ORIGINAL = """
import os, signal, sys, threading
from sitevault.supervisor import twin

def until_told(name):
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    os.write(1, f"{{name}} {{os.getpid()}}\\n".encode())
    while not told.wait(0.05):
        pass

copy = twin.fork(lambda: until_told("copy"), [{let_go}])
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
copy.watch(stop.set)
os.write(1, f"original {{os.getpid()}}\\n".encode())
while not stop.wait(0.05):
    pass
copy.stop()
sys.exit(3 if copy.fell else 0)
"""


@pytest.fixture
def pair() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The original's process, and the pid of its copy."""
    script = textwrap.dedent(ORIGINAL.format(let_go=""))
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        begun = [process.pid]
        try:
            said = dict(process.stdout.readline().split() for _ in range(2))
            begun.append(int(said["copy"]))
            yield process, begun[-1]
        finally:
            for pid in begun:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_the_copy_stops_when_its_original_is_killed(pair: tuple[subprocess.Popen[str], int]) -> None:
    original, copy = pair
    original.kill()
    assert ends(copy)


def test_the_original_hears_that_its_copy_was_killed(pair: tuple[subprocess.Popen[str], int]) -> None:
    original, copy = pair
    os.kill(copy, signal.SIGKILL)
    assert original.wait(30) == 3


def test_both_stop_when_the_original_is_asked_to(pair: tuple[subprocess.Popen[str], int]) -> None:
    original, copy = pair
    original.terminate()
    assert original.wait(30) == 0
    assert ends(copy)


def test_what_the_copy_lets_go_of_ends_with_the_original() -> None:
    reading, writing = os.pipe()
    script = textwrap.dedent(ORIGINAL.format(let_go=writing))
    script = script.replace("while not stop", f"os.close({writing})\nwhile not stop")
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, pass_fds=(writing,))
    try:
        os.close(writing)
        assert os.read(reading, 1) == b"", "the copy holds it no longer, and both are still at work"
        assert process.poll() is None
    finally:
        os.close(reading)
        process.terminate()
        assert process.wait(30) == 0
