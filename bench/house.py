"""A house to measure in: an embedded durable server of its own, five tenants with keys, nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from bench.figures import HarnessError
from sitevault.config import Config
from sitevault.db import embedded
from sitevault.db.connect import Database, connect, open_embedded
from sitevault.db.migrate import migrate
from sitevault.demo.tenants import DemoTenant, ensure_tenants
from sitevault.supervisor.child import Child
from sitevault.tenancy.keys import digest

_MUST_BE_ON = ("fsync", "full_page_writes", "synchronous_commit")
_STOP_SECONDS = 20.0
_STILL_SECONDS = 0.25


class Holder(NamedTuple):
    """A tenant and its key."""

    tenant: DemoTenant
    tenant_hk: bytes
    api_key_hk: bytes
    key: str


class Service(NamedTuple):
    """A running process of ours; the URL is empty where it has none."""

    pid: int
    url: str


@dataclass(frozen=True)
class House:
    """Everything a row needs; rows do not share one."""

    home: Path
    database: Database
    admin: psycopg.Connection[Any]
    """The superuser, who counts what really is in the tables."""
    holders: list[Holder]
    server_pid: int

    @contextmanager
    def service(self, name: str, number: int = 0) -> Iterator[Service]:
        """`sitevault serve --only <name>` as operators run it, stopped at the end; several have their numbers."""
        log = self.home / "log" / f"{name}{number or ''}.log"
        child = Child(name, log, config_path=None, environ=environment(self.home))
        child.start()
        try:
            news = child.wait_ready()
            if child.pid is None:
                raise HarnessError(f"The {name} fell at once. {child.last_words()}")
            yield Service(child.pid, str(news["url"]))
        finally:
            child.stop()

    @contextmanager
    def module(self, name: str, *arguments: str) -> Iterator[Service]:
        """`python -m <name>` that prints its URL as a line of JSON, and stops when its input ends."""
        process = subprocess.Popen(
            [sys.executable, "-m", name, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(self.home),
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("asked for pipes, got none")
        try:
            line = process.stdout.readline()
            if not line:
                raise HarnessError(f"{name} ended before it served.")
            yield Service(process.pid, json.loads(line)["url"])
        finally:
            process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()

    def count(self, query: str) -> int:
        """The one number a query of ours returns."""
        row = self.admin.execute(query).fetchone()
        if row is None:
            raise HarnessError(f"No row came of: {query}")
        return int(row[0])

    def settled(self, query: str) -> int:
        """The same once it stands still: who hung up on a request does not see it finish."""
        last, now = -1, self.count(query)
        while now != last:
            time.sleep(_STILL_SECONDS)
            last, now = now, self.count(query)
        return now


@contextmanager
def temporary_home(what: str = "bench") -> Iterator[Path]:
    """An empty directory that the server's user can enter (its parent follows TMPDIR), removed at the end."""
    home = Path(tempfile.mkdtemp(prefix=f"sitevault-{what}-"))
    home.chmod(0o711)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def open_house(kept: Path | None = None) -> Iterator[House]:
    """A fresh server with an empty, migrated database, or the one that is kept in `kept`, brought up to date.

    Raises HarnessError when it is not durable.
    """
    with nullcontext(kept) if kept else temporary_home() as home, embedded.attach(home) as server:
        database = open_embedded(Config(home=home), server)
        migrate(database)
        holders = [
            Holder(one.tenant, one.tenant_hk, digest(one.key), one.key) for one in ensure_tenants(database, home)
        ]
        with connect(database.admin_conninfo, autocommit=True) as admin:
            for setting in _MUST_BE_ON:
                row = admin.execute("SELECT current_setting(%s)", (setting,)).fetchone()
                if row != ("on",):
                    raise HarnessError(f"{setting} is {row}: figures without durability are worth nothing.")
            yield House(home, database, admin, holders, server.pid)


def environment(home: Path) -> dict[str, str]:
    """Our environment without the settings of another installation; which PostgreSQL to run may be chosen."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "DATABASE_URL" and (not name.startswith("SITEVAULT_") or name == "SITEVAULT_PG_BINDIR")
    }
    root = Path(__file__).parent.parent
    return kept | {
        "SITEVAULT_HOME": str(home),
        "SITEVAULT_PORT": "0",
        "SITEVAULT_LOG_LEVEL": "warning",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(root), kept.get("PYTHONPATH")))),
    }
