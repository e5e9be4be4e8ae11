"""What the lifecycle tests do to servers: attach from other processes, and kill without mercy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psycopg

from sitevault.db import postmaster
from sitevault.db.embedded import EmbeddedServer

_ATTACHER = """
import sys
from pathlib import Path
from sitevault.db import embedded
with embedded.attach(Path(sys.argv[1]), durable=sys.argv[2] == "durable") as server:
    print(server.pid, server.started_here, flush=True)
    sys.stdin.readline()
"""


class Attacher:
    """Another process that attaches to a home and stays until told to leave, or killed."""

    def __init__(self, home: Path, durable: bool) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ATTACHER, str(home), "durable" if durable else ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def attached(self) -> tuple[int, bool]:
        """Wait until it is; the server's pid, and whether this process started it."""
        pid, started = _pipe(self.process.stdout).readline().split()
        return int(pid), started == "True"

    def leave(self) -> None:
        self.process.communicate("\n", timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


@contextmanager
def attacher(home: Path, durable: bool = False) -> Iterator[Attacher]:
    other = Attacher(home, durable)
    try:
        yield other
    finally:
        if other.process.poll() is None:
            other.kill()


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def processes(server: EmbeddedServer) -> list[int]:
    """The postmaster and all its children."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text("ascii").split()
    return [server.pid, *map(int, children)]


def kill_all(pids: list[int]) -> None:
    for pid in pids:
        with_mercy_for_the_dead(pid, signal.SIGKILL)


def with_mercy_for_the_dead(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def eventually(condition: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    return not postmaster.is_alive(pid)


def query(server: EmbeddedServer, statement: str) -> object:
    with psycopg.connect(server.superuser_conninfo(), autocommit=True) as conn:
        cursor = conn.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None
