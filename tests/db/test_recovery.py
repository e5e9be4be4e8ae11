"""kill -9 of anything at any moment: what was committed is there, and the next start needs no help."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from lifecycle import attacher, eventually, gone, kill_all, processes, query

import homes
from sitevault.db import embedded, postmaster
from sitevault.errors import SitevaultError


def test_a_killed_postmaster_is_replaced_and_nothing_committed_is_lost(home: Path) -> None:
    with embedded.attach(home) as first:
        query(first, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        os.kill(first.pid, signal.SIGKILL)
        with embedded.attach(home) as second:
            assert second.started_here
            assert second.pid != first.pid
            assert query(second, "SELECT count(*) FROM kept") == 1000


def test_whoever_holds_a_claim_can_start_the_server_again(home: Path) -> None:
    with embedded.attach(home) as server:
        query(server, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        assert not server.revive()
        before, everything = server.pid, processes(server)
        kill_all(everything)
        eventually(lambda: all(map(gone, everything)))
        assert server.revive()
        assert server.pid != before
        assert query(server, "SELECT count(*) FROM kept") == 1000
    assert gone(server.pid)


def test_a_start_that_failed_can_be_tried_again_by_anybody(home: Path) -> None:
    with embedded.attach(home, durable=False) as server:
        settings = home / "postgres" / "data" / "postgresql.auto.conf"
        right = settings.read_bytes()
        everything = processes(server)
        kill_all(everything)
        eventually(lambda: all(map(gone, everything)))
        settings.write_bytes(b"nonsense\n")
        with pytest.raises(SitevaultError):
            server.revive()
        settings.write_bytes(right)
        with attacher(home) as other:
            reading, _, _ = select.select([other.process.stdout], [], [], 30)
            assert reading, "the other process waits for a claim that nobody may hold alone"
            assert other.attached()[1]
            assert not server.revive()
            assert query(server, "SELECT 1") == 1


def test_a_start_after_everything_was_killed_recovers(home: Path) -> None:
    with attacher(home, durable=True) as other:
        other.attached()
        with embedded.attach(home) as server:
            query(server, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
            everything = processes(server)
            other.kill()
            kill_all(everything)
    with embedded.attach(home, durable=False) as server:
        assert query(server, "SELECT count(*) FROM kept") == 1000


def test_a_busy_child_of_a_killed_postmaster_does_not_block_the_next_start(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postmaster, "PATIENCE_SECONDS", 0.3)
    with embedded.attach(home, durable=False) as server:
        busy = psycopg.connect(server.superuser_conninfo(), autocommit=True)
        child = busy.info.backend_pid
        # Never waits for anything, so it does not notice that its server is gone.
        busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 10000000000)")
        busy.pgconn.flush()
        time.sleep(0.2)
        os.kill(server.pid, signal.SIGKILL)
        told: list[str] = []
        with embedded.attach(home, durable=False, notify=told.append) as again:
            assert query(again, "SELECT 1") == 1
            assert gone(child)
        assert any("killed PostgreSQL" in message for message in told)
        busy.close()


def test_a_server_left_by_killed_processes_is_attached_to_and_stopped_by_the_last(home: Path) -> None:
    with attacher(home) as other:
        pid, _ = other.attached()
        other.kill()
    assert not gone(pid)
    with embedded.attach(home, durable=False) as server:
        assert server.pid == pid
        assert not server.started_here
    assert gone(pid)


def test_a_kill_in_the_middle_of_initdb_leaves_nothing_in_the_way(home: Path) -> None:
    with attacher(home) as other:
        eventually(lambda: any(home.glob("postgres/init-*/data/base")))
        other.kill()
        assert not (home / "postgres" / "data").exists()
    with embedded.attach(home, durable=False) as server:
        assert query(server, "SELECT 1") == 1


_ABANDONED = """
import sys
sys.path.insert(0, sys.argv[1])
from homes import temporary_home
from sitevault.db import embedded
with temporary_home() as home, embedded.attach(home, durable=False) as server:
    print(home, server.pid, flush=True)
    sys.stdin.readline()
"""


def test_what_a_killed_test_run_left_is_swept_away_by_the_next() -> None:
    tests = str(Path(homes.__file__).parent)
    run = subprocess.Popen(
        [sys.executable, "-c", _ABANDONED, tests], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    home, pid = run.stdout.readline().split()  # type: ignore[union-attr]
    homes.sweep_abandoned_homes()
    assert not gone(int(pid))
    run.kill()
    run.communicate()
    homes.sweep_abandoned_homes()
    assert gone(int(pid))
    assert not Path(home).exists()


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(home: Path) -> None:
    with embedded.attach(home, durable=False) as server:
        assert os.getsid(server.pid) != os.getsid(0)
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_a_number_in_postmaster_pid_that_is_now_somebody_else_is_not_believed(home: Path) -> None:
    with embedded.attach(home, durable=False) as server:
        data = Path(str(query(server, "SHOW data_directory")))
        left = (data / "postmaster.pid").read_text()
        everything = processes(server)
        kill_all(everything)
        eventually(lambda: all(map(gone, everything)))
    bystander = subprocess.Popen(["sleep", "60"], cwd=data)
    try:
        (data / "postmaster.pid").write_text(left.replace(str(server.pid), str(bystander.pid), 1))
        with embedded.attach(home, durable=False) as again:
            assert query(again, "SELECT 1") == 1
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_an_empty_postmaster_pid_is_no_obstacle(home: Path) -> None:
    with embedded.attach(home, durable=False) as server:
        data = Path(str(query(server, "SHOW data_directory")))
    (data / "postmaster.pid").write_text("")
    with embedded.attach(home, durable=False) as server:
        assert query(server, "SELECT 1") == 1


def test_a_server_that_is_stopping_is_waited_for(home: Path) -> None:
    with embedded.attach(home, durable=False) as first:
        query(first, "CREATE TABLE kept AS SELECT 42 AS answer")
        with psycopg.connect(first.superuser_conninfo()) as held:
            held.execute("SELECT 1")
            os.kill(first.pid, signal.SIGTERM)  # smart: it stays until the client has gone
            starter = subprocess.Popen(
                [sys.executable, "-c", _ATTACH_AND_ASK, str(home)], stdout=subprocess.PIPE, text=True
            )
            time.sleep(0.5)
        out, _ = starter.communicate(timeout=60)
        assert out.split() == ["42"]


_ATTACH_AND_ASK = """
import sys, psycopg
from pathlib import Path
from sitevault.db import embedded
with embedded.attach(Path(sys.argv[1]), durable=False) as server:
    print(psycopg.connect(server.superuser_conninfo()).execute("SELECT answer FROM kept").fetchone()[0])
"""


def test_a_long_recovery_is_waited_for_and_talked_about(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postmaster, "PATIENCE_SECONDS", 0.02)
    with embedded.attach(home, durable=False) as server:
        query(server, "CREATE TABLE replayed AS SELECT n, repeat('x', 500) FROM generate_series(1, 200000) AS n")
        kill_all(processes(server))
    told: list[str] = []
    with embedded.attach(home, durable=False, notify=told.append) as server:
        assert query(server, "SELECT 1") == 1
    assert any("PostgreSQL is starting" in message for message in told)
