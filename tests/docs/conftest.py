"""A database with events of every kind, on which what the pages show is run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql
from tests import given

from docs import generate
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.worker.run import Worker


@pytest.fixture(scope="session")
def generated(template: Database) -> dict[Path, str]:
    """Everything that is generated, made anew."""
    if template.server_version // 10000 != 18:
        pytest.skip("the pages describe the schema as the PostgreSQL that comes along has it")
    return generate.render(template)


@pytest.fixture(scope="session")
def loaded(server: EmbeddedServer, template: Database) -> Iterator[tuple[Database, given.Sender]]:
    """A database with two tenants' events, vaulted, duplicate, invalid and failed, and one of the tenants."""
    name = sql.Identifier("documented")
    with connect(server.superuser_conninfo(), autocommit=True) as admin:
        source = sql.Identifier(template.where["dbname"])
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(name, source))
    database = template.clone("documented")
    spa, other = given.sender(database), given.sender(database, "Test Company")
    stranger = other._replace(tenant_hk=spa.tenant_hk)
    given.land(
        database,
        [given.row(spa, given.page_view(number)) for number in range(20)],
        [given.row(spa, given.page_view(number)) for number in range(3)],
        [given.row(spa, given.page_view(1, page_title="another body")), given.row(spa, {"nothing": True})],
        [given.row(other, given.page_view(number)) for number in range(5)],
        [given.row(stranger, given.page_view(99))],
    )
    Worker(database, Config(), lanes=1).drain()
    yield database, spa
    with connect(server.superuser_conninfo(), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
