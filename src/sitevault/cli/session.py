"""What every command shares: the settings, the database, how an answer is given and a question asked."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sitevault.errors import PreflightError, SitevaultError, UsageError

if TYPE_CHECKING:
    # Imported where they are used: psycopg and msgspec would double the time `--help` takes.
    from sitevault.config import Config
    from sitevault.db.connect import Database
    from sitevault.db.migrate import MigrationResult
    from sitevault.tenancy.audit_log import Json

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Session:
    """One run of the command line."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self.lines = False
        """Whether standard output holds one JSON document a line, of which the answer is the last."""
        self.yes = False
        self.config_path: Path | None = None

    @cached_property
    def config(self) -> Config:
        """The settings. Raises ConfigurationError."""
        from sitevault.config import load

        return load(self.config_path)

    @contextlib.contextmanager
    def database(self) -> Iterator[Database]:
        """The database with its schema in force: the embedded one brings itself up to date.

        Raises PreflightError for an external one that is not: changing it is its owner's decision.
        """
        with self.bare_database() as database:
            self._require_schema(database)
            yield database

    @contextlib.contextmanager
    def bare_database(self) -> Iterator[Database]:
        """The database as it is, with a schema or without. A server lost on the way is said in plain words."""
        import psycopg

        from sitevault.db.connect import open_database, unavailable

        with open_database(self.config, self.say) as database:
            try:
                yield database
            except psycopg.OperationalError as error:
                if error.sqlstate is None or error.sqlstate.startswith(("57P", "08")):
                    raise unavailable(error) from error
                raise

    def _require_schema(self, database: Database) -> None:
        from sitevault.db.migrate import plan
        from sitevault.db.roles import Role

        with database.connect(Role.MIGRATOR) as conn:
            todo = plan(conn)
        if todo.empty:
            return
        if self.config.database_url is None:
            self.migrate(database)
            return
        raise PreflightError(
            "The database has no Sitevault schema yet."
            if todo.fresh
            else f"The database's schema is older than this Sitevault ({len(todo.pending)} migrations pending).",
            fix="See what would be done with `sitevault migrate --plan`, then do it.",
            command="sitevault migrate",
        )

    def migrate(self, database: Database) -> MigrationResult:
        """Bring the schema up to date, and record in the audit log that it was."""
        from sitevault.db.migrate import migrate
        from sitevault.db.roles import Role
        from sitevault.tenancy.audit_log import Action, record_for_the_house

        done = migrate(database, self.say)
        if done.applied or done.objects_applied:
            details: dict[str, Json] = {"applied": list(done.applied), "objects_applied": done.objects_applied}
            with database.connect(Role.MIGRATOR) as conn:
                record_for_the_house(conn, Action.DATABASE_MIGRATE, details)
        return done

    def say(self, text: str) -> None:
        """Progress and remarks: to standard error, so that standard output holds the answer alone."""
        click.echo(text, err=True)

    def answer(self, data: object, text: str) -> None:
        """The answer of a command: `data` with --json, else `text`."""
        if self.json:
            self.print_json(data)
        else:
            click.echo(text)

    def print_json(self, data: object) -> None:
        """One JSON document on standard output."""
        indent = None if self.lines else 2
        click.echo(json.dumps(data, indent=indent, ensure_ascii=False, default=_plain))

    def report(self, error: SitevaultError) -> None:
        """What happened, what to do, the exact command."""
        if self.json:
            self.print_json(error.as_dict())
            return
        self.say(f"Error: {error.message}")
        if error.fix:
            self.say(error.fix)
        if error.command:
            self.say(f"  {error.command}")

    def confirm(self, question: str) -> None:
        """Go on only with a yes: --yes, or typed at a terminal. Raises UsageError where nobody can be asked."""
        if self.yes:
            return
        if self.json or not sys.stdin.isatty():
            raise UsageError(f"{question} Nobody is there to ask.", fix="Say yes beforehand: add --yes.")
        if not click.confirm(question, err=True):
            raise SitevaultError("Nothing was changed.")


def json_option(command: Decorated) -> Decorated:
    """--json: one JSON document on standard output, for errors too."""

    def remember(context: click.Context, _: click.Parameter, value: bool) -> None:
        context.find_object(Session).json |= value  # type: ignore[union-attr]

    return click.option(
        "--json", is_flag=True, expose_value=False, is_eager=True, callback=remember, help="Answer in JSON."
    )(command)


def yes_option(command: Decorated) -> Decorated:
    """--yes: what would be asked is agreed to."""

    def remember(context: click.Context, _: click.Parameter, value: bool) -> None:
        context.find_object(Session).yes |= value  # type: ignore[union-attr]

    return click.option(
        "--yes", "-y", is_flag=True, expose_value=False, callback=remember, help="Do it without asking."
    )(command)


def examples(*lines: str) -> str:
    """The epilog of a command's --help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows in aligned columns under their headings; just "none" where there are no rows."""
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return "none"
    lines = [list(headings), *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def at(moment: datetime) -> str:
    """An instant as people read it, to the minute, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M}Z"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
