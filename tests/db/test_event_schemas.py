"""What a tenant demands of its events, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import UnknownTenantError, UsageError
from sitevault.tenancy.rules import load_tenant_rules
from sitevault.tenancy.schemas import (
    SchemaStatus,
    active_schema,
    add_schema,
    compile_schema,
    hold_against,
    list_schemas,
    retire_schema,
)
from sitevault.tenancy.tenants import add_tenant

Connection = psycopg.Connection[Any]

PURCHASE = {
    "type": "object",
    "required": ["price"],
    "properties": {"price": {"type": "number", "minimum": 0}, "at": {"type": "string", "format": "date-time"}},
}


@pytest.fixture
def migrator(database: Database) -> Iterator[Connection]:
    with database.connect(Role.MIGRATOR) as conn:
        add_tenant(conn, "The ONE Spa", "spa")
        yield conn


@pytest.fixture
def judge(database: Database, migrator: Connection) -> Iterator[Connection]:
    with database.connect(Role.JUDGE, autocommit=True) as conn:
        yield conn


def demanded(database: Database) -> dict[str, dict[str, Any]]:
    """Event type -> schema, of the tenant that demands any."""
    with database.connect(Role.WORKER) as worker:
        return {
            kind: schema for rules in load_tenant_rules(worker).values() for kind, schema in rules.schemas.items()
        }


def test_a_schema_is_in_force_until_it_is_retired(
    database: Database, migrator: Connection, judge: Connection
) -> None:
    assert add_schema(migrator, "spa", "purchase", PURCHASE)
    assert demanded(database) == {"purchase": PURCHASE}
    assert active_schema(judge, "spa", "purchase") == PURCHASE
    assert retire_schema(migrator, "spa", "purchase")
    assert demanded(database) == {}
    assert [one.status for one in list_schemas(judge, "spa")] == [SchemaStatus.RETIRED]
    with pytest.raises(UsageError):
        active_schema(judge, "spa", "purchase")


def test_the_newest_schema_of_a_type_counts_and_the_old_one_stays_on_record(
    database: Database, migrator: Connection, judge: Connection
) -> None:
    add_schema(migrator, "spa", "purchase", PURCHASE)
    add_schema(migrator, "spa", "purchase", {"type": "object"})
    add_schema(migrator, "spa", "signup", {"required": ["plan"]})
    assert demanded(database) == {"purchase": {"type": "object"}, "signup": {"required": ["plan"]}}
    assert judge.execute("SELECT count(*) FROM staging.event_schema_s").fetchone() == (3,)


def test_a_retired_schema_can_be_demanded_again(database: Database, migrator: Connection) -> None:
    add_schema(migrator, "spa", "purchase", PURCHASE)
    retire_schema(migrator, "spa", "purchase")
    assert add_schema(migrator, "spa", "purchase", PURCHASE)
    assert demanded(database) == {"purchase": PURCHASE}


def test_adding_and_retiring_twice_writes_once(migrator: Connection, judge: Connection) -> None:
    assert [add_schema(migrator, "spa", "purchase", PURCHASE) for _ in range(2)] == [True, False]
    assert [retire_schema(migrator, "spa", "purchase") for _ in range(2)] == [True, False]
    assert judge.execute("SELECT count(*) FROM staging.event_schema_s").fetchone() == (2,)


def test_one_tenants_schema_binds_no_other(database: Database, migrator: Connection, judge: Connection) -> None:
    other = add_tenant(migrator, "The ONE Spa", "other").tenant
    add_schema(migrator, "spa", "purchase", PURCHASE)
    assert list_schemas(judge, "other") == []
    with database.connect(Role.WORKER) as worker:
        assert load_tenant_rules(worker)[other.tenant_hk].schemas == {}


def test_retiring_what_never_was_is_an_error(migrator: Connection) -> None:
    with pytest.raises(UsageError):
        retire_schema(migrator, "spa", "purchase")


def test_a_schema_for_nobody_is_an_error(migrator: Connection) -> None:
    with pytest.raises(UnknownTenantError):
        add_schema(migrator, "nobody", "purchase", PURCHASE)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objet"},
        {"required": "price"},
        {"$ref": "https://schemas.example/purchase.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/$defs/missing"},
        {"properties": {"a": {"pattern": "(?=a)b"}}},
        [],
        True,
        None,
    ],
)
def test_what_staging_could_not_use_is_refused_when_it_is_added(schema: Any) -> None:
    with pytest.raises(UsageError):
        compile_schema(schema)


@pytest.mark.parametrize("text", ['{"const": "\\u0000"}', '{"const": "\\ud800"}', '{"const": 1e400}'])
def test_a_schema_postgresql_cannot_store_is_refused_in_words(migrator: Connection, text: str) -> None:
    with pytest.raises(UsageError):
        add_schema(migrator, "spa", "purchase", json.loads(text))


@pytest.mark.parametrize("event_type", ["", "a b", "x" * 101, "a\n", "\0"])
def test_an_event_type_that_is_no_name_is_refused(migrator: Connection, event_type: str) -> None:
    with pytest.raises(UsageError):
        add_schema(migrator, "spa", event_type, PURCHASE)


@pytest.mark.parametrize("form", ["list", "lines"])
def test_every_violation_has_its_place_and_path(form: str) -> None:
    events: list[Any] = [
        {"event_type": "purchase", "price": 1},
        {"event_type": "page_view"},
        {"event_type": "purchase", "price": -1, "at": "yesterday"},
        {"price": "dear"},
        {},
        7,
    ]
    text = json.dumps(events) if form == "list" else "\n".join(map(json.dumps, events)) + "\n\n"
    tested = hold_against(PURCHASE, "purchase", text)
    assert (tested.tested, tested.of_other_types) == (5, 1)
    assert sorted((found.place, found.path) for found in tested.violations) == [
        (2, "/at"),
        (2, "/price"),
        (3, "/price"),
        (4, "/"),
        (5, "/"),
    ]


def test_a_line_that_is_no_json_is_named() -> None:
    with pytest.raises(UsageError, match="Line 2"):
        hold_against(PURCHASE, "purchase", '{"price": 1}\n{"price":\n')
