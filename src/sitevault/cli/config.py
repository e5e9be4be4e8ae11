"""`sitevault config`: check and show the settings, without secrets."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sitevault.cli.session import Session, examples, json_option, table
from sitevault.config import Config, problems
from sitevault.errors import ConfigurationError, Exit


@click.group()
def config() -> None:
    """The settings: defaults, then sitevault.toml, then SITEVAULT_* variables."""


@config.command(epilog=examples("sitevault config check", "sitevault --config /etc/sitevault.toml config check"))
@json_option
@click.pass_obj
def check(session: Session) -> Exit:
    """Check every setting; exit 2 where one is wrong."""
    from sitevault.release import environments
    from sitevault.release.gates.model import thresholds

    found = problems(session.config)
    try:
        for name, one in environments.read(session.config).of.items():
            thresholds(name, one.gates)
    except ConfigurationError as error:
        found.append(error.message)
    session.answer({"success": not found, "problems": found}, "\n".join(found) or "Every setting is in order.")
    return Exit.USAGE if found else Exit.OK


@config.command(epilog=examples("sitevault config show", "sitevault config show --json"))
@json_option
@click.pass_obj
def show(session: Session) -> None:
    """Show every setting in force, and whether it is the default. Passwords are left out."""
    settings = [(field.name, _shown(session.config, field.name)) for field in msgspec.structs.fields(Config)]
    defaults = {field.name: field.default for field in msgspec.structs.fields(Config)}
    rows = [
        (name, value, "" if getattr(session.config, name) == defaults[name] else "set") for name, value in settings
    ]
    session.answer(dict(settings), table(("setting", "value", ""), rows))


def _shown(settings: Config, name: str) -> object:
    value = getattr(settings, name)
    if name == "database_url" and value is not None:
        return _without_secrets(value)
    return str(value) if isinstance(value, Path) else value


def _without_secrets(url: str) -> str:
    try:
        given = conninfo_to_dict(url)
    except ProgrammingError:
        return "(set, but not a PostgreSQL connection string)"
    return make_conninfo(**{key: str(value) for key, value in given.items() if "password" not in key})
