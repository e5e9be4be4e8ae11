"""The catalog's snapshot: the same for the same catalog, different for every difference."""

from __future__ import annotations

import psycopg
import pytest

from sitevault.db.catalog import CatalogSnapshot, capture
from sitevault.db.connect import Database, connect

GROUND = """
CREATE SCHEMA shop;
CREATE TYPE shop.colour AS ENUM ('red', 'green');
CREATE TABLE shop.thing (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, day date DEFAULT now());
CREATE INDEX thing_name_ix ON shop.thing (name);
CREATE VIEW shop.names AS SELECT name FROM shop.thing;
CREATE FUNCTION shop.odd("a b" integer DEFAULT 1) RETURNS integer LANGUAGE sql AS $function$ SELECT $1 -- x
$function$;
CREATE FUNCTION shop.on_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER changed BEFORE UPDATE ON shop.thing FOR EACH ROW EXECUTE FUNCTION shop.on_change();
CREATE POLICY mine ON shop.thing USING (name = current_user);
"""

CHANGES = {
    'function shop.odd("a b" integer)': 'CREATE OR REPLACE FUNCTION shop.odd("a b" integer DEFAULT 1) '
    "RETURNS integer LANGUAGE sql AS 'SELECT $1'",
    "table shop.thing": "ALTER TABLE shop.thing ENABLE ROW LEVEL SECURITY",
    "column shop.thing.name": "ALTER TABLE shop.thing ALTER name SET NOT NULL",
    "column shop.thing.day": "COMMENT ON COLUMN shop.thing.day IS 'when'",
    "column shop.thing.colour": "ALTER TABLE shop.thing ADD colour shop.colour",
    "constraint shop.thing thing_name_check": "ALTER TABLE shop.thing ADD CHECK (name <> '') NOT VALID",
    "index shop.thing_day_ix": "CREATE INDEX thing_day_ix ON shop.thing (day)",
    "policy shop.thing mine": "ALTER POLICY mine ON shop.thing USING (true)",
    "schema shop": "GRANT USAGE ON SCHEMA shop TO PUBLIC",
    "trigger shop.thing changed": "ALTER TABLE shop.thing DISABLE TRIGGER changed",
    "type shop.colour": "ALTER TYPE shop.colour ADD VALUE 'blue'",
    "view shop.names": "GRANT SELECT ON shop.names TO PUBLIC",
    "sequence shop.thing_id_seq": "ALTER SEQUENCE shop.thing_id_seq INCREMENT 2",
}


@pytest.fixture
def shop(database: Database):  # type: ignore[no-untyped-def]
    with connect(database.admin_conninfo) as conn:
        conn.execute(GROUND)
        yield conn
        conn.rollback()


def changed(before: CatalogSnapshot, after: CatalogSnapshot) -> dict[str, str]:
    return {str(change.object): change.what for change in before.changes(after)}


def test_nothing_changes_between_two_looks(shop: psycopg.Connection) -> None:
    first, second = capture(shop), capture(shop)
    assert first.digest == second.digest
    assert changed(first, second) == {}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_shows_in_exactly_its_object(shop: psycopg.Connection, name: str) -> None:
    before = capture(shop)
    shop.execute(CHANGES[name])
    after = capture(shop)
    assert set(changed(before, after)) == {name}
    assert before.digest != after.digest


def test_it_does_not_depend_on_the_search_path_and_leaves_it_alone(shop: psycopg.Connection) -> None:
    before = capture(shop)
    shop.execute("SET LOCAL search_path = shop, public")
    assert capture(shop).digest == before.digest
    assert shop.execute("SHOW search_path").fetchone() == ("shop, public",)


def test_undoing_a_change_brings_the_digest_back(shop: psycopg.Connection) -> None:
    before = capture(shop)
    shop.execute("GRANT SELECT ON shop.thing TO PUBLIC")
    shop.execute("REVOKE SELECT ON shop.thing FROM PUBLIC")
    assert capture(shop).digest == before.digest


def test_the_comment_of_a_table_is_the_tables_alone(database: Database) -> None:
    with connect(database.admin_conninfo) as admin:
        admin.execute(GROUND)
        before = capture(admin)
        admin.execute("COMMENT ON TABLE shop.thing IS 'what is sold'")
        assert [str(change.object) for change in before.changes(capture(admin))] == ["table shop.thing"]
