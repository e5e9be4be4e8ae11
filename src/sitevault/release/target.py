"""The database of an environment, opened for a release: the house as its owner, a foreign one as its URL says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from msgspec import structs
from psycopg.conninfo import conninfo_to_dict

from sitevault.config import Config
from sitevault.db import queries
from sitevault.db.catalog import CatalogSnapshot, capture
from sitevault.db.connect import Database, connect, open_database, unavailable
from sitevault.db.postmaster import Notify
from sitevault.db.roles import Role
from sitevault.doctor.connection import foreign as conninfo_of
from sitevault.release.environments import Environment, Environments, secret
from sitevault.release.model import ReleaseBlockedError, Shape
from sitevault.repair.ground import SQL as GROUND
from sitevault.repair.ground import Ground

SQL = queries.load("release")

_PASSING = re.compile(r"_p20\d{6}\b|_p20\d{6}_|\bsitevault_(release|repair)\b")


@dataclass(frozen=True)
class Target:
    """`ground` works on it, one transaction at a time; `judge` reads every tenant and changes nothing.

    `database` is there for Sitevault's own only; `conninfo` is how other sessions of ours get in.
    """

    environment: str
    settings: Environment
    shape: Shape
    ground: Ground
    judge: psycopg.Connection[Any]
    conninfo: str
    location: str
    config: Config
    database: Database | None = None

    @property
    def house(self) -> bool:
        return self.shape == "house"

    def session(self, name: str) -> psycopg.Connection[Any]:
        """Another session with the same rights; autocommit."""
        if self.database is None:
            return connect(self.conninfo, autocommit=True)
        conn = self.database.connect(Role.MIGRATOR, autocommit=True, application_name=name)
        conn.execute(SQL.act_as_owner)
        return conn

    def snapshot(self) -> CatalogSnapshot:
        """The catalog without what comes and goes by itself: daily partitions, and our own record."""
        return lasting(capture(self.ground.conn))


def lasting(snapshot: CatalogSnapshot) -> CatalogSnapshot:
    """A catalog without daily partitions and without the record of releases and repairs in a foreign database."""
    return CatalogSnapshot(
        {name: text for name, text in snapshot.objects.items() if not _PASSING.search(name.identity)}
    )


def is_lost(error: psycopg.Error) -> bool:
    """Whether the server, or the way to it, is gone."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(("57P", "08"))


@contextmanager
def opened(
    config: Config, environments: Environments, name: str, notify: Notify = lambda _: None
) -> Iterator[Target]:
    """The environment's database. Raises ConfigurationError, DatabaseUnavailableError, ReleaseBlockedError."""
    try:
        with _opened(config, environments, name, notify) as target:
            yield target
    except psycopg.OperationalError as error:
        if is_lost(error):
            raise unavailable(error) from error
        raise


@contextmanager
def _opened(config: Config, environments: Environments, name: str, notify: Notify) -> Iterator[Target]:
    settings = environments[name]
    if settings.home is None:
        with _foreign(config, settings, name) as target:
            yield target
        return
    url = secret(settings.url_from) if settings.url_from else None
    own = structs.replace(config, home=settings.home, database_url=url)
    with (
        open_database(own, notify) as database,
        database.connect(Role.MIGRATOR, autocommit=True, application_name="release") as conn,
        database.connect(Role.JUDGE, autocommit=True, application_name="release") as judge,
    ):
        conn.execute(SQL.act_as_owner)
        judge.execute(SQL.read_only)
        yield Target(
            environment=name,
            settings=settings,
            shape="house",
            ground=Ground(conn, house=True),
            judge=judge,
            conninfo=database.conninfo(Role.MIGRATOR, "release"),
            location=_location(conn),
            config=own,
            database=database,
        )


@contextmanager
def _foreign(config: Config, settings: Environment, name: str) -> Iterator[Target]:
    conninfo = conninfo_of(secret(settings.url_from or ""))
    with connect(conninfo, autocommit=True) as conn, connect(conninfo, autocommit=True) as judge:
        ground = Ground(conn, house=False)
        is_house, is_guide = ground.one(GROUND.shape) or (False, False)
        if is_house:
            raise ReleaseBlockedError(
                f"The database of {name} is a Sitevault's: it is released to within its own roles.",
                fix=f"Name its home in sitevault.toml: [environments.{name}] home = ...",
            )
        if not is_guide:
            raise ReleaseBlockedError(
                f"The database of {name} has no raw.site_tracking_events_r: nothing here is known."
            )
        judge.execute(SQL.read_only)
        yield Target(
            environment=name,
            settings=settings,
            shape="guide",
            ground=ground,
            judge=judge,
            conninfo=conninfo,
            location=_location(conn),
            config=config,
        )


def _location(conn: psycopg.Connection[Any]) -> str:
    """Where the session went, without any password: host, port and database as they were asked for."""
    asked = conninfo_to_dict(conn.info.dsn)
    return f"{asked.get('host') or conn.info.host}:{conn.info.port}/{conn.info.dbname}"
