"""From a function of the catalog to its body as a tree, whatever language of ours it is written in."""

from __future__ import annotations

from typing import Any, Protocol

from sitevault.doctor.code import plpgsql
from sitevault.doctor.code.model import Body, Kind, Parameter, Place, Sql, Statement
from sitevault.doctor.code.parser import Unreadable, kind, names, parse, unwrap

_MODES = {1: "in", 2: "out", 3: "inout", 4: "variadic", 5: "table", 6: "in"}


class Written(Protocol):
    """What is needed of a function: its language, its body alone, and its whole CREATE statement."""

    @property
    def language(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def definition(self) -> str | None: ...


def read(function: Written) -> Body:
    """The function's tree; `why` says why there is none."""
    try:
        header = _header(function.definition)
        parameters = tuple(_parameter(unwrap(one)) for one in header.parameters)
        returns_set = bool(header.return_type.setof) or any(one.mode == "table" for one in parameters)
        if function.language == "plpgsql":
            statements = plpgsql.read(function.source)
        elif function.language == "sql":
            statements = _sql_body(function, header, returns_set)
        else:
            raise Unreadable(f"the language {function.language} is not read")
    except Unreadable as error:
        return Body(why=error.why, line=error.line)
    body = Body(statements, parameters, returns_set)
    problems = tuple((sql.line, sql.why) for _, sql in body.pieces() if sql.why)
    return Body(statements, parameters, returns_set, problems=problems)


def _header(definition: str | None) -> Any:
    if not definition:
        raise Unreadable("it has no definition to read")
    found = unwrap(parse(definition).stmts[0].stmt)
    if kind(found) != "CreateFunctionStmt":
        raise Unreadable("its definition is no function")
    return found


def _parameter(node: Any) -> Parameter:
    kind_of_type = ".".join(names(node.arg_type.names)) + "[]" * len(node.arg_type.array_bounds)
    has_default = node.HasField("defexpr")
    return Parameter(node.name, kind_of_type, _MODES.get(int(node.mode), "in"), has_default)


def _sql_body(function: Written, header: Any, returns_set: bool) -> tuple[Statement, ...]:
    """A string body, or BEGIN ATOMIC, whose statements stand in the definition."""
    if function.source.strip():
        text, trees = function.source, [one.stmt for one in parse(function.source).stmts]
    else:
        text = function.definition or ""
        body = unwrap(header.sql_body)
        if kind(body) == "List":
            trees = [statement for part in body.items for statement in _statements(unwrap(part))]
        else:
            trees = [body]
    ends = tuple(place for place, byte in enumerate(text.encode()) if byte == 10)
    found = []
    for place, tree in enumerate(trees):
        sql = Sql(text, Place.STATEMENT, 1, tree, lines=ends)
        final = place == len(trees) - 1 and kind(unwrap(tree)) in {"SelectStmt", "ReturnStmt"}
        what = Kind.SQL if not final else Kind.RETURN_QUERY if returns_set else Kind.RETURN
        line = sql.line_of(tree)
        found.append(Statement(what, line, 0, len(text.encode()), (sql,)))
    return tuple(found)


def _statements(node: Any) -> list[Any]:
    return list(node.items) if kind(node) == "List" else [node]
