"""SQL that is built at run time: how much of it can be known from the text."""

from __future__ import annotations

import re
from typing import Any

from sitevault.doctor.code import facts
from sitevault.doctor.code.model import Body, Sql
from sitevault.doctor.code.parser import Unreadable, bare, kind, names, parse, string_of, unwrap

_PLACE = re.compile(r"%(?:(?P<position>\d+)\$)?(?:-?\d+)?(?P<how>[ILs%])")
_TAME = frozenset(
    [
        "regclass",
        "regtype",
        "regproc",
        "regprocedure",
        "regnamespace",
        "regrole",
        "name",
        "oid",
        "date",
        "int",
        "int2",
        "int4",
        "int8",
        "integer",
        "bigint",
        "smallint",
        "boolean",
        "bool",
        "uuid",
    ]
)
"""Types whose text is one name or one value: it cannot bring a clause of its own."""
_TELLING = re.compile(
    r"\blimit\b|\bfetch\b|->|#>|_keys|_elements|unnest|generate_|_each|verif|valid|confirm", re.I
)


def is_tame(sql: Sql, body: Body) -> bool:
    """Whether no check could find anything in it: DDL, or a constant form with names and values put in."""
    if facts.changes_data_shape_only(sql):
        return True
    text = form(sql, body)
    if text is None or _TELLING.search(text):
        return False
    try:
        parse(text)
    except Unreadable:
        return False
    return True


def form(sql: Sql, body: Body) -> str | None:
    """The constant text of format('...', …) with names and values stood in for; None where text could come in."""
    call = _format_call(sql)
    if call is None:
        return None
    template, arguments = string_of(call.args[0]), [bare(one) for one in call.args[1:]]
    if template is None:
        return None
    types = _types(body)
    turn = 0

    def stand_in(found: re.Match[str]) -> str:
        nonlocal turn
        if found["how"] == "%":
            return "%"
        place = int(found["position"]) - 1 if found["position"] else turn
        turn = place + 1
        if found["how"] == "I":
            return "built_name"
        if found["how"] == "L":
            return "'built value'"
        if place < len(arguments) and _type_of(arguments[place], types) in _TAME:
            return "built_name"
        raise Unreadable("text is put into it")

    try:
        return _PLACE.sub(stand_in, template)
    except Unreadable:
        return None


def _format_call(sql: Sql) -> Any:
    if sql.tree is None:
        return None
    select = unwrap(sql.tree)
    if kind(select) != "SelectStmt" or len(select.target_list) != 1:
        return None
    call = bare(unwrap(select.target_list[0]).val)
    return call if kind(call) == "FuncCall" and names(call.funcname)[-1] == "format" and len(call.args) else None


def _types(body: Body) -> dict[str, str]:
    found = {one.name: one.type.rpartition(".")[2] for one in body.parameters}
    for statement in body.walk():
        found.update((one.name, one.type.strip().rpartition(".")[2]) for one in statement.declared)
    return found


def _type_of(node: Any, types: dict[str, str]) -> str | None:
    return types.get(names(node.fields)[-1]) if kind(node) == "ColumnRef" else None
