"""Environments of both shapes on a test's own database, and what their tests ask of them."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.release import record
from sitevault.release.environments import Environment
from sitevault.release.events import Event, Teller
from sitevault.release.target import SQL, Target
from sitevault.repair.ground import Ground
from sitevault.worker.run import Worker


@contextmanager
def house(database: Database, name: str = "testing") -> Iterator[Target]:
    """A Sitevault's own database, enrolled."""
    with (
        database.connect(Role.MIGRATOR, autocommit=True, application_name="release") as conn,
        database.connect(Role.JUDGE, autocommit=True, application_name="release") as judge,
    ):
        conn.execute(SQL.act_as_owner)
        judge.execute(SQL.read_only)
        settings = Environment(home=Path("somewhere"))
        conninfo = database.conninfo(Role.MIGRATOR, "release")
        target = Target(
            name, settings, "house", Ground(conn, True), judge, conninfo, _place(conn), Config(), database
        )
        _enroll(target)
        yield target


@contextmanager
def guide(database: Database, name: str = "testing", **settings: Any) -> Iterator[Target]:
    """A database of the guide's shape, enrolled."""
    conninfo = database.admin_conninfo
    with connect(conninfo, autocommit=True) as conn, connect(conninfo, autocommit=True) as judge:
        judge.execute(SQL.read_only)
        of_it = Environment(url_from="TESTING_URL", **settings)
        target = Target(name, of_it, "guide", Ground(conn, False), judge, conninfo, _place(conn), Config())
        _enroll(target)
        yield target


def _place(conn: psycopg.Connection[Any]) -> str:
    return f"{conn.info.host}:{conn.info.port}/{conn.info.dbname}"


def _enroll(target: Target) -> None:
    if record.enrolled(target.ground) is None:
        record.enroll(target)


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.teller = Teller(self.events.append, "testing")

    def said(self, words: str) -> bool:
        return any(words in event.message for event in self.events)


@contextmanager
def working(database: Database, workers: int = 1, **settings: Any) -> Iterator[None]:
    """Real workers in this process."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=Worker(database, Config(**settings)).run, args=(stop,)) for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def own_process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Python of its own that can be killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what has to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.02)


def pending(conn: psycopg.Connection[Any]) -> int:
    """How many events of the house wait in batches."""
    row = conn.execute("SELECT coalesce(sum(events), 0) FROM raw.batch WHERE state = 'PENDING'").fetchone()
    assert row is not None
    return int(row[0])
