"""The way in: one Database, embedded or external, that connects each part of Sitevault as its own role."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sitevault.config import Config
from sitevault.db import credentials, embedded, queries
from sitevault.db.credentials import Credentials
from sitevault.db.postmaster import Notify
from sitevault.db.preflight import Finding, Level, preflight, refuse_unsafe
from sitevault.db.roles import LOGIN_ROLES, Role, fingerprint, provision_roles
from sitevault.errors import ConfigurationError, DatabaseUnavailableError, PreflightError

DATABASE_NAME = "sitevault"
CONNECT_TIMEOUT_SECONDS = 10

_WRONG_PASSWORD = "password authentication failed"  # noqa: S105 -- PostgreSQL's words for it

_SQL = queries.load("connect")


@dataclass(frozen=True, eq=False)
class Database:
    """Where the database is and how each role gets in. Cheap to hold, to share between threads and to pickle."""

    where: Mapping[str, str]
    passwords: Mapping[Role, str] = field(repr=False)
    admin_conninfo: str = field(repr=False)
    server_version: int  # as the server says it: 180004 is 18.4

    def conninfo(self, role: Role, application_name: str | None = None) -> str:
        """The libpq connection string of a role; holds its password."""
        return make_conninfo(
            **self.where,
            user=str(role),
            password=self.passwords[role],
            application_name=_application_name(application_name or role.removeprefix("sitevault_")),
        )

    def connect(
        self, role: Role, *, autocommit: bool = False, application_name: str | None = None
    ) -> psycopg.Connection:
        """A connection as this role. Raises DatabaseUnavailableError."""
        return connect(self.conninfo(role, application_name), autocommit=autocommit)

    async def aconnect(
        self, role: Role, *, autocommit: bool = False, application_name: str | None = None
    ) -> psycopg.AsyncConnection:
        """An asyncio connection as this role. Raises DatabaseUnavailableError."""
        conninfo = self.conninfo(role, application_name)
        try:
            return await psycopg.AsyncConnection.connect(conninfo, autocommit=autocommit)
        except psycopg.OperationalError as error:
            raise unavailable(error) from error

    def clone(self, dbname: str) -> Database:
        """The same server and roles, another database."""
        return Database(
            {**self.where, "dbname": dbname},
            self.passwords,
            make_conninfo(self.admin_conninfo, dbname=dbname),
            self.server_version,
        )


@contextlib.contextmanager
def open_database(config: Config, notify: Notify | None = None) -> Iterator[Database]:
    """The configured database, with its roles in place; migrations are the caller's to run.

    Embedded unless `database_url` is set; the embedded server is attached to for as long as the context lasts.
    Raises DatabaseUnavailableError, ConfigurationError (external and never initialised), SitevaultError.
    """
    if config.database_url:
        yield _external(config, config.database_url)
        return
    with embedded.attach(config.home, notify=notify) as server:
        yield open_embedded(config, server)


def open_embedded(config: Config, server: embedded.EmbeddedServer) -> Database:
    """The product's database on an attached embedded server, made on first use."""
    with credentials.locked(config.home), connect(server.superuser_conninfo(), autocommit=True) as admin:
        version, mark = admin.info.server_version, _provisioned_mark(admin)
        refuse_unsafe(version)
        secrets = credentials.read(config.home) or credentials.generate()
        if secrets.provisioned != mark:
            credentials.write(config.home, Credentials(secrets.passwords))
            _create_database(admin, DATABASE_NAME)
            with connect(server.superuser_conninfo(DATABASE_NAME), autocommit=True) as inside:
                provision_roles(inside, secrets.passwords)
            credentials.write(config.home, Credentials(secrets.passwords, mark))
    return _database(server.superuser_conninfo(DATABASE_NAME), secrets, version)


def initialise(config: Config, *, rotate: bool = False, notify: Notify | None = None) -> list[Finding]:
    """`sitevault init`: check the server, make the roles and their passwords; returns what the check found.

    Repeatable. `rotate` gives every role a new password, which cuts off whoever uses the old ones. Raises
    PreflightError with every problem at once, ConfigurationError when another home holds the passwords.
    """
    if not config.database_url:
        with open_database(config, notify):
            return []
    with credentials.locked(config.home), connect(_admin(config.database_url), autocommit=True) as admin:
        findings = preflight(admin)
        refuse_problems(findings)
        known = None if rotate else credentials.read(config.home)
        secrets = known or credentials.generate()
        database = _database(_admin(config.database_url), secrets, admin.info.server_version)
        if not rotate:
            _refuse_roles_of_another_home(admin, database, config)
        credentials.write(config.home, Credentials(secrets.passwords))
        provision_roles(admin, secrets.passwords)
        for role in LOGIN_ROLES:
            database.connect(role).close()
        credentials.write(config.home, Credentials(secrets.passwords, f"external {fingerprint()}"))
        return findings


