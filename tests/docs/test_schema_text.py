"""sql/schema.sql is the schema: whoever reads it, or runs it, has what the migrations make."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from docs.generate import SCHEMA
from pages import ROOT

from sitevault.db.connect import Database, connect
from sitevault.db.schema_dump import dump


def test_schema_sql_on_an_empty_database_is_what_the_migrations_make(
    database: Database, new_database: Callable[[str], Database]
) -> None:
    if database.server_version // 10000 != 18:
        pytest.skip("schema.sql is the schema as the PostgreSQL that comes along has it")
    other = new_database("template0")
    with connect(other.admin_conninfo) as admin:
        admin.execute("SET search_path = ''")
        admin.execute("SET check_function_bodies = false")
        admin.execute((ROOT / SCHEMA).read_text("utf-8"))  # type: ignore[call-overload]
    assert dump(other) == dump(database)
