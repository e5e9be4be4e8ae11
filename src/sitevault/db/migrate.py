"""Migrations: numbered, forward-only, each whole or not at all; then the declarative objects as one set."""

from __future__ import annotations

import contextlib
import functools
import getpass
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import class_row

from sitevault.db import migration_files, queries
from sitevault.db.connect import Database
from sitevault.db.migration_files import DIRECTORY, Migration, SqlFile
from sitevault.db.postmaster import Notify
from sitevault.db.roles import Role
from sitevault.errors import MigrationEditedError, MigrationError

LOCK_TIMEOUT = "3s"
"""Waiting longer for a table would make everybody else wait behind us."""

RETRY_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)

_SQL = queries.load("migrate")


@dataclass(frozen=True)
class Applied:
    """A row of the ledger."""

    version: int
    name: str
    sha256: str
    applied_at: datetime
    applied_by: str


@dataclass(frozen=True)
class MigrationPlan:
    """What `migrate` would do: a value, to be shown or carried out."""

    pending: tuple[Migration, ...]
    waiting_for_server: tuple[Migration, ...]  # need a newer PostgreSQL; applied once it is there
    objects: tuple[SqlFile, ...]
    objects_changed: bool
    objects_sha256: str
    fresh: bool

    @property
    def empty(self) -> bool:
        return not self.pending and not self.objects_changed


@dataclass(frozen=True)
class MigrationResult:
    """What `migrate` did; the names of the migrations, in order."""

    applied: tuple[str, ...]
    waiting_for_server: tuple[str, ...]
    objects_applied: bool


def plan(conn: psycopg.Connection, directory: Path = DIRECTORY) -> MigrationPlan:
    """Compare the files with the ledger; changes nothing. Raises MigrationEditedError, MigrationError."""
    files = migration_files.migrations(directory)
    ledger = _ledger(conn)
    _refuse_contradictions(files, ledger or ())
    major = conn.info.server_version // 10000
    done = {row.version for row in ledger or ()}
    open_ = [file for file in files if file.version not in done]
    pending = tuple(file for file in open_ if file.min_server <= major)
    objects = migration_files.objects(directory, major)
    after = sorted([(row.version, row.sha256) for row in ledger or ()] + [(m.version, m.sha256) for m in pending])
    digest = migration_files.digest(objects, [sha256 for _, sha256 in after])
    in_force = conn.execute(_SQL.applied_objects).fetchone() if ledger is not None else None
    return MigrationPlan(
        pending=pending,
        waiting_for_server=tuple(file for file in open_ if file.min_server > major),
        objects=objects,
        objects_changed=(in_force[0] if in_force else None) != digest,
        objects_sha256=digest,
        fresh=ledger is None,
    )


def migrate(
    database: Database,
    notify: Notify | None = None,
    directory: Path = DIRECTORY,
    retry_pauses: tuple[float, ...] = RETRY_PAUSES_SECONDS,
) -> MigrationResult:
    """Bring the database to the state the files describe. Safe to repeat, to run twice at once, and to kill.

    Raises MigrationEditedError or MigrationError; what was applied before the error stays, the failed one leaves
    nothing behind.
    """
    notify = notify or (lambda _: None)
    with database.connect(Role.MIGRATOR, autocommit=True, application_name="migrate") as conn:
        _configure(conn)
        with _only_one(conn, notify):
            todo = plan(conn, directory)
            if todo.fresh:
                _in_transaction(conn, functools.partial(_create_ledger, conn))
            for migration in todo.pending:
                notify(f"Applying {migration.path.name}")
                _with_retries(
                    migration.path.name, functools.partial(_apply, conn, migration), notify, retry_pauses
                )
            if todo.objects_changed:
                notify(f"Applying {len(todo.objects)} object files")
                _with_retries("objects", functools.partial(_apply_objects, conn, todo), notify, retry_pauses)
    return MigrationResult(
        applied=tuple(f"{m.version:04}_{m.name}" for m in todo.pending),
        waiting_for_server=tuple(f"{m.version:04}_{m.name}" for m in todo.waiting_for_server),
        objects_applied=todo.objects_changed,
    )


def _ledger(conn: psycopg.Connection) -> tuple[Applied, ...] | None:
    exists = conn.execute(_SQL.ledger_exists).fetchone()
    if not exists or not exists[0]:
        return None
    with conn.cursor(row_factory=class_row(Applied)) as cursor:
        return tuple(cursor.execute(_SQL.applied_migrations))


def _refuse_contradictions(files: tuple[Migration, ...], ledger: tuple[Applied, ...]) -> None:
    by_version = {file.version: file for file in files}
    newest = max(by_version, default=0)
    for row in ledger:
        file = by_version.get(row.version)
        if file is None:
            raise MigrationError(
                f"The database has migration {row.version:04}_{row.name} (applied {row.applied_at:%Y-%m-%d %H:%M} "
                f"by {row.applied_by}); this Sitevault knows none newer than {newest:04}.",
                fix="A newer Sitevault has been here. Use that version or a later one.",
            )
        if file.sha256 != row.sha256:
            raise MigrationEditedError(
                f"{file.path.name} is not what was applied on {row.applied_at:%Y-%m-%d %H:%M %Z} "
                f"by {row.applied_by}: then sha256 {row.sha256[:12]}, now {file.sha256[:12]}.",
                fix="Restore the file as it was; put the change into a new migration.",
            )
    last = max((row.version for row in ledger), default=0)
    done = {row.version for row in ledger}
    for file in files:
        if file.version < last and file.version not in done and not file.min_server:
            raise MigrationError(
                f"{file.path.name} comes before migration {last:04}, which was already applied.",
                fix=f"Migrations only go forward: give it a number above {last:04}.",
            )


