"""`sitevault serve --only worker`: two processes, of which none is left behind and none goes on alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from bench.watch import tree
from tests import given
from tests.e2e.test_up import wait_until

from sitevault.config import Config
from sitevault.db.connect import Database, open_database
from sitevault.db.migrate import migrate
from sitevault.db.roles import Role


def serve(home: Path) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.Popen(
        [sys.executable, "-m", "sitevault", "serve", "--only", "worker"],
        env=environ | {"SITEVAULT_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def pending(database: Database) -> int:
    with database.connect(Role.JUDGE) as judge:
        row = judge.execute("SELECT count(*) FROM raw.batch WHERE state = 'PENDING'").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("half", [0, 1])
def test_a_worker_one_of_whose_halves_is_killed_ends_and_the_next_goes_on(home: Path, half: int) -> None:
    with open_database(Config(home=home)) as database:
        migrate(database)
        who = given.sender(database, "The ONE Spa")
        worker = serve(home)
        try:
            wait_until(lambda: len(tree(worker.pid)) == 2)
            both = tree(worker.pid)
            os.kill(both[half], signal.SIGKILL)
            _, said = worker.communicate(timeout=40)
            wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in both))
        finally:
            worker.kill()
        assert worker.returncode == (-signal.SIGKILL if half == 0 else 1)
        assert half == 0 or b"One of the worker's two processes ended by itself" in said
        given.land(database, [given.row(who, given.page_view(1))])
        again = serve(home)
        wait_until(lambda: pending(database) == 0)
        again.terminate()
        assert again.wait(40) == 0


def test_a_worker_that_is_told_to_stop_again_and_again_is_not_gone_before_its_other_half(home: Path) -> None:
    with open_database(Config(home=home)) as database:
        migrate(database)
        worker = serve(home)
        assert worker.stdout is not None
        assert b"at work" in worker.stdout.readline()
        _, twin = tree(worker.pid)
        try:
            os.kill(twin, signal.SIGSTOP)
            for _ in range(15):
                worker.terminate()
                time.sleep(0.2)
                assert worker.poll() is None
            os.kill(twin, signal.SIGCONT)
            assert worker.wait(40) == 0
            assert not Path(f"/proc/{twin}").exists()
        finally:
            with suppress(ProcessLookupError):
                os.kill(twin, signal.SIGCONT)
            worker.kill()
            worker.communicate()
