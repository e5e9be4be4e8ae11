"""One real PostgreSQL per test process, one fresh migrated database per test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import sql

from homes import sweep_abandoned_homes, temporary_home
from sitevault.config import Config
from sitevault.db import embedded
from sitevault.db.connect import Database, connect, open_embedded
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.migrate import migrate
from sitevault.db.roles import provision_roles
from sitevault.demo import incident

_numbers = itertools.count(1)

# The whole suite, and every process it starts, runs on the PostgreSQL this names (default: the embedded 18).
if os.environ.get("SITEVAULT_TEST_PG_BINDIR"):
    os.environ["SITEVAULT_PG_BINDIR"] = os.environ["SITEVAULT_TEST_PG_BINDIR"]


def pytest_sessionstart() -> None:
    sweep_abandoned_homes()


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """This test process's own server. Without fsync: what is tested here is not the disk."""
    with temporary_home() as home, embedded.attach(home, durable=False) as attached:
        yield attached


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty home, for tests that start, stop and kill a server of their own."""
    with temporary_home() as directory:
        yield directory


@pytest.fixture(scope="session")
def template(server: EmbeddedServer) -> Database:
    """The database that every test's own is copied from: roles, all migrations, all objects."""
    database = open_embedded(Config(home=server.home), server)
    migrate(database)
    return database


@pytest.fixture
def new_database(server: EmbeddedServer, template: Database) -> Iterator[Callable[[str], Database]]:
    """Makes databases for this test: a copy of the named one (`template0` is an empty one)."""
    made: list[str] = []

    def make(copy_of: str) -> Database:
        name = f"test_{next(_numbers)}"
        with connect(server.superuser_conninfo(), autocommit=True) as admin:
            # Copying files takes a fifth of the time that logging every page of them does.
            statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
            admin.execute(statement.format(sql.Identifier(name), sql.Identifier(copy_of)))
        made.append(name)
        database = template.clone(name)
        with connect(database.admin_conninfo, autocommit=True) as admin:
            # A copy has the original's objects, but not the rights on the database itself.
            provision_roles(admin, {})
        return database

    yield make
    with connect(server.superuser_conninfo(), autocommit=True) as admin:
        for name in made:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(new_database: Callable[[str], Database], template: Database) -> Database:
    """A migrated, empty database of this test's own."""
    return new_database(template.where["dbname"])


@pytest.fixture
def incident_database(new_database: Callable[[str], Database]) -> Database:
    """The reproduced incident with every fault in it; all of it belongs to the administrator."""
    database = new_database("template0")
    with connect(database.admin_conninfo) as admin:
        incident.build(admin)
    return database
