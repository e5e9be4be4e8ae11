"""What PostgreSQL's own parser says of PL/pgSQL functions, where the server has the extension plpgsql_check."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from sitevault.doctor.probe.attempt import undone
from sitevault.doctor.scratch import SQL, Likeness, create_extension, scratch
from sitevault.doctor.snapshot import SQL as SNAPSHOT_SQL
from sitevault.doctor.snapshot import STATEMENT_SECONDS, Ground, Snapshot
from sitevault.errors import SitevaultError

_NAMES_ONLY = ("42", "3F")
"""Classes of SQLSTATE whose messages name objects and types."""
_UNKNOWN_RESULT = "dynamic SQL"
_OF_A_RECORD = re.compile(r'record "')


class Said(NamedTuple):
    """What the extension says of one place. The message is None where it might quote a value."""

    function: str
    """As in rows.Function.full_name."""
    statement_line: int
    line: int
    sqlstate: str
    message: str | None


class Refused(NamedTuple):
    """A function that the extension did not get through."""

    function: str
    why: str


@dataclass(frozen=True)
class Answer:
    """All that it says; where it was not asked, why."""

    said: tuple[Said, ...] = ()
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()
    not_asked: str | None = None


class _Server(NamedTuple):
    available: bool
    schema: str | None
    may_create_database: bool
    encoding: str
    lc_collate: str
    lc_ctype: str


class _Function(NamedTuple):
    oid: int
    schema: str
    full_name: str
    relation: int
    old_table: str | None
    new_table: str | None
    idle_trigger: bool
    polymorphic: bool


class _Row(NamedTuple):
    line: int | None
    sqlstate: str
    message: str
    level: str
    offset_in_query: int | None
    query: str | None


def ask(snapshot: Snapshot) -> Answer:
    """Every PL/pgSQL function through the extension, on a copy of the schema or, if so wished, in the target."""
    (server,) = snapshot.read("plpgsql_check", lambda: snapshot.rows(SQL.available, _Server))
    if not server.available:
        return Answer(not_asked="the server does not have the extension plpgsql_check")
    if server.schema is None and snapshot.options.ground is Ground.HERE:
        return Answer(not_asked="the extension plpgsql_check is not installed in this database")
    try:
        with _ground(snapshot, server) as (conn, schema):
            return _check_all(conn, schema, {one.full_name: one.source for one in snapshot.functions})
    except psycopg.Error as error:
        return Answer(not_asked=f"the server refused it: {_reason(error)}")
    except SitevaultError as error:
        return Answer(not_asked=error.message)


@contextlib.contextmanager
def _ground(snapshot: Snapshot, server: _Server) -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """A connection where the extension is, in a transaction that is rolled back, and the extension's schema."""
    extension = f"sitevault_doctor_{secrets.token_hex(8)}"
    if snapshot.options.ground is Ground.HERE:
        with undone(snapshot.connection):
            _limit(snapshot.connection)
            yield snapshot.connection, server.schema or extension
        return
    if snapshot.options.ground is Ground.TARGET:
        with snapshot.connect() as conn, undone(conn):
            _limit(conn)
            if server.schema is None:
                create_extension(conn, extension)
            yield conn, server.schema or extension
        return
    if not server.may_create_database:
        raise SitevaultError("the connected role may not create a database for a copy of the schema")
    like = Likeness(server.encoding, server.lc_collate, server.lc_ctype)
    with scratch(snapshot.conninfo, like, extension) as conn, undone(conn):
        _limit(conn)
        yield conn, extension


def _limit(conn: psycopg.Connection[Any]) -> None:
    conn.execute(SNAPSHOT_SQL.limits, {"milliseconds": f"{STATEMENT_SECONDS}s"})


def _check_all(conn: psycopg.Connection[Any], schema: str, sources: dict[str, str]) -> Answer:
    with conn.cursor(row_factory=class_row(_Function)) as cursor:
        functions = cursor.execute(SQL.to_check).fetchall()
    schemas = [name for (name,) in conn.execute(SQL.schemas).fetchall() if name != schema]
    said: dict[Said, None] = {}
    refused: list[Refused] = []
    able = [one for one in functions if not one.idle_trigger and not one.polymorphic]
    for one in able:
        path = sorted(schemas, key=lambda name, own=one.schema: name != own)  # type: ignore[misc]
        try:
            rows = _check(conn, schema, one, path)
        except psycopg.Error as error:
            if conn.closed:
                raise
            refused.append(Refused(one.full_name, _reason(error)))
        else:
            said |= dict.fromkeys(_worth_saying(one.full_name, rows, sources.get(one.full_name, "")))
    return Answer(tuple(said), tuple(refused), tuple(_left_out(functions, len(able))))


def _check(conn: psycopg.Connection[Any], schema: str, one: _Function, path: list[str]) -> list[_Row]:
    """One function, in a savepoint: the locks of what it names are given back at once."""
    query = sql.SQL(SQL.check_function).format(check=sql.Identifier(schema, "plpgsql_check_function_tb"))
    rows: list[_Row] = []
    with undone(conn), conn.cursor(row_factory=class_row(_Row)) as cursor:
        quoted = ", ".join(sql.Identifier(name).as_string(conn) for name in path)
        cursor.execute(SQL.set_path, {"path": quoted})
        rows.extend(cursor.execute(query, one._asdict()))
    return rows


def _worth_saying(function: str, rows: list[_Row], source: str) -> Iterator[Said]:
    """Errors; but what a record holds is not known where SQL that is built at run time fills it."""
    unknown_result = any(_UNKNOWN_RESULT in row.message for row in rows)
    for row in rows:
        if row.level != "error" or (unknown_result and _OF_A_RECORD.match(row.message)):
            continue
        statement = row.line or 1
        message = row.message if row.sqlstate.startswith(_NAMES_ONLY) else None
        yield Said(function, statement, _line(row, statement, source), row.sqlstate, message)


def _line(row: _Row, statement: int, source: str) -> int:
    """The line of the word it stumbled over, where the query stands in the source as it was checked."""
    before = sum(len(line) for line in source.splitlines(keepends=True)[: statement - 1])
    start = source.find(row.query, before) if row.query else -1
    if start < 0 or row.offset_in_query is None:
        return statement
    return source.count("\n", 0, start + row.offset_in_query - 1) + 1


def _left_out(functions: list[_Function], able: int) -> Iterator[str]:
    if len(functions) > able:
        yield (
            f"plpgsql_check read {able} of {len(functions)} PL/pgSQL functions: not those with polymorphic "
            "arguments, nor a trigger's without a trigger"
        )


def _reason(error: psycopg.Error) -> str:
    state = error.sqlstate or "none: the connection was lost"
    said = error.diag.message_primary if state.startswith(_NAMES_ONLY) else None
    return f"SQLSTATE {state}" + (f", {said}" if said else "")
