"""Carries a bundle's files out, in the transaction that is open, in their order: migrations, then objects."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from sitevault.db import migrate, migration_files
from sitevault.release import record, settings
from sitevault.release.model import Bundle, File, ReleaseBlockedError, ReleaseError
from sitevault.release.target import Target
from sitevault.repair.ground import Ground

_PARAMETER = re.compile(r":\{(\w+)\}")


def pending(bundle: Bundle, ran: Mapping[str, str]) -> tuple[File, ...]:
    """The migrations that have not run here (`ran`: name and SHA-256 of those that have).

    Raises ReleaseBlockedError for one whose text is not what ran.
    """
    edited = [file.name for file in bundle.migrations if ran.get(file.name, file.sha256) != file.sha256]
    if edited:
        raise ReleaseBlockedError(
            f"Not what ran here under that name: {', '.join(edited)}.",
            fix="Restore the file as it was; put the change into a new migration, and build again.",
            command="sitevault release build",
        )
    return tuple(file for file in bundle.migrations if file.name not in ran)


def due(target: Target, bundle: Bundle) -> tuple[File, ...]:
    """The migrations that would run here now. Raises ReleaseBlockedError, MigrationError."""
    if not bundle.own:
        return pending(bundle, record.files(target.ground))
    with extracted(bundle) as directory:
        waiting = {file.path.name for file in migrate.plan(target.ground.conn, directory).pending}
    return tuple(file for file in bundle.migrations if _base(file) in waiting)


def whole(target: Target, bundle: Bundle, parameters: Mapping[str, str]) -> None:
    """Everything the bundle carries: migrations that have not run, objects, and in a house the settings.

    Sitevault's own schema goes through its own ledger. Raises ReleaseError, ReleaseBlockedError, MigrationError;
    locks are the caller's.
    """
    ground = target.ground
    if bundle.own:
        with extracted(bundle) as directory:
            migrate.carry_out(ground.conn, migrate.plan(ground.conn, directory))
    else:
        run(ground, (*due(target, bundle), *bundle.objects), parameters)
    settings.put(target, bundle.settings)


def revert(target: Target, bundle: Bundle, ran: Sequence[str] | None = None, put: Sequence[str] = ()) -> None:
    """What no definition brings back: the revert files of the migrations that ran, the last one first.

    `ran` names them; None: those that the open transaction ran. `put` names the settings that the release
    changed. Definitions are for `way_back`.
    """
    ground = target.ground
    settings.take_back(target, [one for one in bundle.settings if settings.named(one) in put])
    if bundle.own:
        _revert_own(target, bundle, ran)
        return
    names = [file.name for file in due(target, bundle)] if ran is None else ran
    run(ground, _reverts(bundle, names), target.settings.parameters)


def _revert_own(target: Target, bundle: Bundle, ran: Sequence[str] | None) -> None:
    conn = target.ground.conn
    with extracted(bundle) as directory:
        versions = {file.path.name: file.version for file in migration_files.migrations(directory)}
        objects = migrate.plan(conn, directory).objects_sha256
    just_now = migrate.applied_just_now(conn)
    gone = [
        file.name
        for file in bundle.migrations
        if (versions[_base(file)] in just_now if ran is None else file.name in ran)
    ]
    run(target.ground, _reverts(bundle, gone), {})
    migrate.forget(conn, [versions[PurePosixPath(name).name] for name in gone], objects)


def _reverts(bundle: Bundle, names: Sequence[str]) -> tuple[File, ...]:
    return tuple(
        File(f"the revert of {file.name}", file.revert)
        for file in reversed(bundle.migrations)
        if file.name in names and file.revert is not None
    )


@contextmanager
def extracted(bundle: Bundle) -> Iterator[Path]:
    """The bundle's files in a directory, as the migration engine reads them; gone afterwards."""
    with TemporaryDirectory(prefix="sitevault-release-") as name:
        directory = Path(name)
        for room, files in (("migrations", bundle.migrations), ("objects", bundle.objects)):
            (directory / room).mkdir()
            for file in files:
                (directory / room / _base(file)).write_text(file.text, "utf-8", newline="")
        yield directory


def _base(file: File) -> str:
    return PurePosixPath(file.name).name


def rendered(text: str, parameters: Mapping[str, str]) -> str:
    """The text with `:{name}`, for each name of `parameters`, as the literal of its value."""

    def literal(found: re.Match[str]) -> str:
        return sql.Literal(parameters[found[1]]).as_string(None) if found[1] in parameters else found[0]

    return _PARAMETER.sub(literal, text)


def run(ground: Ground, files: tuple[File, ...], parameters: Mapping[str, str]) -> None:
    """Every file as a whole, in order. Raises ReleaseError naming the file and line; locks are the caller's."""
    for file in files:
        run_file(ground.conn, file, parameters)


def run_file(conn: psycopg.Connection, file: File, parameters: Mapping[str, str]) -> None:
    """One file; it may not end the transaction that it is part of."""
    text = rendered(file.text, parameters)
    before = _transaction(conn)
    try:
        conn.execute(text.encode())
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        raise
    except psycopg.Error as error:
        raise ReleaseError(
            f"{file.name} failed: {error.sqlstate} {error.diag.message_primary or error}{_line(text, error)}. "
            "Nothing was changed.",
            fix="Mend the file, and build the bundle again.",
            command="sitevault release build",
        ) from error
    if conn.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS or _transaction(conn) != before:
        raise ReleaseError(
            f"{file.name} ended its own transaction: what it did before that may have stayed.",
            fix="Take BEGIN, COMMIT and ROLLBACK out of it, and look at what it left.",
        )


def verified(conn: psycopg.Connection, file: File, parameters: Mapping[str, str]) -> object:
    """The single value that the file's verify query answers; anything but True is a failure.

    In a savepoint that is rolled back: a verification changes nothing. Raises psycopg.Error.
    """
    answer: object = None
    with conn.transaction(force_rollback=True):
        rows = (
            conn.cursor(row_factory=tuple_row).execute(rendered(file.verify or "", parameters).encode()).fetchall()
        )
        if len(rows) == 1 and len(rows[0]) == 1:
            (answer,) = rows[0]
    return answer


def _transaction(conn: psycopg.Connection) -> object:
    row = conn.execute("SELECT pg_catalog.pg_current_xact_id()::text").fetchone()
    return row[0] if row else None


def _line(text: str, error: psycopg.Error) -> str:
    position = error.diag.statement_position
    return f", line {text[: int(position)].count(chr(10)) + 1}" if position else ""
