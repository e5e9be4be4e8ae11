"""The schema as text: the same for the same schema, however and whenever it was made."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from sitevault.db.connect import Database
from sitevault.db.migrate import migrate
from sitevault.db.roles import Role
from sitevault.db.schema_dump import dump


def test_two_databases_made_by_the_same_migrations_have_the_same_text(
    database: Database, new_database: Callable[[str], Database]
) -> None:
    other = new_database("template0")
    migrate(other)
    assert dump(other) == dump(database)


def test_a_column_more_is_seen(database: Database) -> None:
    before = dump(database)
    with database.connect(Role.MIGRATOR) as conn:
        conn.execute("SET ROLE sitevault_owner")
        conn.execute("ALTER TABLE ops.load ADD COLUMN remark text")
    assert dump(database) != before


def test_neither_daily_partitions_nor_versions_are_in_it(database: Database) -> None:
    text = dump(database)
    assert "CREATE TABLE ops.migration" in text
    with database.connect(Role.MIGRATOR) as conn:
        days = conn.execute(
            "SELECT relname FROM pg_class WHERE relispartition AND relname ~ '_p20\\d{6}'"
        ).fetchall()
    assert days
    assert not [name for (name,) in days if name in text]
    assert "Dumped" not in text
    assert "restrict" not in text.replace("RESTRICTIVE", "").lower().replace("on delete restrict", "")


def test_the_roles_of_a_policy_are_in_order_however_they_lie_in_the_server(database: Database) -> None:
    policies = re.finditer(r"^CREATE POLICY .+? TO ([a-z_, ]+) USING", dump(database), re.M)
    listed = [found[1].split(", ") for found in policies]
    assert any(len(roles) > 2 for roles in listed)
    assert all(roles == sorted(roles) for roles in listed)


def test_a_password_is_not_in_the_error(database: Database) -> None:
    with pytest.raises(Exception, match="pg_dump failed") as caught:
        dump(database.clone("nowhere"))
    assert database.passwords[Role.MIGRATOR] not in str(caught.value)
