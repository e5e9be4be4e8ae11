"""Functions as trees: what PostgreSQL's own PL/pgSQL parser says, and what it cannot read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import postgast
import pytest

from sitevault.demo import incident
from sitevault.doctor.code.functions import read
from sitevault.doctor.code.model import Body, Kind
from sitevault.doctor.code.parser import parse, unwrap

KINDS = {
    "PLpgSQL_stmt_assign": Kind.ASSIGN,
    "PLpgSQL_stmt_execsql": Kind.SQL,
    "PLpgSQL_stmt_if": Kind.IF,
    "PLpgSQL_stmt_raise": Kind.RAISE,
    "PLpgSQL_stmt_perform": Kind.PERFORM,
    "PLpgSQL_stmt_fors": Kind.FOR,
    "PLpgSQL_stmt_getdiag": Kind.DIAGNOSTICS,
}


class Text(NamedTuple):
    language: str
    source: str
    definition: str


def written(language: str, source: str, head: str = "f(p_id bigint) RETURNS text") -> Body:
    return read(
        Text(language, source, f"CREATE FUNCTION {head} LANGUAGE {language} AS $function${source}$function$")
    )


def nodes(tree: Any) -> Iterator[tuple[Kind, int]]:
    if isinstance(tree, list):
        for one in tree:
            yield from nodes(one)
    elif isinstance(tree, dict):
        for name, inner in tree.items():
            if name in KINDS and isinstance(inner, dict):
                yield KINDS[name], inner.get("lineno", 0)
            yield from nodes(inner)


def definitions() -> Iterator[str]:
    for name in ("03_functions", "staging_v1", "staging_v3", "fixed/staging", "fixed/browser", "fixed/ingest"):
        for statement in postgast.split(incident.text(name)):
            if "FUNCTION" in statement:
                yield statement


@pytest.mark.parametrize("definition", list(definitions()), ids=lambda text: text.split("(")[0].split()[-1])
def test_statements_and_lines_are_those_of_postgresqls_own_parser(definition: str) -> None:
    (_, source, _) = definition.split("$function$")
    body = read(Text("plpgsql", source, definition))
    ours = sorted((one.kind, one.line) for one in body.walk() if one.kind in KINDS.values())
    assert ours == sorted(nodes(postgast.parse_plpgsql(definition)))


def test_a_trigger_function_is_read() -> None:
    body = written(
        "plpgsql", "BEGIN IF NEW.a > OLD.a THEN NEW.b := TG_OP; END IF; RETURN NULL; END", "f() RETURNS trigger"
    )
    assert body.why is None
    assert [one.kind for one in body.walk()] == [Kind.BLOCK, Kind.IF, Kind.ASSIGN, Kind.RETURN]


def test_variables_of_row_types_are_read() -> None:
    body = written("plpgsql", "DECLARE r raw.t%ROWTYPE; BEGIN SELECT 1, 2 INTO r.x, r.y; r.a[3] := 4; END")
    assert [one.into for one in body.walk()][1:] == [("r.x", "r.y"), ("r.a",)]


def test_what_cannot_be_read_says_why_and_where() -> None:
    body = written("plpgsql", "BEGIN\n IF true\n x := 1;\nEND")
    assert body.why is not None
    assert body.line == 3


def test_another_language_is_not_read() -> None:
    assert "plpython3u" in str(written("plpython3u", "return 1").why)


def test_sql_functions_are_read_with_their_lines() -> None:
    body = written("sql", "\nINSERT INTO a.b SELECT 1;\nSELECT 2", "f() RETURNS int")
    assert [(one.kind, one.line) for one in body.statements] == [(Kind.SQL, 2), (Kind.RETURN, 3)]


def test_begin_atomic_is_read_from_the_definition() -> None:
    definition = "CREATE FUNCTION f() RETURNS int\nBEGIN ATOMIC\n DELETE FROM a.b;\n SELECT 2 AS two;\nEND"
    body = read(Text("sql", "", definition))
    assert [one.kind for one in body.statements] == [Kind.SQL, Kind.RETURN]


def test_a_constant_that_is_executed_is_read_as_the_statement_it_is() -> None:
    (statement,) = list(written("plpgsql", "BEGIN EXECUTE 'UPDATE a.b SET c = 1'; END").walk())[1:]
    assert statement.sql[0].tree is not None
    assert unwrap(statement.sql[0].tree) == unwrap(parse("UPDATE a.b SET c = 1").stmts[0].stmt)