def refuse_problems(findings: list[Finding]) -> None:
    """Raise PreflightError naming every problem among the findings, each with its cure."""
    problems = [finding for finding in findings if finding.level is Level.PROBLEM]
    if problems:
        raise PreflightError(
            "This PostgreSQL cannot be used yet:\n" + "\n".join(f"- {found.message}" for found in problems),
            fix="\n".join(f"- {found.fix}" for found in problems if found.fix),
            command="sitevault init",
        )


def connect(conninfo: str, *, autocommit: bool = False) -> psycopg.Connection:
    """psycopg.connect with DatabaseUnavailableError in plain words when it fails."""
    try:
        return psycopg.connect(conninfo, autocommit=autocommit)
    except psycopg.OperationalError as error:
        raise unavailable(error) from error


def unavailable(error: psycopg.OperationalError) -> DatabaseUnavailableError:
    """What went wrong on the way to the server, with what to do about it. Passwords are never in it."""
    said = " ".join(str(error).split())
    if _WRONG_PASSWORD in said:
        return DatabaseUnavailableError(
            f"PostgreSQL refused the password: {said}",
            fix="Correct the one in DATABASE_URL; if it is a role's, let `sitevault init` set it again.",
            command="sitevault init",
        )
    if "no pg_hba.conf entry" in said:
        return DatabaseUnavailableError(
            f"PostgreSQL does not let us in: {said}",
            fix="Let the roles sitevault_* in from this host by scram-sha-256 in the server's pg_hba.conf.",
        )
    return DatabaseUnavailableError(
        f"PostgreSQL does not answer: {said}",
        fix="Start it, or correct DATABASE_URL; without DATABASE_URL Sitevault brings its own.",
    )


def _external(config: Config, url: str) -> Database:
    secrets = credentials.read(config.home)
    if secrets is None or not secrets.provisioned.endswith(fingerprint()):
        raise ConfigurationError(
            f"The database that DATABASE_URL names is not set up for {config.home} and this version of Sitevault.",
            fix="Set the database up once, with a user that may create roles; the services use their own.",
            command="sitevault init",
        )
    database = _database(_admin(url), secrets, 0)
    with database.connect(Role.MIGRATOR) as conn:
        refuse_unsafe(conn.info.server_version)
        return _database(_admin(url), secrets, conn.info.server_version)


def _database(admin_conninfo: str, secrets: Credentials, version: int) -> Database:
    where = {name: str(value) for name, value in conninfo_to_dict(admin_conninfo).items() if value is not None}
    for name in ("user", "password", "application_name"):
        where.pop(name, None)
    where |= {"client_encoding": "utf8"}
    where.setdefault("connect_timeout", str(CONNECT_TIMEOUT_SECONDS))
    return Database(where, secrets.passwords, admin_conninfo, version)


def _admin(url: str) -> str:
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise ConfigurationError(
            "DATABASE_URL is not a PostgreSQL connection string.",
            fix="It looks like postgresql://user@host/database",
        ) from None  # its words may repeat a password
    timeout = str(given.get("connect_timeout") or CONNECT_TIMEOUT_SECONDS)
    application = _application_name("init")
    return make_conninfo(url, connect_timeout=timeout, application_name=application, client_encoding="utf8")


def _application_name(what: str) -> str:
    return what if what.startswith("sitevault-") else f"sitevault-{what}"


def _provisioned_mark(admin: psycopg.Connection) -> str:
    (identifier,) = admin.execute(_SQL.system_identifier).fetchone() or ("",)
    return f"{identifier} {fingerprint()}"


def _create_database(admin: psycopg.Connection, name: str) -> None:
    with contextlib.suppress(psycopg.errors.DuplicateDatabase):
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))


def _refuse_roles_of_another_home(admin: psycopg.Connection, database: Database, config: Config) -> None:
    """New passwords would cut off the services that use the old ones: so only if ours are the server's."""
    if admin.execute(_SQL.any_role, {"roles": list(Role)}).fetchone() != (True,):
        return
    try:
        psycopg.connect(database.conninfo(Role.MIGRATOR)).close()
    except psycopg.OperationalError as error:
        if _WRONG_PASSWORD not in str(error):
            raise unavailable(error) from error
        raise ConfigurationError(
            f"The server has Sitevault's roles already, and {config.home} does not know their passwords.",
            fix="Copy credentials.json from the home that set them up; or give all roles new passwords.",
            command="sitevault init --rotate",
        ) from error
