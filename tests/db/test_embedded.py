"""The embedded server: started once, shared by all, stopped by the last, private to its owner."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
from lifecycle import attacher, eventually, gone, query
from psycopg.conninfo import make_conninfo

from homes import temporary_home
from sitevault.config import Config
from sitevault.db import binaries, cluster, embedded
from sitevault.db.connect import open_database
from sitevault.db.roles import Role
from sitevault.errors import SitevaultError

AS_ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not AS_ROOT, reason="only root can become somebody else")


def test_a_second_attach_in_the_process_shares_the_server(home: Path) -> None:
    with embedded.attach(home, durable=False) as first:
        with embedded.attach(home, durable=False) as second:
            assert second.pid == first.pid
            assert first.started_here
            assert not second.started_here
        assert query(first, "SELECT 1") == 1
    assert gone(first.pid)


def test_the_last_process_to_leave_stops_the_server(home: Path) -> None:
    with attacher(home) as one, attacher(home) as two:
        pids = {one.attached()[0], two.attached()[0]}
        (pid,) = pids
        one.leave()
        assert not gone(pid)
        two.leave()
        assert gone(pid)


def test_of_two_processes_that_start_at_once_exactly_one_starts_the_server(home: Path) -> None:
    with attacher(home) as one, attacher(home) as two:
        (pid, first), (same, second) = one.attached(), two.attached()
        assert pid == same
        assert {first, second} == {True, False}
        one.leave()
        two.leave()


def test_coming_and_going_at_once_always_finds_a_server_that_answers(home: Path) -> None:
    for _ in range(4):
        with attacher(home) as leaving:
            leaving.attached()
            leaving.process.stdin.write("\n")  # type: ignore[union-attr]
            leaving.process.stdin.flush()  # type: ignore[union-attr]
            with embedded.attach(home, durable=False) as server:
                assert query(server, "SELECT 1") == 1
    eventually(lambda: gone(server.pid))


def test_releasing_twice_is_releasing_once(home: Path) -> None:
    with embedded.attach(home, durable=False) as keeper:
        other = embedded.attach(home, durable=False)
        other.release()
        other.release()
        assert query(keeper, "SELECT 1") == 1


def test_data_is_there_after_a_stop_and_a_start(home: Path) -> None:
    with embedded.attach(home, durable=False) as server:
        query(server, "CREATE TABLE kept AS SELECT 42 AS answer")
    with embedded.attach(home, durable=False) as server:
        assert query(server, "SELECT answer FROM kept") == 42


def test_the_server_is_durable_unless_a_test_asks_otherwise(home: Path) -> None:
    with embedded.attach(home) as server:
        for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
            assert query(server, f"SHOW {setting}") == "on"


def test_nobody_gets_in_without_a_password_not_even_the_superuser(home: Path) -> None:
    with embedded.attach(home, durable=False) as server:
        for user in ("postgres", pwd.getpwuid(os.geteuid()).pw_name):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(make_conninfo(server.superuser_conninfo(), user=user, password=""))
        methods = query(server, "SELECT string_agg(DISTINCT auth_method, ',') FROM pg_hba_file_rules")
        assert methods == "scram-sha-256"
        assert query(server, "SHOW listen_addresses") == ""


def test_the_socket_and_the_secrets_are_private(home: Path) -> None:
    with open_database(Config(home=home)) as database:
        directory = Path(database.where["host"])
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        for secret in (home / "credentials.json", home / "postgres" / "superuser", home / "log" / "postgres.log"):
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def test_no_value_of_a_row_and_no_statement_reaches_the_log(home: Path) -> None:
    with embedded.attach(home, durable=False) as server:
        query(server, "CREATE TABLE person (mail text PRIMARY KEY)")
        query(server, "INSERT INTO person VALUES ('secret@example.org')")
        for statement in (
            "INSERT INTO person VALUES ('secret@example.org')",
            "SELECT 'secret@example.org'::jsonb",
            "SELECT 'secret@example.org'::int",
            "DO $$ BEGIN RAISE EXCEPTION 'secret@example.org'; END $$",
            "DO $$ BEGIN RAISE WARNING 'secret@example.org'; END $$",
        ):
            with contextlib.suppress(psycopg.Error):
                query(server, statement)
    log = (home / "log" / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "secret@example.org" not in log
    assert "person" not in log


def test_a_home_with_a_very_long_path_works(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = home / ("a-rather-long-name-" * 8) / "home"
    with embedded.attach(long, durable=False) as server:
        assert len(str(server.socket_dir)) <= 100
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert query(server, "SELECT 1") == 1
        # Whoever attaches may have another directory for temporary files than whoever started it.
        monkeypatch.setattr(tempfile, "tempdir", str(home))
        with embedded.attach(long, durable=False) as other:
            assert other.socket_dir == server.socket_dir
    shutil.rmtree(server.socket_dir)


def test_data_of_another_major_version_is_refused_by_name(home: Path) -> None:
    with embedded.attach(home, durable=False) as server:
        data = Path(str(query(server, "SHOW data_directory")))
    (data / "PG_VERSION").write_text("14\n")
    with pytest.raises(SitevaultError, match="is of PostgreSQL 14") as caught:
        embedded.attach(home)
    assert "SITEVAULT_PG_BINDIR" in str(caught.value.fix)


def test_a_server_started_by_somebody_else_is_named_not_touched(home: Path) -> None:
    with embedded.attach(home, durable=False) as server:
        place = cluster.locate(home.resolve(), binaries.find())
        held = server.pid
    elsewhere = cluster.private(home / "elsewhere", mode=0o700)
    place.account.give(elsewhere)
    foreign = subprocess.Popen(
        [
            place.binaries.program("postgres"),
            "-D",
            str(place.data),
            "-k",
            str(elsewhere),
            "-c",
            "listen_addresses=",
        ],
        cwd="/",
        stderr=subprocess.DEVNULL,
        **place.account.process_options(),
    )
    try:
        eventually(lambda: (elsewhere / ".s.PGSQL.5432").exists())
        with pytest.raises(SitevaultError, match=f"process {foreign.pid}") as caught:
            embedded.attach(home)
        assert caught.value.command == f"kill -INT {foreign.pid}"
        assert foreign.poll() is None
        assert held != foreign.pid
    finally:
        foreign.terminate()
        foreign.wait(timeout=60)


def test_a_server_that_cannot_start_is_quoted(home: Path) -> None:
    with embedded.attach(home, durable=False) as server:
        data = Path(str(query(server, "SHOW data_directory")))
    control = data / "global" / "pg_control"
    control.write_bytes(bytes(control.stat().st_size))
    with pytest.raises(SitevaultError, match=r"FATAL|PANIC") as caught:
        embedded.attach(home)
    assert "postgres.log" in str(caught.value.fix)


def test_programs_that_are_not_there_are_missed_by_name(home: Path) -> None:
    with pytest.raises(SitevaultError, match="no PostgreSQL that runs in"):
        embedded.attach(home, bindir=home / "nowhere")


@only_root
def test_root_runs_the_server_as_somebody_else(home: Path) -> None:
    with embedded.attach(home, durable=False) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert (home / "postgres" / "data").stat().st_uid == Path(f"/proc/{server.pid}").stat().st_uid


@only_root
def test_a_home_that_the_servers_user_cannot_reach_keeps_its_data_outside() -> None:
    with temporary_home() as parent:
        parent.chmod(0o700)
        home = parent / "home"
        with embedded.attach(home, durable=False) as server:
            data = Path(str(query(server, "SHOW data_directory")))
            query(server, "CREATE TABLE kept AS SELECT 42 AS answer")
        assert data.is_relative_to("/var/lib/sitevault")
        parent.chmod(0o711)
        try:
            # Now reachable, and still the data is where it was.
            with embedded.attach(home, durable=False) as server:
                assert query(server, "SELECT answer FROM kept") == 42
        finally:
            shutil.rmtree(data.parent)


@only_root
def test_programs_that_the_servers_user_cannot_run_are_copied_once(home: Path) -> None:
    shipped = binaries.shipped().directory.parent
    with temporary_home() as closed:
        package = closed / "site-packages" / shipped.parent.name
        shutil.copytree(shipped, package / shipped.name, ignore=shutil.ignore_patterns("include"))
        libraries = shipped.parent.parent / f"{shipped.parent.name}.libs"
        shutil.copytree(libraries, package.parent / libraries.name)
        closed.chmod(0o700)
        copies = set(binaries.SHARED_ROOT.glob("programs-*"))
        made: set[Path] = set()
        try:
            for _ in range(2):
                with embedded.attach(home, bindir=package / shipped.name / "bin", durable=False) as server:
                    assert query(server, "SELECT 1") == 1
                made = set(binaries.SHARED_ROOT.glob("programs-*")) - copies
                assert len(made) == 1
        finally:
            for copy in made:
                shutil.rmtree(copy)


def _as_nobody(home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    with embedded.attach(home, durable=False) as server:
        assert query(server, "SELECT 1") == 1
        assert Path(f"/proc/{server.pid}").stat().st_uid == nobody.pw_uid
    with open_database(Config(home=home)) as database, database.connect(Role.READER) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)


@only_root
def test_an_ordinary_user_runs_the_server_as_himself(home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    # Forked, so that it has Python loaded already: the interpreter itself may be closed to that user.
    child = multiprocessing.get_context("fork").Process(target=_as_nobody, args=(home / "of-nobody",))
    child.start()
    child.join(timeout=60)
    assert child.exitcode == 0