def _create_ledger(conn: psycopg.Connection) -> None:
    conn.execute(_SQL.create_ledger)
    conn.execute(_SQL.grant_ledger)


def carry_out(conn: psycopg.Connection, todo: MigrationPlan) -> None:
    """All of the plan within the caller's transaction, as the role it acts as; waits and retries are the caller's.

    Raises MigrationError; the caller rolls everything back.
    """
    for migration in todo.pending:
        _run_and_record(conn, migration)
    if todo.objects_changed:
        _run_objects(conn, todo)


def applied_just_now(conn: psycopg.Connection) -> list[int]:
    """The numbers of the migrations that the open transaction applied, in order."""
    return [version for (version,) in conn.execute(_SQL.applied_just_now).fetchall()]


def forget(conn: psycopg.Connection, versions: Sequence[int], objects_sha256: str) -> None:
    """Take migrations, and that set of objects, out of the ledger: a release that brought them is taken back."""
    conn.execute(_SQL.forget_migrations, {"versions": list(versions)})
    conn.execute(_SQL.forget_objects, {"sha256": objects_sha256})


def _apply(conn: psycopg.Connection, migration: Migration) -> None:
    _in_transaction(conn, functools.partial(_run_and_record, conn, migration))


def _run_and_record(conn: psycopg.Connection, migration: Migration) -> None:
    start = time.monotonic()
    _run_file(conn, migration)
    conn.execute(
        _SQL.record_migration,
        {
            "version": migration.version,
            "name": migration.name,
            "sha256": migration.sha256,
            "applied_by": _applied_by(),
            "duration_ms": round((time.monotonic() - start) * 1000),
        },
    )


def _apply_objects(conn: psycopg.Connection, todo: MigrationPlan) -> None:
    _in_transaction(conn, functools.partial(_run_objects, conn, todo))


def _run_objects(conn: psycopg.Connection, todo: MigrationPlan) -> None:
    start = time.monotonic()
    for file in todo.objects:
        _run_file(conn, file)
    conn.execute(_SQL.grant_ledger)
    conn.execute(
        _SQL.record_objects,
        {
            "sha256": todo.objects_sha256,
            "applied_by": _applied_by(),
            "duration_ms": round((time.monotonic() - start) * 1000),
        },
    )


def _run_file(conn: psycopg.Connection, file: SqlFile) -> None:
    before = _transaction_id(conn)
    try:
        conn.execute(file.text)
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        raise
    except psycopg.Error as error:
        if conn.info.transaction_status is TransactionStatus.IDLE:
            raise _ended_itself(file) from error
        raise MigrationError(
            f"{file.path.name} failed: {error.diag.message_primary or error} (SQLSTATE {error.sqlstate or 'none'}"
            f"{_line(file, error)}).",
            fix="The file's transaction was rolled back. Mend it and migrate again.",
            command="sitevault migrate",
        ) from error
    if _transaction_id(conn) != before:
        raise _ended_itself(file)


def _ended_itself(file: SqlFile) -> MigrationError:
    return MigrationError(
        f"{file.path.name} ended its own transaction, so what it did before that has stayed.",
        fix="Undo that by hand, and take BEGIN, COMMIT and ROLLBACK out of it: the engine sees to them.",
    )


def _line(file: SqlFile, error: psycopg.Error) -> str:
    position = error.diag.statement_position
    if not position:
        return ""
    return f", line {file.text.decode('utf-8', 'replace')[: int(position)].count(chr(10)) + 1}"


def _transaction_id(conn: psycopg.Connection) -> object:
    row = conn.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchone()
    return row[0] if row else None


def _in_transaction(conn: psycopg.Connection, work: Callable[[], object]) -> None:
    with conn.transaction():
        conn.execute("SET LOCAL ROLE sitevault_owner")
        work()


def _with_retries(what: str, attempt: Callable[[], None], notify: Notify, pauses: tuple[float, ...]) -> None:
    for pause in (*pauses, None):
        try:
            attempt()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if pause is None:
                raise MigrationError(
                    f"{what} did not get its locks in {len(pauses) + 1} attempts: a long transaction holds them.",
                    fix="See who in pg_stat_activity (oldest xact_start), end it or wait, and migrate again.",
                    command="sitevault migrate",
                ) from error
            notify(f"{what} waits for a lock somebody holds; again in {pause:g} s")
            time.sleep(pause)
        else:
            return


@contextlib.contextmanager
def _only_one(conn: psycopg.Connection, notify: Notify) -> Iterator[None]:
    told = False
    while not _first(conn, _SQL.try_lock):
        if not told:
            holder = conn.execute(_SQL.lock_holder).fetchone()
            who = f" (process {holder[0]}, {holder[1]}, since {holder[2]:%H:%M:%S})" if holder else ""
            notify(f"Another session is migrating{who}; waiting for it")
            told = True
        time.sleep(0.1)
    try:
        yield
    finally:
        # A broken connection has let go of the lock by itself.
        with contextlib.suppress(psycopg.Error):
            conn.execute(_SQL.unlock)


def _first(conn: psycopg.Connection, query: LiteralString) -> object:
    row = conn.execute(query).fetchone()
    return row[0] if row else None


def _configure(conn: psycopg.Connection) -> None:
    conn.execute("SET client_min_messages = warning")
    conn.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
    with contextlib.suppress(psycopg.Error):
        # A killed client is noticed in the middle of a long statement; not every platform can.
        conn.execute("SET client_connection_check_interval = '2s'")


def _applied_by() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{platform.node() or 'unknown'}"
