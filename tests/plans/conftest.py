"""A database that has carried some tens of thousands of events, and what its queries read of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import sql
from tests.plans.scans import Grown, grow

from sitevault.db.connect import Database, connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.roles import provision_roles


@pytest.fixture(scope="session")
def grown(server: EmbeddedServer, template: Database) -> Iterator[Grown]:
    """One database for all of these tests: none of them leaves a trace in it."""
    name = "test_plans"
    with connect(server.superuser_conninfo(), autocommit=True) as admin:
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template.where["dbname"])))
        database = template.clone(name)
        with connect(database.admin_conninfo, autocommit=True) as inside:
            provision_roles(inside, {})
        yield grow(database)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
