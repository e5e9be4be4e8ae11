"""An environment under fire: traffic at its door, a job at work, and releases that can be killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitevault.cli.story import captured
from sitevault.db.catalog import capture
from sitevault.db.connect import connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.demo.incident.scratch import scratch
from sitevault.demo.release import sources
from sitevault.demo.release.account import Account, account, settle
from sitevault.demo.release.job import Job
from sitevault.demo.release.town import build as the_incident
from sitevault.demo.release.town import named
from sitevault.demo.release.traffic import Traffic
from sitevault.release.target import lasting

VARIABLE = "SITEVAULT_UNDER_FIRE_URL"
RATE = 40.0
SETTLING_SECONDS = 4.0
"""What has not been carried on in so long is held fast by the incident, for ever."""
TOUCHED = ("raw.site_tracking_events_r", "staging.site_tracking_events_s", "auth.tenant_h")
"""Relations that the release under fire alters."""


@dataclass
class Environment:
    """One environment of the guide's shape, reached as a person would: by commands."""

    server: EmbeddedServer
    url: str
    directory: Path
    bundle: Path
    traffic: Traffic
    job: Job
    before: str = ""
    after: str = ""

    @property
    def config(self) -> Path:
        return self.directory / "sitevault.toml"

    @property
    def plan(self) -> Path:
        return self.directory / "plan.json"

    def command(self, *words: str) -> tuple[int, str]:
        """One command in this process: its exit code, and all it said."""
        code, said, remarked = captured(("--config", str(self.config), *words))
        return code, said + remarked

    def release(self, name: str, *words: str) -> tuple[int, str]:
        return self.command("release", name, *words, "--env", "testing")

    def planned(self) -> Path:
        """A new plan of the bundle for what is there now."""
        self.plan.unlink(missing_ok=True)
        accepted = ("--accept", "no_baseline")
        code, said = self.release("plan", str(self.bundle), "--out", str(self.plan), *accepted)
        assert code in (0, 2), said
        return self.plan

    def deploy(self) -> tuple[int, str]:
        return self.release("deploy", str(self.bundle), str(self.plan), "--yes")

    @contextmanager
    def deploying(self) -> Iterator[subprocess.Popen[str]]:
        """The same deploy as a process of its own."""
        words = ["release", "deploy", str(self.bundle), str(self.plan), "--env", "testing", "--yes"]
        process = subprocess.Popen(
            [sys.executable, "-m", "sitevault", "--config", str(self.config), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def status(self) -> dict[str, Any]:
        """What `release status` says."""
        code, said, remarked = captured(
            ("--config", str(self.config), "release", "status", "--env", "testing", "--json")
        )
        assert said, (code, remarked)
        found: dict[str, Any] = json.loads(said)
        return found

    def undone(self) -> None:
        """Everything taken back."""
        code, said = self.release("undo", "--to", "start", "--yes")
        assert code == 0, said
        assert self.catalog() == self.before

    def catalog(self) -> str:
        """The digest of every object that releases are about."""
        with connect(self.url, autocommit=True) as conn:
            return lasting(capture(conn)).digest

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        """What only damage, or a test, does; its rows, if it has any."""
        with connect(self.url, autocommit=True) as conn:
            cursor = conn.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def alone(self) -> None:
        """Wait until the server has noticed that a killed process is gone."""
        until(lambda: self.run(_OTHERS) == [(0,)])

    def at_work(self) -> bool:
        """Whether the job may run."""
        return self.run("SELECT active FROM util.job") == [(True,)]

    def account(self) -> Account:
        """End the traffic, let the job catch up, look for everything."""
        self.traffic.stop()
        with connect(self.url, autocommit=True) as conn:
            before = settle(conn, SETTLING_SECONDS)
            while 0 < (waiting := settle(conn, SETTLING_SECONDS)) < before:
                before = waiting
            self.job.stop()
            return account(conn, self.traffic.sent)


_OTHERS = """
SELECT count(*)::int FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
AND application_name LIKE '%release%'
"""


@contextmanager
def under_fire(server: EmbeddedServer, directory: Path, bundle: Path) -> Iterator[Environment]:
    """An enrolled environment with traffic and a job; gone afterwards."""
    with (
        scratch(server, "fire", the_incident) as url,
        named(VARIABLE, url),
        Traffic(url, RATE, seed=1).running() as traffic,
        Job(url).running() as job,
    ):
        found = Environment(server, url, directory, bundle, traffic, job)
        configure(found)
        code, said = found.release("enroll", "--yes")
        assert code == 0, said
        found.before = found.catalog()
        yield found


def configure(environment: Environment, more: str = "", people: str = "") -> None:
    """Its sitevault.toml, with more settings of the environment and people who sign."""
    environment.config.write_text(
        f"[people]\n{people}\n"
        f'[environments.testing]\nurl_from = "{VARIABLE}"\ncanary = ["1", "all"]\n{more}\n'
        f"{SCHEDULER}",
        "utf-8",
    )


def _scheduler() -> str:
    text = sources.text_of("sitevault.toml")
    found = text[text.index("[environments.testing.scheduler]") :]
    return found[: found.index("\n\n")] + "\n"


SCHEDULER = _scheduler()


def lay(directory: Path) -> Path:
    """The incident's fix, with a column more in each of three tables: every kind of lock a release takes."""
    made = sources.lay(directory, sources.SITE_FIX)
    (made / "migrations").mkdir()
    for number, relation in enumerate(TOUCHED, 1):
        name = f"{number:04}_column_of_{relation.partition('.')[0]}"
        (made / "migrations" / f"{name}.sql").write_text(f"ALTER TABLE {relation} ADD COLUMN extra integer;\n")
        (made / "migrations" / f"{name}.revert.sql").write_text(f"ALTER TABLE {relation} DROP COLUMN extra;\n")
    return made


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, "it did not become true in time"
        time.sleep(0.02)
