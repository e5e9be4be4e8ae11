"""What a bundle made in its trial is recognised on a target of another owner, and what is otherwise is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from sitevault.db.catalog import CatalogSnapshot, Object, capture
from sitevault.db.connect import Database, connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.release import apply, bundle, expected
from sitevault.release.model import Bundle, decode_bundle, encode
from sources import BASE, source

ODD = '"Odd ""name"", with $function$ and \n newline"'
ROLES = ("match_a", "match C")
MADE = f"""
CREATE TABLE IF NOT EXISTS app."Odd Thing" (
    id bigint PRIMARY KEY, "a b" text DEFAULT 'it''s', n integer CHECK (n > 1)
);
ALTER TABLE app.thing ADD COLUMN IF NOT EXISTS at timestamptz DEFAULT '2026-01-01 00:00Z';
CREATE INDEX IF NOT EXISTS "thing ix" ON app.thing (lower(name)) WHERE thing_id > 3;
CREATE OR REPLACE VIEW app.v WITH (security_invoker = true) AS SELECT thing_id, name FROM app.thing;
CREATE OR REPLACE FUNCTION app.{ODD}("x y" integer DEFAULT 1, out z text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $outer$
BEGIN\r
    z := $function$it's$function$; -- CRLF above
END$outer$;
CREATE OR REPLACE FUNCTION app.atomic(n integer) RETURNS integer LANGUAGE sql
BEGIN ATOMIC SELECT n + 1; END;
CREATE OR REPLACE PROCEDURE app.work(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN n := n + 1; END';
CREATE OR REPLACE FUNCTION app.on_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE OR REPLACE TRIGGER "on change" BEFORE UPDATE OF name ON app.thing
FOR EACH ROW EXECUTE FUNCTION app.on_change();
DROP POLICY IF EXISTS "p 1" ON app.thing;
CREATE POLICY "p 1" ON app.thing FOR UPDATE TO match_a, "match C", CURRENT_USER USING (thing_id > 1);
ALTER TABLE app.thing ENABLE ROW LEVEL SECURITY;
COMMENT ON FUNCTION app.atomic(integer) IS 'it''s odd';
COMMENT ON TABLE app.thing IS 'things';
REVOKE EXECUTE ON FUNCTION app.atomic(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.atomic(integer) TO match_a WITH GRANT OPTION;
GRANT SELECT (name) ON app.thing TO "match C";
CREATE OR REPLACE FUNCTION app.name_of(p_id bigint) RETURNS text LANGUAGE sql AS
$$ SELECT name FROM app.thing WHERE thing_id = p_id AND name <> '' $$;
"""
GROUND = 'CREATE ROLE match_a; CREATE ROLE "match C";'


class Deployed(NamedTuple):
    """A target before and after."""

    before: CatalogSnapshot
    after: CatalogSnapshot

    def wrong(self, made: Bundle, *, same_major: bool = True) -> dict[str, list[str]]:
        found = {}
        for one in made.expected:
            name = Object(one.kind, one.identity)
            found[str(name)] = expected.matches(
                one, self.before.objects.get(name), self.after.objects.get(name), same_major
            )
        return {name: said for name, said in found.items() if said}


@pytest.fixture(scope="module")
def made(server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of every kind of object, as it comes back from its file."""
    directory = source(tmp_path_factory.mktemp("odd"), base=GROUND + BASE, objects={"made.sql": MADE})
    return decode_bundle(encode(bundle.make(directory, "", lambda _: None, server).bundle))


Deploy = Callable[..., Deployed]


@pytest.fixture
def deploy(new_database: Callable[[str], Database], server: EmbeddedServer) -> Iterator[Deploy]:
    """Carries a bundle out on a database of the same base whose owner is called otherwise."""
    database = new_database("template0")
    with roles(server, "match_owner", *ROLES), connect(database.admin_conninfo, autocommit=True) as conn:
        conn.execute("GRANT CREATE ON DATABASE {} TO match_owner".format(database.where["dbname"]))

        def deploy(made: Bundle, *tampering: str, first: str = "") -> Deployed:
            with conn.transaction(force_rollback=True):
                conn.execute("SET LOCAL ROLE match_owner")
                conn.execute((BASE + first).encode())
                before = capture(conn)
                for file in (*made.migrations, *made.objects):
                    apply.run_file(conn, file, {})
                for statement in tampering:
                    conn.execute(statement.encode())
                return Deployed(before, capture(conn))

        yield deploy


@contextmanager
def roles(server: EmbeddedServer, *names: str) -> Iterator[None]:
    def tell(admin: psycopg.Connection[Any], statement: str) -> None:
        for name in names:
            admin.execute(sql.SQL(statement).format(sql.Identifier(name)))  # type: ignore[arg-type]

    with connect(server.superuser_conninfo(), autocommit=True) as admin:
        tell(admin, "CREATE ROLE {}")
    yield
    with connect(server.superuser_conninfo(), autocommit=True) as admin:
        for (name,) in admin.execute("SELECT datname FROM pg_database WHERE datname ~ '^test_'").fetchall():
            with connect(server.superuser_conninfo(name), autocommit=True) as inside:
                tell(inside, "DROP OWNED BY {}")
        tell(admin, "DROP ROLE {}")


def test_a_target_of_another_owner_becomes_what_the_trial_was(made: Bundle, deploy: Deploy) -> None:
    assert len({one.kind for one in made.expected}) >= 9, "every kind of object is in it"
    done = deploy(made)
    assert done.wrong(made) == {}
    assert expected.unexpected(made, list(done.before.changes(done.after))) == []


def test_columns_grants_and_comments_of_the_targets_own_stay_and_are_no_difference(
    made: Bundle, deploy: Deploy
) -> None:
    first = (
        "ALTER TABLE app.thing ADD COLUMN own text; COMMENT ON FUNCTION app.name_of(bigint) IS 'ours';"
        "GRANT SELECT ON app.thing TO match_a; GRANT EXECUTE ON FUNCTION app.name_of(bigint) TO match_a;"
    )
    assert deploy(made, first=first).wrong(made) == {}


TAMPERED = {
    "CREATE OR REPLACE FUNCTION app.name_of(p_id bigint) RETURNS text LANGUAGE sql AS $$ SELECT 'hot' $$": (
        "function app.name_of(p_id bigint)",
        "definition is",
    ),
    "DROP FUNCTION app.atomic(integer)": ("function app.atomic(n integer)", "it is not there"),
    "GRANT EXECUTE ON FUNCTION app.atomic(integer) TO PUBLIC": (
        "function app.atomic(n integer)",
        "EXECUTE to PUBLIC is still granted",
    ),
    "REVOKE GRANT OPTION FOR EXECUTE ON FUNCTION app.atomic(integer) FROM match_a": (
        "function app.atomic(n integer)",
        "EXECUTE to match_a with grant option is not granted",
    ),
    "COMMENT ON TABLE app.thing IS 'other'": ("table app.thing", 'comment is "other", not "things"'),
    "ALTER TABLE app.thing DISABLE ROW LEVEL SECURITY": ("table app.thing", "row_security is false, not true"),
    'ALTER POLICY "p 1" ON app.thing USING (true)': ('policy app.thing "p 1"', "using is"),
    'ALTER POLICY "p 1" ON app.thing TO match_a, PUBLIC': ('policy app.thing "p 1"', "roles is"),
    'ALTER TABLE app.thing DISABLE TRIGGER "on change"': ('trigger app.thing "on change"', "enabled is"),
    'ALTER TABLE app."Odd Thing" DROP CONSTRAINT "Odd Thing_n_check"': (
        'constraint app."Odd Thing" "Odd Thing_n_check"',
        "it is not there",
    ),
    "ALTER TABLE app.thing ALTER COLUMN at SET NOT NULL": ("column app.thing.at", "required is true, not false"),
    "CREATE OR REPLACE VIEW app.v AS SELECT thing_id, name FROM app.thing": ("view app.v", "options is not set"),
    "ALTER FUNCTION app.on_change() OWNER TO match_a": (),
    f"ALTER FUNCTION app.{ODD}(integer) SECURITY INVOKER": (
        f'function app.{ODD}("x y" integer, OUT z text)',
        "definition",
    ),
}


@pytest.mark.parametrize("statement", TAMPERED)
def test_what_is_not_as_the_bundle_says_is_named(made: Bundle, deploy: Deploy, statement: str) -> None:
    wrong = deploy(made, "GRANT CREATE ON SCHEMA app TO match_a; RESET ROLE", statement).wrong(made)
    wrong.pop("schema app", None)
    if not TAMPERED[statement]:
        assert wrong == {}, "a new object belongs to whoever deploys"
        return
    name, said = TAMPERED[statement]
    assert list(wrong) == [name]
    assert said in wrong[name][0]


def test_a_replacement_that_lost_its_comment_is_named_though_the_trial_had_none(
    made: Bundle, deploy: Deploy
) -> None:
    again = next(file.text for file in made.objects).rpartition("CREATE OR REPLACE FUNCTION app.name_of")
    done = deploy(
        made, "DROP FUNCTION app.name_of(bigint)", again[1] + again[2],
        first="COMMENT ON FUNCTION app.name_of(bigint) IS 'ours';",
    )  # fmt: skip
    assert done.wrong(made) == {
        "function app.name_of(p_id bigint)": ['comment was "ours" and is not set, which the bundle does not set']
    }


def test_what_changes_beside_it_is_unexpected(made: Bundle, deploy: Deploy) -> None:
    done = deploy(made, "CREATE FUNCTION app.beside() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert expected.unexpected(made, list(done.before.changes(done.after))) == [Object("function", "app.beside()")]


def test_on_another_major_version_a_rewritten_definition_has_to_be_there_and_a_body_to_be_equal(
    made: Bundle, deploy: Deploy
) -> None:
    made_view, made_tree = "WITH (security_invoker = true) AS SELECT thing_id, name", "BEGIN ATOMIC SELECT n + 1"
    text = made.objects[0].text
    assert made_view in text
    assert made_tree in text
    other = text.replace(made_view, f"{made_view} || '' AS name").replace(made_tree, "BEGIN ATOMIC SELECT n + 2")
    other_body = (
        "CREATE OR REPLACE PROCEDURE app.work(INOUT n integer) LANGUAGE plpgsql AS 'BEGIN n := n + 2; END'"
    )
    assert deploy(made, other).wrong(made, same_major=False) == {}
    assert list(deploy(made, other).wrong(made)) == [
        "function app.atomic(n integer)",
        "view app.v",
    ]
    assert list(deploy(made, other_body).wrong(made, same_major=False)) == ["procedure app.work(INOUT n integer)"]
    assert deploy(made, "DROP VIEW app.v").wrong(made, same_major=False)["view app.v"] == ["it is not there"]


def test_an_object_the_bundle_takes_away_has_to_be_gone(
    server: EmbeddedServer, tmp_path: Path, deploy: Deploy
) -> None:
    gone = "DROP FUNCTION IF EXISTS app.name_of(bigint);"
    dropped = bundle.make(source(tmp_path, objects={"a.sql": gone}), "", lambda _: None, server).bundle
    assert deploy(dropped).wrong(dropped) == {}
    back = "CREATE FUNCTION app.name_of(p_id bigint) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$"
    assert deploy(dropped, back).wrong(dropped) == {"function app.name_of(p_id bigint)": ["it is still there"]}


PARTITIONED = """
CREATE TABLE app.event (day date NOT NULL, n int) PARTITION BY RANGE (day);
CREATE TABLE app.event_{} PARTITION OF app.event FOR VALUES FROM ('{}') TO ('{}') PARTITION BY RANGE (day);
CREATE TABLE app."Event {} rest" PARTITION OF app.event_{} DEFAULT;
"""


def test_partitions_that_only_the_target_or_only_the_base_has_are_no_difference(
    server: EmbeddedServer, tmp_path: Path, deploy: Deploy
) -> None:
    sql_text = (
        "ALTER TABLE app.event ADD COLUMN IF NOT EXISTS m int DEFAULT 1;"
        "CREATE INDEX IF NOT EXISTS event_m ON app.event (m);"
    )
    base = BASE + PARTITIONED.format("old", "2026-01-01", "2026-02-01", "old", "old")
    made = bundle.make(source(tmp_path, base=base, objects={"a.sql": sql_text}), "", lambda _: None, server).bundle
    assert len({one.identity for one in made.expected if one.kind == "column"}) == 3, (
        "of the parent and of two parts"
    )
    here = PARTITIONED.format("new", "2026-02-01", "2026-03-01", "new", "new")
    done = deploy(made, first=here)
    changes = list(done.before.changes(done.after))
    assert done.wrong(made) == {}
    assert len(expected.unexpected(made, changes)) == 4, "without the catalog, who belongs to whom is not known"
    assert expected.unexpected(made, changes, done.before) == []
    done = deploy(made, "CREATE INDEX beside ON app.event_new (n)", first=here)
    changes = list(done.before.changes(done.after))
    assert [one.identity for one in expected.unexpected(made, changes, done.before)] == [
        'app."Event new rest_n_idx"',
        "app.beside",
    ]
    assert "column app.event.m" in deploy(made, "ALTER TABLE app.event DROP COLUMN m", first=here).wrong(made)


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=TEXTS.filter(lambda name: len(name.encode()) < 60),
    body=TEXTS,
    argument=TEXTS.filter(lambda name: len(name.encode()) < 60),
    comment=st.none() | TEXTS,
    line_end=st.sampled_from(["\n", "\r\n"]),
    quote=st.sampled_from(["$function$", "$$", "'"]),
)
def test_any_function_is_the_same_on_both_sides_and_one_letter_more_is_not(
    server: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory, deploy: Deploy,
    name: str, body: str, argument: str, comment: str | None, line_end: str, quote: str,
) -> None:  # fmt: skip
    def written(text: str) -> str:
        inside = f"BEGIN{line_end}    RETURN {sql.Literal(text).as_string(None)};{line_end}END"
        quoted = (
            sql.Literal(inside).as_string(None) if quote == "'" or quote in inside else f"{quote}{inside}{quote}"
        )
        called = sql.Identifier("app", name).as_string(None)
        arguments = f"{sql.Identifier(argument).as_string(None)} text DEFAULT {sql.Literal(body).as_string(None)}"
        said = f"COMMENT ON FUNCTION {called}(text) IS {sql.Literal(comment).as_string(None)};"
        header = f"CREATE OR REPLACE FUNCTION {called}({arguments}) RETURNS text LANGUAGE plpgsql AS"
        return f"{header} {quoted};{line_end}{said}"

    directory = source(tmp_path_factory.mktemp("any"), objects={"a.sql": written(body)})
    made = decode_bundle(encode(bundle.make(directory, "", lambda _: None, server).bundle))
    assert len(made.expected) == 1
    assert deploy(made).wrong(made) == {}
    assert deploy(made, written(f"{body}x")).wrong(made)
