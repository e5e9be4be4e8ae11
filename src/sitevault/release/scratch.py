"""A throw-away cluster of our own, on which a bundle is tried: made for it, gone with it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from sitevault.config import Config
from sitevault.db import embedded, postmaster, queries
from sitevault.db.cluster import SUPERUSER
from sitevault.db.connect import Database, connect, open_embedded
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.migrate import migrate
from sitevault.db.postmaster import Notify
from sitevault.db.roles import Role
from sitevault.doctor.code import parser
from sitevault.doctor.code.parser import Unreadable, find, kind, unwrap
from sitevault.release.model import BundleError
from sitevault.release.source import BASE
from sitevault.repair.ground import SQL as GROUND
from sitevault.repair.ground import Ground

SQL = queries.load("release_trial")

TRIER = "sitevault_trial"
"""Who carries the bundle out on a foreign base, and owns what the base gives to nobody else."""

_PREFIX = "sitevault-trial-"
_ABANDONED_SECONDS = 3600
_SESSION_OF_PG_DUMP = re.compile(r"^SET transaction_timeout = 0;\n", re.MULTILINE)
_RESTRICTED = re.compile(r"^\\(?:un)?restrict [A-Za-z0-9]+\r?$", re.MULTILINE)
_META = re.compile(r"^\\[a-z]+.*$", re.MULTILINE)
_DATA = re.compile(r"^COPY .* FROM stdin;", re.MULTILINE)
_KNOWS_TRANSACTION_TIMEOUT = 17


@dataclass(frozen=True)
class Trial:
    """A database to try a bundle on: `ground` as a release would work, `conninfo` for the doctor to look."""

    ground: Ground
    conninfo: str
    owner: str
    major: int
    database: Database | None = None


@contextmanager
def server(say: Notify) -> Iterator[EmbeddedServer]:
    """A PostgreSQL on a home of its own; whatever happens, it is stopped and the home goes."""
    _sweep()
    home = Path(tempfile.mkdtemp(prefix=_PREFIX))
    if os.geteuid() == 0:
        home.chmod(0o711)  # the server's own user must get in, and can list nothing
    try:
        with embedded.attach(home, notify=say, durable=False) as attached:
            yield attached
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def foreign(attached: EmbeddedServer, base: str) -> Iterator[Trial]:
    """The base in a database of its own; it goes at the end, and every role with it.

    Raises BundleError where the base does not stand by itself.
    """
    text = readable(base, attached.major)
    with connect(attached.superuser_conninfo(), autocommit=True) as admin:
        there = _roles(admin)
        try:
            conninfo = _make(admin, attached, [role for role in roles_of(text) if role not in there])
            with connect(conninfo, autocommit=True) as conn:
                _lay(conn, text)
            _make_ordinary(admin, _roles(admin) - there)
            with connect(conninfo, autocommit=True) as conn:
                yield Trial(Ground(conn, house=False), conninfo, TRIER, attached.major)
        finally:
            admin.execute(sql.SQL(SQL.drop_database).format(database=sql.Identifier(TRIER)))
            for role in _roles(admin) - there:
                admin.execute(sql.SQL(SQL.drop_role).format(role=sql.Identifier(role)))


def _roles(admin: psycopg.Connection) -> set[str]:
    return {name for (name,) in admin.execute(SQL.roles).fetchall()}


def _make(admin: psycopg.Connection, attached: EmbeddedServer, roles: list[str]) -> str:
    """Roles, trier and database; how the trier gets in."""
    password = secrets.token_urlsafe(18)
    names = {"role": sql.Identifier(TRIER), "database": sql.Identifier(TRIER), "password": sql.Literal(password)}
    for role in roles:
        admin.execute(sql.SQL(SQL.make_role).format(role=sql.Identifier(role)))
    admin.execute(sql.SQL(SQL.make_trier).format(**names))
    admin.execute(sql.SQL(SQL.make_database).format(**names))
    return make_conninfo(attached.superuser_conninfo(TRIER), user=TRIER, password=password)


def _make_ordinary(admin: psycopg.Connection, made: set[str]) -> None:
    """The trier may replace what any role of the base owns, and no more."""
    trier = sql.Identifier(TRIER)
    others = [sql.Identifier(name) for name in sorted(made - {TRIER})]
    if others:
        admin.execute(sql.SQL(SQL.become_any).format(roles=sql.SQL(", ").join(others), role=trier))
    admin.execute(sql.SQL(SQL.lose_power).format(role=trier))


@contextmanager
def house(attached: EmbeddedServer, say: Notify, *, migrated: bool) -> Iterator[Trial]:
    """Sitevault's own database, its roles in place, with its schema or without."""
    database = open_embedded(Config(home=attached.home), attached)
    if migrated:
        migrate(database, say)
    with database.connect(Role.MIGRATOR, autocommit=True, application_name="release build") as conn:
        yield Trial(
            Ground(conn, house=True),
            database.conninfo(Role.AUDITOR, "doctor"),
            Role.OWNER.value,
            attached.major,
            database,
        )


