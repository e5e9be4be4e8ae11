"""Migrations: each whole or not at all, in order, once, whoever else tries at the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from lifecycle import eventually

from sitevault.db import migration_files
from sitevault.db.connect import Database
from sitevault.db.migrate import migrate, plan
from sitevault.db.roles import Role
from sitevault.errors import MigrationEditedError, MigrationError

TABLE_A = "CREATE SCHEMA shop; CREATE TABLE shop.a (n int);"
TABLE_B = "CREATE TABLE shop.b (n int);"


@pytest.fixture
def empty(new_database: Callable[[str], Database]) -> Database:
    """A database with roles and nothing else."""
    return new_database("template0")


def files(directory: Path, **texts: str) -> Path:
    """A scratch directory: keyword `m0001_name` is a migration, `o10_name` an object file."""
    for name in ("migrations", "objects"):
        (directory / name).mkdir(exist_ok=True)
    for name, text in texts.items():
        room = "migrations" if name[0] == "m" else "objects"
        (directory / room / f"{name[1:]}.sql").write_text(text, "utf-8")
    return directory


def ask(database: Database, statement: str) -> object:
    with psycopg.connect(database.admin_conninfo) as admin:
        row = admin.execute(statement.encode()).fetchone()
        return row[0] if row else None


def exists(database: Database, relation: str) -> bool:
    return ask(database, f"SELECT to_regclass('{relation}') IS NOT NULL") is True


def test_migrations_are_applied_in_order_and_remembered(empty: Database, tmp_path: Path) -> None:
    result = migrate(empty, directory=files(tmp_path, m0001_a=TABLE_A, m0002_b=TABLE_B))
    assert result.applied == ("0001_a", "0002_b")
    with psycopg.connect(empty.admin_conninfo) as admin:
        rows = admin.execute("SELECT version, name, sha256, applied_by FROM ops.migration ORDER BY 1").fetchall()
    assert [(row[0], row[1]) for row in rows] == [(1, "a"), (2, "b")]
    assert rows[0][2] == migration_files.migrations(tmp_path)[0].sha256
    assert "@" in rows[0][3]


def test_everything_made_belongs_to_the_owner(empty: Database, tmp_path: Path) -> None:
    migrate(empty, directory=files(tmp_path, m0001_a=TABLE_A))
    for relation in ("shop.a", "ops.migration", "ops.object_set"):
        assert ask(empty, f"SELECT relowner::regrole::text FROM pg_class WHERE oid = '{relation}'::regclass") == (
            "sitevault_owner"
        )


def test_a_second_run_does_nothing(empty: Database, tmp_path: Path) -> None:
    files(tmp_path, m0001_a=TABLE_A, o10_view="CREATE OR REPLACE VIEW shop.v AS SELECT n FROM shop.a;")
    migrate(empty, directory=tmp_path)
    again = migrate(empty, directory=tmp_path)
    assert again.applied == ()
    assert not again.objects_applied
    assert ask(empty, "SELECT count(*) FROM ops.object_set") == 1


def test_a_plan_changes_nothing_and_says_what_would_happen(empty: Database, tmp_path: Path) -> None:
    files(tmp_path, m0001_a=TABLE_A, m0002_b=TABLE_B)
    with empty.connect(Role.MIGRATOR) as conn:
        assert [m.version for m in plan(conn, tmp_path).pending] == [1, 2]
    assert not exists(empty, "ops.migration")
    migrate(empty, directory=tmp_path)
    with empty.connect(Role.MIGRATOR) as conn:
        assert plan(conn, tmp_path).empty


def test_the_schema_of_the_product_is_planned_as_done_after_migrating(database: Database) -> None:
    for role in (Role.MIGRATOR, Role.WORKER, Role.JUDGE, Role.AUDITOR):
        with database.connect(role) as conn:
            assert plan(conn).empty


def test_a_failing_migration_leaves_nothing_and_keeps_those_before_it(empty: Database, tmp_path: Path) -> None:
    broken = "CREATE TABLE shop.b (n int);\nSELECT 1 / 0;\nCREATE TABLE shop.c (n int);"
    with pytest.raises(MigrationError, match=r"0002_b\.sql failed: division by zero \(SQLSTATE 22012"):
        migrate(empty, directory=files(tmp_path, m0001_a=TABLE_A, m0002_b=broken))
    assert exists(empty, "shop.a")
    assert not exists(empty, "shop.b")
    assert ask(empty, "SELECT max(version) FROM ops.migration") == 1
    files(tmp_path, m0002_b=TABLE_B)
    assert migrate(empty, directory=tmp_path).applied == ("0002_b",)


def test_a_mistake_is_shown_with_its_line(empty: Database, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="line 3"):
        migrate(empty, directory=files(tmp_path, m0001_a="CREATE SCHEMA shop;\n\nCREATE TABEL shop.a (n int);"))


def test_percent_signs_and_colons_reach_the_server_as_they_are(empty: Database, tmp_path: Path) -> None:
    text = "CREATE SCHEMA shop; CREATE TABLE shop.a AS SELECT '100%s :name %(x)s'::text AS t, 7 % 4 AS rest;"
    migrate(empty, directory=files(tmp_path, m0001_a=text))
    assert ask(empty, "SELECT t || rest FROM shop.a") == "100%s :name %(x)s3"


def test_an_edited_migration_is_refused_by_name_date_and_person(empty: Database, tmp_path: Path) -> None:
    migrate(empty, directory=files(tmp_path, m0001_a=TABLE_A))
    files(tmp_path, m0001_a=TABLE_A + " -- harmless?")
    person = str(ask(empty, "SELECT applied_by FROM ops.migration"))
    with pytest.raises(MigrationEditedError, match=r"0001_a\.sql is not what was applied on \d{4}") as caught:
        migrate(empty, directory=tmp_path)
    assert person in caught.value.message


def test_a_database_that_is_ahead_of_the_code_is_refused(empty: Database, tmp_path: Path) -> None:
    migrate(empty, directory=files(tmp_path, m0001_a=TABLE_A, m0002_b=TABLE_B))
    (tmp_path / "migrations" / "0002_b.sql").unlink()
    with pytest.raises(MigrationError, match="knows none newer than 0001"):
        migrate(empty, directory=tmp_path)


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        ({"m0001_a": "", "m0003_c": ""}, "0002 is missing: 0003_c"),
        ({"m0002_b": ""}, "0001 is missing"),
        ({"m0001_a": "", "m0001_b": "", "m0002_c": ""}, "0001_b"),
        ({"m1_a": ""}, "not a migration's name"),
    ],
)
def test_gaps_doubles_and_strange_names_are_refused(tmp_path: Path, texts: dict[str, str], complaint: str) -> None:
    with pytest.raises(MigrationError, match=complaint):
        migration_files.migrations(files(tmp_path, **texts))


def test_a_migration_for_a_newer_server_waits_for_it(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path, m0001_a=TABLE_A, m0002_later="-- min-server: 99\nSELECT 1 / 0;", m0003_b=TABLE_B)
    result = migrate(empty, directory=tmp_path)
    assert result.applied == ("0001_a", "0003_b")
    assert result.waiting_for_server == ("0002_later",)
    # The server has become one that can: the file that waited comes after a higher number, and may.
    files(tmp_path, m0002_later="-- min-server: 15\nCREATE TABLE shop.later (n int);")
    assert migrate(empty, directory=tmp_path).applied == ("0002_later",)
    assert exists(empty, "shop.later")


def test_a_number_below_the_last_applied_one_is_refused(empty: Database, tmp_path: Path) -> None:
    migrate(empty, directory=files(tmp_path, m0001_a=TABLE_A, m0002_b="-- min-server: 99\n", m0003_c="SELECT 1;"))
    files(tmp_path, m0002_b=TABLE_B)
    with pytest.raises(MigrationError, match="comes before migration 0003"):
        migrate(empty, directory=tmp_path)


def test_objects_are_applied_again_when_a_file_changes(empty: Database, tmp_path: Path) -> None:
    files(tmp_path, m0001_a=TABLE_A, o10_view="CREATE OR REPLACE VIEW shop.v AS SELECT 1 AS one;")
    migrate(empty, directory=tmp_path)
    files(tmp_path, o10_view="CREATE OR REPLACE VIEW shop.v AS SELECT 2 AS one;")
    assert migrate(empty, directory=tmp_path).objects_applied
    assert ask(empty, "SELECT one FROM shop.v") == 2


def test_objects_are_applied_again_after_any_migration(empty: Database, tmp_path: Path) -> None:
    files(tmp_path, m0001_a=TABLE_A, o10_view="CREATE OR REPLACE VIEW shop.v AS SELECT n FROM shop.a;")
    migrate(empty, directory=tmp_path)
    files(tmp_path, m0002_wider="DROP VIEW shop.v; ALTER TABLE shop.a ALTER n TYPE bigint;")
    migrate(empty, directory=tmp_path)
    assert ask(empty, "SELECT data_type FROM information_schema.columns WHERE table_name = 'v'") == "bigint"


def test_objects_are_all_applied_or_none(empty: Database, tmp_path: Path) -> None:
    files(
        tmp_path, m0001_a=TABLE_A, o10_one="CREATE OR REPLACE VIEW shop.one AS SELECT 1;", o20_two="SELECT 1 / 0;"
    )
    with pytest.raises(MigrationError, match=r"20_two\.sql"):
        migrate(empty, directory=tmp_path)
    assert not exists(empty, "shop.one")
    assert ask(empty, "SELECT count(*) FROM ops.object_set") == 0


@pytest.mark.parametrize("rest", ["", "CREATE TABLE shop.a (n int);", "BEGIN;"])
def test_a_file_that_ends_the_transaction_is_reported(empty: Database, tmp_path: Path, rest: str) -> None:
    with pytest.raises(MigrationError, match="ended its own transaction"):
        migrate(empty, directory=files(tmp_path, m0001_a=f"CREATE SCHEMA shop; COMMIT; {rest}"))
    assert ask(empty, "SELECT count(*) FROM ops.migration") == 0


def test_two_who_migrate_at_once_apply_everything_once(empty: Database, tmp_path: Path) -> None:
    slow = {f"m000{n}_m": f"SELECT pg_sleep(0.05); CREATE SCHEMA s{n};" for n in range(1, 6)}
    files(tmp_path, **slow)
    barrier = threading.Barrier(2)

    def run() -> int:
        barrier.wait()
        return len(migrate(empty, directory=tmp_path).applied)

    with ThreadPoolExecutor(2) as pool:
        counts = sorted(future.result() for future in [pool.submit(run), pool.submit(run)])
    assert counts == [0, 5]
    assert ask(empty, "SELECT count(*) FROM ops.migration") == 5


def test_whoever_waits_for_another_migration_is_told_so(empty: Database, tmp_path: Path) -> None:
    files(tmp_path, m0001_a=TABLE_A)
    told: list[str] = []
    with empty.connect(Role.MIGRATOR, autocommit=True, application_name="migrate") as other:
        other.execute("SELECT pg_advisory_lock(hashtext('sitevault migrate'))")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(migrate, empty, told.append, tmp_path)
            eventually(lambda: bool(told))
            assert not waiting.done()
            other.execute("SELECT pg_advisory_unlock_all()")
            assert waiting.result().applied == ("0001_a",)
        assert str(other.info.backend_pid) in told[0]
        assert "sitevault-migrate" in told[0]


def test_a_lock_somebody_holds_for_a_moment_is_waited_out(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitevault.db.migrate.LOCK_TIMEOUT", "50ms")
    migrate(empty, directory=files(tmp_path, m0001_a=TABLE_A))
    files(tmp_path, m0002_b="ALTER TABLE shop.a ADD COLUMN m int;")
    told: list[str] = []
    with psycopg.connect(empty.admin_conninfo) as other, ThreadPoolExecutor(1) as pool:
        other.execute("LOCK TABLE shop.a")
        waiting = pool.submit(migrate, empty, told.append, tmp_path, (0.05,) * 200)
        eventually(lambda: any("waits for a lock" in message for message in told))
        other.rollback()
        assert waiting.result().applied == ("0002_b",)


def test_a_lock_that_is_never_let_go_ends_in_a_clear_error(
    empty: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitevault.db.migrate.LOCK_TIMEOUT", "50ms")
    migrate(empty, directory=files(tmp_path, m0001_a=TABLE_A))
    files(tmp_path, m0002_b="ALTER TABLE shop.a ADD COLUMN m int;")
    with psycopg.connect(empty.admin_conninfo) as other:
        other.execute("LOCK TABLE shop.a")
        with pytest.raises(MigrationError, match="did not get its locks in 3 attempts"):
            migrate(empty, directory=tmp_path, retry_pauses=(0.01, 0.01))
    assert ask(empty, "SELECT max(version) FROM ops.migration") == 1


_MIGRATOR = """
import sys
from pathlib import Path
from sitevault.db.connect import Database
from sitevault.db.migrate import migrate
where, password, directory = eval(sys.argv[1])
migrate(Database(where, {"sitevault_migrator": password}, "", 0), directory=Path(directory))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_migration_killed_in_the_middle_leaves_nothing_and_can_be_repeated(
    empty: Database, tmp_path: Path, how: signal.Signals
) -> None:
    files(tmp_path, m0001_a=TABLE_A, m0002_b=TABLE_B + " SELECT pg_sleep(600);")
    told = repr((dict(empty.where), empty.passwords[Role.MIGRATOR], str(tmp_path)))
    other = subprocess.Popen([sys.executable, "-c", _MIGRATOR, told], stderr=subprocess.DEVNULL)
    sleeping = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    )
    eventually(lambda: ask(empty, sleeping) == 1)
    os.kill(other.pid, how)
    assert other.wait(timeout=30) != 0
    # Nothing is left of it: no process, no lock, no half of a file.
    eventually(lambda: ask(empty, sleeping) == 0)
    assert exists(empty, "shop.a")
    assert not exists(empty, "shop.b")
    files(tmp_path, m0002_b=TABLE_B)
    assert migrate(empty, directory=tmp_path).applied == ("0002_b",)
