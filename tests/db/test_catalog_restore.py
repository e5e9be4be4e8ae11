"""What was captured comes back to the byte: definition, owner, grants and grantors, comment, switches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors, sql

from sitevault.db.catalog import capture
from sitevault.db.connect import Database, connect
from sitevault.db.restore import CannotRestoreError, way_back

ODD = '"Odd ""name"", with $function$ and \n newline"'
GROUND = f"""
CREATE ROLE restore_a; CREATE ROLE restore_b; CREATE ROLE "restore C";
CREATE SCHEMA "Odd Shop";
CREATE TABLE "Odd Shop".thing (id bigint PRIMARY KEY, "a b" text, n integer DEFAULT 3 NOT NULL, UNIQUE ("a b", n));
CREATE INDEX "thing ix" ON "Odd Shop".thing (n) WHERE n > 3;
CREATE VIEW "Odd Shop".v WITH (security_invoker = true) AS SELECT id, "a b" FROM "Odd Shop".thing;
CREATE FUNCTION "Odd Shop".{ODD}("x y" integer DEFAULT 1, out z text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET work_mem = '8MB' AS $outer$
BEGIN\r
    z := $function$it's$function$; -- CRLF above
END$outer$;
CREATE FUNCTION "Odd Shop".atomic(n integer) RETURNS integer LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT n + 1; END;
CREATE PROCEDURE "Odd Shop".work(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN n := n + 1; END';
CREATE FUNCTION "Odd Shop".on_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER "on change" BEFORE UPDATE OF n ON "Odd Shop".thing FOR EACH ROW WHEN (new.n > 1)
EXECUTE FUNCTION "Odd Shop".on_change();
ALTER TABLE "Odd Shop".thing ENABLE ALWAYS TRIGGER "on change";
CREATE POLICY "p 1" ON "Odd Shop".thing AS RESTRICTIVE FOR UPDATE TO restore_a, "restore C"
USING (n > 1) WITH CHECK (n > 2);
CREATE RULE "no delete" AS ON DELETE TO "Odd Shop".v DO INSTEAD NOTHING;
COMMENT ON FUNCTION "Odd Shop".atomic(integer) IS 'it''s \\ {{odd}}';
COMMENT ON COLUMN "Odd Shop".v."a b" IS 'of a view';
GRANT SELECT (id) ON "Odd Shop".v TO restore_b;
COMMENT ON POLICY "p 1" ON "Odd Shop".thing IS 'policy';
COMMENT ON TRIGGER "on change" ON "Odd Shop".thing IS 'trigger';
GRANT USAGE ON SCHEMA "Odd Shop" TO restore_a, restore_b;
GRANT EXECUTE ON FUNCTION "Odd Shop".atomic(integer) TO restore_a WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION "Odd Shop".atomic(integer) FROM PUBLIC;
GRANT SELECT ("a b") ON "Odd Shop".thing TO restore_b;
GRANT SELECT ON "Odd Shop".thing TO restore_a WITH GRANT OPTION;
SET LOCAL ROLE restore_a;
GRANT EXECUTE ON FUNCTION "Odd Shop".atomic(integer) TO restore_b;
GRANT SELECT ON "Odd Shop".thing TO "restore C";
RESET ROLE;
ALTER FUNCTION "Odd Shop".on_change() OWNER TO restore_b;
"""
CHANGES = [
    f'DROP FUNCTION "Odd Shop".{ODD}(integer)',
    f'ALTER FUNCTION "Odd Shop".{ODD}(integer) RESET work_mem',
    f'ALTER FUNCTION "Odd Shop".{ODD}(integer) OWNER TO restore_a',
    'DROP FUNCTION "Odd Shop".atomic(integer)',
    'CREATE OR REPLACE FUNCTION "Odd Shop".atomic(n integer) RETURNS integer LANGUAGE sql AS $$SELECT $1$$',
    'DROP FUNCTION "Odd Shop".atomic(integer);'
    ' CREATE FUNCTION "Odd Shop".atomic(other integer) RETURNS text LANGUAGE sql AS $$SELECT $1::text$$',
    'CREATE FUNCTION "Odd Shop".atomic(n integer, orphan text) RETURNS integer LANGUAGE sql AS $$SELECT 1$$',
    'REVOKE ALL ON FUNCTION "Odd Shop".atomic(integer) FROM restore_a CASCADE',
    'GRANT EXECUTE ON FUNCTION "Odd Shop".atomic(integer) TO PUBLIC',
    'COMMENT ON FUNCTION "Odd Shop".atomic(integer) IS NULL',
    'ALTER FUNCTION "Odd Shop".atomic(integer) STRICT COST 7',
    'DROP PROCEDURE "Odd Shop".work(integer)',
    'DROP VIEW "Odd Shop".v',
    'CREATE OR REPLACE VIEW "Odd Shop".v AS SELECT id, "a b", n FROM "Odd Shop".thing',
    'DROP TRIGGER "on change" ON "Odd Shop".thing',
    'ALTER TABLE "Odd Shop".thing DISABLE TRIGGER "on change"',
    'DROP POLICY "p 1" ON "Odd Shop".thing',
    'ALTER POLICY "p 1" ON "Odd Shop".thing TO PUBLIC USING (true)',
    'CREATE POLICY p2 ON "Odd Shop".thing FOR SELECT USING (true)',
    'ALTER TABLE "Odd Shop".thing ENABLE ROW LEVEL SECURITY',
    'ALTER TABLE "Odd Shop".thing FORCE ROW LEVEL SECURITY',
    'DROP INDEX "Odd Shop"."thing ix"',
    'CREATE INDEX ON "Odd Shop".thing ("a b" DESC)',
    'ALTER TABLE "Odd Shop".thing DROP CONSTRAINT "thing_a b_n_key"',
    'ALTER TABLE "Odd Shop".thing ADD CHECK (n > 0) NOT VALID',
    'ALTER TABLE "Odd Shop".thing ALTER n DROP NOT NULL',
    'ALTER TABLE "Odd Shop".thing ALTER n SET DEFAULT 4',
    'ALTER TABLE "Odd Shop".thing OWNER TO restore_b',
    'REVOKE SELECT ("a b") ON "Odd Shop".thing FROM restore_b',
    'GRANT UPDATE (n) ON "Odd Shop".thing TO restore_b WITH GRANT OPTION',
    'REVOKE SELECT ON "Odd Shop".thing FROM restore_a CASCADE',
    'GRANT ALL ON SCHEMA "Odd Shop" TO PUBLIC',
    'DROP RULE "no delete" ON "Odd Shop".v',
    'COMMENT ON TABLE "Odd Shop".thing IS $$new$$',
    'COMMENT ON COLUMN "Odd Shop".thing.n IS $$new$$',
    'ALTER FUNCTION "Odd Shop".on_change() OWNER TO "restore C"',
]
LOST = [
    'ALTER TABLE "Odd Shop".thing DROP COLUMN n CASCADE',
    'ALTER TABLE "Odd Shop".thing ADD COLUMN more text',
    'CREATE TABLE "Odd Shop".other ()',
    'ALTER TABLE "Odd Shop".thing SET UNLOGGED',
]


@pytest.fixture(scope="module")
def somewhere(template: Database) -> Iterator[psycopg.Connection]:
    with connect(template.admin_conninfo) as conn:
        conn.execute(GROUND)
        yield conn
        conn.rollback()


@contextmanager
def undone_afterwards(conn: psycopg.Connection) -> Iterator[None]:
    with conn.transaction(force_rollback=True):
        yield


def come_back(conn: psycopg.Connection, changes: list[str]) -> None:
    acting = sql.Identifier(conn.info.user).as_string(conn)
    with undone_afterwards(conn):
        before = capture(conn)
        for change in changes:
            try:
                with conn.transaction():
                    conn.execute(change)
            except (
                errors.UndefinedObject,
                errors.UndefinedFunction,
                errors.UndefinedTable,
                errors.DuplicateObject,
                errors.DuplicateFunction,
                errors.InvalidFunctionDefinition,
                errors.InvalidTableDefinition,
            ):
                assert len(changes) > 1, "each change alone is possible"
        after = capture(conn)
        for statement in way_back(before, after, acting):
            conn.execute(statement)
        left = [(str(one.object), one.before, one.after) for one in before.changes(capture(conn))]
        assert left == []


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_undone_to_the_byte(somewhere: psycopg.Connection, change: str) -> None:
    come_back(somewhere, [change])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.sampled_from(CHANGES), min_size=2, max_size=8, unique=True))
def test_any_changes_together_are_undone_to_the_byte(somewhere: psycopg.Connection, changes: list[str]) -> None:
    come_back(somewhere, changes)


@pytest.mark.parametrize("change", LOST)
def test_what_a_definition_cannot_bring_back_is_refused(somewhere: psycopg.Connection, change: str) -> None:
    with undone_afterwards(somewhere):
        before = capture(somewhere)
        somewhere.execute(change)
        with pytest.raises(CannotRestoreError):
            way_back(before, capture(somewhere), "postgres")