def readable(base: str, major: int) -> str:
    """A schema as pg_dump writes it, without what is psql's. Raises BundleError for what only psql can run."""
    text = _RESTRICTED.sub("", base)
    if major < _KNOWS_TRANSACTION_TIMEOUT:
        text = _SESSION_OF_PG_DUMP.sub("", text, count=1)
    if _DATA.search(text):
        raise BundleError(
            f"{BASE} holds rows (COPY ... FROM stdin).", fix="A base is a schema alone: pg_dump --schema-only."
        )
    return text


def roles_of(base: str) -> list[str]:
    """The roles that a schema names and does not make. Raises BundleError for what is no SQL."""
    try:
        tree = parser.parse(base)
    except Unreadable as error:
        meta = _META.search(base)
        where = f": psql's own {meta[0].split()[0]} is not SQL" if meta else f": {error.why}"
        raise BundleError(f"{BASE} cannot be read{where}.", fix="pg_dump --schema-only makes one.") from error
    named, made = set(), set()
    for statement in tree.stmts:
        node = unwrap(statement.stmt)
        if kind(node) == "CreateRoleStmt":
            made.add(str(node.role))
        # a role by its name; PUBLIC, CURRENT_USER and their like have none
        named |= {str(role.rolename) for role in find(node, "RoleSpec") if role.rolename}
    return sorted(name for name in named - made if not name.startswith("pg_") and name != SUPERUSER)


def _lay(conn: psycopg.Connection, text: str) -> None:
    """The base, whole or not at all."""
    try:
        with conn.transaction():
            conn.execute(GROUND.same_text_everywhere)
            conn.execute(text.encode())
    except psycopg.Error as error:
        position = error.diag.statement_position
        line = f", line {text[: int(position)].count(chr(10)) + 1}" if position else ""
        raise BundleError(
            f"{BASE} does not stand on an empty database: {error.sqlstate} "
            f"{error.diag.message_primary or error}{line}.",
            fix=_cure(error),
        ) from error


def _cure(error: psycopg.Error) -> str:
    said = error.diag.message_primary or ""
    if (
        isinstance(error, psycopg.errors.FeatureNotSupported | psycopg.errors.UndefinedFile)
        and "extension" in said
    ):
        return (
            "The PostgreSQL it is tried on has no such extension: point SITEVAULT_PG_BINDIR at the programs of "
            f"one that has, or take the extension out of {BASE} if nothing here needs it."
        )
    if isinstance(error, psycopg.errors.UndefinedObject) and "role" in said:
        return f"Put CREATE ROLE ... NOLOGIN at the beginning of {BASE}."
    return f"Put into {BASE} what is missing; pg_dump --schema-only of the whole database holds it all."


def _sweep() -> None:
    """Stop and remove what a build that was killed has left."""
    for home in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - home.stat().st_mtime < _ABANDONED_SECONDS or home.stat().st_uid != os.geteuid():
                continue
            lock = os.open(home / "attached.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                # held as long as whoever tries something there lives
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _stop(home)
                shutil.rmtree(home, ignore_errors=True)
            finally:
                os.close(lock)


def _stop(home: Path) -> None:
    data = home / "postgres" / "data"
    left = postmaster.read_pid_file(data)
    if left and postmaster.serves(left.pid, data):
        postmaster.stop(left.pid, lambda _: None)
