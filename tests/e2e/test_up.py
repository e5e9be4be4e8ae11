"""`sitevault up` is the whole house in one command, and leaves nothing behind however it ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sitevault.config import Config
from sitevault.db.connect import open_database
from sitevault.db.roles import Role
from sitevault.demo.tenants import KEY_FILE, ensure_tenants
from sitevault.tenancy.tenants import add_tenant

START_SECONDS = 60.0
EVENT = {
    "event_type": "page_view",
    "page_url": "https://www.theonespa.example/",
    "event_data": {"session_id": "s-1", "visitor_id": "v-1"},
}


class Up:
    """A running `sitevault up` in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = free_port()
        self.output = home / "up.txt"
        environ = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL",)}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sitevault", "up"],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environ | {"SITEVAULT_HOME": str(home), "SITEVAULT_PORT": str(self.port)},
                start_new_session=True,
            )
        wait_until(lambda: "Ctrl-C stops everything" in self.said or self.process.poll() is not None)
        assert self.process.poll() is None, self.said

    @property
    def said(self) -> str:
        return self.output.read_text("utf-8")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def services(self) -> dict[str, int]:
        """Service -> pid of the children that hold this home, found by their environment."""
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                environ = (entry / "environ").read_bytes().split(b"\0")
                if b"--only" in words and f"SITEVAULT_HOME={self.home}".encode() in environ:
                    found[words[words.index(b"--only") + 1].decode()] = int(entry.name)
        return found

    def postgres_runs(self) -> bool:
        return (self.home / "postgres" / "data" / "postmaster.pid").exists()

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self) -> None:
        """However the test ended, nothing of ours is left running."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        wait_until(lambda: not self.services(), 30)


@pytest.fixture
def start_up(home: Path) -> Iterator[Callable[[], Up]]:
    started: list[Up] = []

    def start() -> Up:
        started.append(Up(home))
        return started[-1]

    yield start
    for up in reversed(started):
        up.end()


def wait_until(condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def prepare(home: Path) -> str:
    """The demo's tenants in the home; returns a key of the first."""
    with open_database(Config(home=home)) as database:
        from sitevault.db.migrate import migrate

        migrate(database)
        return ensure_tenants(database, home)[0].key


def test_up_takes_an_event_to_the_vault_and_ctrl_c_ends_everything(home: Path, start_up: Callable[[], Up]) -> None:
    key = prepare(home)
    up = start_up()
    assert key in up.said
    answer = post(up, key, "?wait=vault")
    assert (answer["success"], answer["status"]) == (True, "vaulted")
    assert set(up.services()) == {"collector", "worker"}
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(40) == 0
    assert "1 events landed in all, 1 in the vault, 0 pending; the ledger balances" in up.said
    assert up.services() == {}
    assert not up.listens()
    assert not up.postgres_runs()


def test_the_curl_that_up_prints_works(home: Path, start_up: Callable[[], Up]) -> None:
    prepare(home)
    up = start_up()
    (line,) = re.findall(r"^  (curl .*)$", up.said, re.MULTILINE)
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["status"] == "vaulted"


def test_up_on_an_empty_home_makes_no_tenant_and_says_how(start_up: Callable[[], Up]) -> None:
    up = start_up()
    assert "There is no tenant yet" in up.said
    assert not (up.home / KEY_FILE).exists()
    with open_database(Config(home=up.home)) as database, database.connect(Role.JUDGE) as judge:
        assert judge.execute("SELECT count(*) FROM auth.tenant_h").fetchone() == (0,)


def test_up_shows_no_key_of_a_tenant_that_is_not_the_demos(home: Path, start_up: Callable[[], Up]) -> None:
    with open_database(Config(home=home)) as database:
        from sitevault.db.migrate import migrate

        migrate(database)
        with database.connect(Role.MIGRATOR) as admin:
            add_tenant(admin, "A customer", "a-customer")
    up = start_up()
    assert "sitevault key create a-customer --secret" in up.said
    assert not re.search(r"sv_(sec|pub)_[0-9A-Za-z]{43}", up.said)


def test_a_killed_parent_leaves_no_orphan_on_the_port(home: Path, start_up: Callable[[], Up]) -> None:
    key = prepare(home)
    up = start_up()
    post(up, key)
    up.process.kill()
    up.process.wait(10)
    wait_until(lambda: not up.services() and not up.listens() and not up.postgres_runs(), 40)
    again = start_up()
    assert post(again, key, "?wait=vault")["status"] == "vaulted"


@pytest.mark.parametrize("service", ["collector", "worker"])
def test_a_service_that_falls_is_started_again(home: Path, start_up: Callable[[], Up], service: str) -> None:
    key = prepare(home)
    up = start_up()
    before = up.services()[service]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: f"The {service} is started again" in up.said)
    assert up.services()[service] != before
    wait_until(up.listens)
    assert post(up, key, "?wait=vault")["status"] == "vaulted"


def test_postgresql_that_is_killed_is_started_again(home: Path, start_up: Callable[[], Up]) -> None:
    key = prepare(home)
    up = start_up()
    pid_file = home / "postgres" / "data" / "postmaster.pid"
    before = int(pid_file.read_text().split()[0])
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: "PostgreSQL fell and is started again" in up.said)
    assert int(pid_file.read_text().split()[0]) != before
    assert post(up, key, "?wait=vault")["success"]


def test_a_taken_port_is_said_and_nothing_is_left_running(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            [sys.executable, "-m", "sitevault", "up"],
            env=os.environ | {"SITEVAULT_HOME": str(home), "SITEVAULT_PORT": str(taken.getsockname()[1])},
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
    assert done.returncode == 1
    assert "cannot listen on" in done.stderr
    assert not (home / "postgres" / "data" / "postmaster.pid").exists()


def post(up: Up, key: str, query: str = "") -> dict[str, Any]:
    """Post an event; a collector that is just being started again is waited for."""
    deadline = time.monotonic() + 30
    while True:
        try:
            answer = httpx.post(
                f"{up.url}/api/v1/track{query}", json=EVENT, headers={"X-Api-Key": key}, timeout=20
            )
            answer.raise_for_status()
            content: dict[str, Any] = answer.json()
            return content
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
