"""A real collector on a real database, for tests that speak HTTP to it."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psycopg
import pytest

from sitevault.collector.server import running
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.tenancy.keys import KeyKind, create_key
from sitevault.tenancy.tenants import add_tenant

PAGE = "https://www.example.com"
EVENT = {"event_type": "page_view", "page_url": f"{PAGE}/shoes", "event_data": {"session_id": "s-1"}}


@dataclass
class Tenant:
    """A tenant with a key of each kind; the public one is for pages of PAGE."""

    tenant_bk: str
    tenant_hk: bytes
    secret: str
    public: str


def make_tenant(database: Database, name: str = "The ONE Spa", rate_limit: int | None = None) -> Tenant:
    with database.connect(Role.MIGRATOR, autocommit=True) as conn:
        tenant = add_tenant(conn, name).tenant
        secret = create_key(conn, tenant.tenant_bk, KeyKind.SECRET, rate_limit=rate_limit).key
        public = create_key(conn, tenant.tenant_bk, KeyKind.PUBLIC, allowed_origins=[PAGE]).key
    return Tenant(tenant.tenant_bk, tenant.tenant_hk, secret, public)


@dataclass
class RunningCollector:
    """A collector that runs in a thread of this process until `stop`."""

    database: Database
    config: Config
    url: str = ""
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: asyncio.Event | None = None
    _thread: threading.Thread | None = None
    _ready: threading.Event = field(default_factory=threading.Event)
    _error: BaseException | None = None

    def start(self) -> RunningCollector:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20)
        if self._error is not None:
            raise self._error
        return self

    def begin_to_stop(self) -> None:
        if self._loop is not None and self._stop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)

    def stop(self) -> None:
        self.begin_to_stop()
        if self._thread is not None:
            self._thread.join(30)
            assert not self._thread.is_alive()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with running(self.database, self.config) as self.url:
                self._ready.set()
                await self._stop.wait()
        except BaseException as error:
            self._error = error
            self._ready.set()

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=20, **options)

    def port(self) -> int:
        return httpx.URL(self.url).port or 0


_SERVE = """
import asyncio, pickle, sys
from sitevault.collector.server import serve
database, config = pickle.load(sys.stdin.buffer)
asyncio.run(serve(database, config, lambda url: print(url, flush=True)))
"""


@contextmanager
def own_process(database: Database, **settings: Any) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A collector in a process of its own, and its URL."""
    process = subprocess.Popen([sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(pickle.dumps((database, Config(**{"port": 0, **settings}))))
        process.stdin.close()
        yield process, process.stdout.readline().decode().strip()
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


StartCollector = Callable[..., RunningCollector]


@pytest.fixture
def start_collector(database: Database) -> Iterator[StartCollector]:
    """Starts collectors on this test's database, with the settings named; port 0 unless said otherwise."""
    with ExitStack() as stack:

        def start(on: Database | None = None, **settings: Any) -> RunningCollector:
            config = Config(**{"port": 0, **settings})
            collector = RunningCollector(on or database, config).start()
            stack.callback(collector.stop)
            return collector

        yield start


@pytest.fixture
def tenant(database: Database) -> Tenant:
    return make_tenant(database)


@pytest.fixture
def collector(start_collector: StartCollector) -> RunningCollector:
    return start_collector()


@pytest.fixture
def client(collector: RunningCollector, tenant: Tenant) -> Iterator[httpx.Client]:
    """A client with the tenant's secret key in X-Api-Key."""
    with collector.client(headers={"X-Api-Key": tenant.secret}) as client:
        yield client


@pytest.fixture
def admin(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """The superuser, who sees what really is in the tables."""
    with connect(database.admin_conninfo, autocommit=True) as conn:
        yield conn
