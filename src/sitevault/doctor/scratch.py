"""A database beside the target, with its schema and none of its rows, for as long as something is tried in it."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sitevault.db import binaries, queries
from sitevault.db.connect import connect
from sitevault.errors import SitevaultError

SQL = queries.load("plpgsql_check")

COPY_SECONDS = 60
"""A schema that takes longer to write or to read is not copied."""
LOCK_WAIT = "2s"
_KNOWS_TRANSACTION_TIMEOUT = 170000
_TRANSACTION_TIMEOUT = "SET transaction_timeout = 0;\n"


class Likeness(NamedTuple):
    """What the scratch database has in common with the target from the start."""

    encoding: str
    lc_collate: str
    lc_ctype: str


class NotCopied(SitevaultError):
    """The schema could not be written out or read in."""


@contextlib.contextmanager
def scratch(conninfo: str, like: Likeness, extension: str) -> Iterator[psycopg.Connection]:
    """A connection to a copy of the schema, with the extension in the schema of that name; dropped at the end.

    Raises NotCopied, SitevaultError and psycopg.Error; whatever happens, the copy goes.
    """
    name = f"sitevault_doctor_{secrets.token_hex(8)}"
    words = {"scratch": sql.Identifier(name)} | {key: sql.Literal(value) for key, value in like._asdict().items()}
    with contextlib.ExitStack() as stack:
        # Before it is made: a Ctrl-C while the server makes it must not leave it there.
        stack.callback(_drop, conninfo, name)
        with connect(conninfo, autocommit=True) as admin:
            admin.execute(sql.SQL(SQL.create_scratch).format(**words))
            admin.execute(sql.SQL(SQL.close_scratch).format(**words))
        inside = make_conninfo(conninfo, dbname=name)
        with connect(inside) as conn:
            # Before the schema, so that no event trigger of the target's is there to fire.
            create_extension(conn, extension)
        _copy(conninfo, inside)
        yield stack.enter_context(connect(inside))


def create_extension(conn: psycopg.Connection, schema: str) -> None:
    """plpgsql_check in a new schema of that name, in the open transaction."""
    names = {"schema": sql.Identifier(schema)}
    conn.execute(sql.SQL(SQL.create_schema).format(**names))
    conn.execute(sql.SQL(SQL.create_extension).format(**names))


def _drop(conninfo: str, name: str) -> None:
    with connect(conninfo, autocommit=True) as admin:
        admin.execute(sql.SQL(SQL.drop_scratch).format(scratch=sql.Identifier(name)))


def _copy(source: str, target: str) -> None:
    """The schema without owners, rights and rows, statement by statement: one transaction would lock it all."""
    left_out = (
        "owner",
        "privileges",
        "comments",
        "publications",
        "subscriptions",
        "security-labels",
        "tablespaces",
    )
    text = run_program(
        "pg_dump",
        source,
        "--schema-only",
        f"--lock-wait-timeout={LOCK_WAIT}",
        *(f"--no-{one}" for one in left_out),
    )
    with connect(target) as conn:
        if conn.info.server_version < _KNOWS_TRANSACTION_TIMEOUT:
            text = text.replace(_TRANSACTION_TIMEOUT, "", 1)
    # SQLSTATEs alone: an error may quote what stands in a definition.
    run_program(
        "psql", target, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=sqlstate", given=text
    )


def run_program(program: str, conninfo: str, *options: str, given: str = "") -> str:
    """What one of PostgreSQL's programs, as they come along, answers. Raises NotCopied."""
    words = conninfo_to_dict(conninfo)
    # The password goes by the environment: other users can read a command line.
    password = {"PGPASSWORD": str(words.pop("password"))} if words.get("password") else {}
    command = [binaries.shipped().program(program), "--no-password", *options]
    try:
        result = subprocess.run(
            [*command, f"--dbname={make_conninfo('', **words)}"],
            input=given.encode(),
            capture_output=True,
            check=False,
            timeout=COPY_SECONDS,
            env={**os.environ, **password, "PGCLIENTENCODING": "UTF8"},
        )
    except subprocess.TimeoutExpired:
        raise NotCopied(f"{program} took longer than {COPY_SECONDS} s") from None
    if result.returncode:
        said = result.stderr.decode("utf-8", "replace").strip().splitlines() or ["no word"]
        raise NotCopied(f"{program} failed: {said[-1] if program == 'psql' else said[0]}")
    try:
        # not as text: a function's line ends are part of it
        return result.stdout.decode("utf-8")
    except UnicodeDecodeError:
        raise NotCopied(f"{program} wrote what is not UTF-8") from None
