"""F3: a set-returning function stands where one value is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sitevault.doctor.checks.functions.spots import Spot, outcome, run_time
from sitevault.doctor.code import facts
from sitevault.doctor.code.library import Code, Library, library
from sitevault.doctor.code.model import Kind, Place, Sql, Statement
from sitevault.doctor.code.parser import kind, names, walk
from sitevault.doctor.model import Check, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

BUILT_IN = frozenset(
    [
        "json_object_keys",
        "jsonb_object_keys",
        "json_array_elements",
        "jsonb_array_elements",
        "json_array_elements_text",
        "jsonb_array_elements_text",
        "json_each",
        "jsonb_each",
        "json_each_text",
        "jsonb_each_text",
        "jsonb_path_query",
        "jsonb_path_query_tz",
        "json_populate_recordset",
        "jsonb_populate_recordset",
        "json_to_recordset",
        "jsonb_to_recordset",
        "generate_series",
        "generate_subscripts",
        "unnest",
        "regexp_matches",
        "regexp_split_to_table",
        "string_to_table",
        "ts_stat",
        "ts_parse",
        "xpath_table",
    ]
)
_AGGREGATES = frozenset(
    [
        "array_agg",
        "string_agg",
        "json_agg",
        "jsonb_agg",
        "json_object_agg",
        "jsonb_object_agg",
        "count",
        "min",
        "max",
        "sum",
        "avg",
        "bool_and",
        "bool_or",
        "every",
        "bit_and",
        "bit_or",
        "xmlagg",
        "mode",
        "percentile_cont",
        "percentile_disc",
        "range_agg",
        "any_value",
    ]
)
_TOO_MANY = "more than one row (21000)"


def look(snapshot: Snapshot) -> Outcome:
    """Every call of a set-returning function in a place for one value."""
    known = library(snapshot)
    spots: list[Spot] = []
    for code in known:
        for statement, sql in code.body.pieces():
            spots.extend(_spots(known, code, statement, sql))
    return outcome(CHECK.id, known, spots, run_time(known))


def _spots(known: Library, code: Code, statement: Statement, sql: Sql) -> Iterator[Spot]:
    if sql.tree is None or "(" not in sql.text:
        return
    for node, above in facts.visit(sql.tree):
        if kind(node) != "FuncCall":
            continue
        name = names(node.funcname)[-1]
        if name not in BUILT_IN and not _returns_set(known, code, sql, node):
            continue
        why = _one_value_wanted(statement, sql, above)
        if why:
            line = sql.line_of(node)
            yield Spot(
                code, line,
                f"{name} in line {line} gives a row per element where {why}",
                f"{name} in a place for one value ({statement.kind})",
                Verdict.WARNING if why.startswith("only") else Verdict.PROBLEM,
                sqlstate=None if why.startswith("only") else "0A000" if "not allowed" in why else "21000",
            )  # fmt: skip


def _returns_set(known: Library, code: Code, sql: Sql, node: Any) -> bool:
    parts = names(node.funcname)
    call = facts.Call(parts[-2] if len(parts) > 1 else None, parts[-1], len(node.args), node, sql.line)
    called = known.called(code, call)
    return bool(called) and all(one.body.returns_set for one in called)


def _one_value_wanted(statement: Statement, sql: Sql, above: tuple[tuple[Any, str], ...]) -> str:
    """Why the place takes one value only; empty where rows are welcome."""
    in_from = False
    for depth in range(len(above) - 1, -1, -1):
        parent, field = above[depth]
        what = kind(parent)
        if what in {"UpdateStmt", "DeleteStmt"}:
            return "" if in_from else f"set-returning functions are not allowed in {what[:-4].upper()} (0A000)"
        if what == "CommonTableExpr":
            return ""
        if what != "SelectStmt":
            continue
        if field == "values_lists":
            return "one value of VALUES is wanted: each element makes a row of its own, or " + _TOO_MANY
        if field == "from_clause":
            in_from = True
        elif field in {"where_clause", "having_clause"}:
            return "set-returning functions are not allowed in WHERE (0A000)"
        elif field in {"larg", "rarg"}:
            continue
        if _bounded(parent, in_from):
            return ""
        user, use = above[depth - 1] if depth else (None, "")
        if user is None:
            return _at_the_root(statement, sql, in_from)
        if kind(user) == "SubLink":
            return (
                f"a subquery has to give one value: {_TOO_MANY}"
                if user.sub_link_type == facts.EXPR_SUBLINK
                else ""
            )
        if kind(user) == "InsertStmt":
            return ""
        if kind(user) == "RangeSubselect":
            in_from = True
        elif use not in {"larg", "rarg"}:
            return ""
    return ""


def _bounded(select: Any, in_from: bool) -> bool:
    """Whether the query gives one row for sure, or filters what its FROM gives."""
    if select.HasField("limit_count"):
        return True
    if not in_from:
        return False
    aggregated = any(
        kind(node) == "FuncCall" and names(node.funcname)[-1] in _AGGREGATES and not node.HasField("over")
        for target in select.target_list
        for node in walk(target)
    )
    return (aggregated and not len(select.group_clause)) or select.HasField("where_clause")


def _at_the_root(statement: Statement, sql: Sql, in_from: bool) -> str:
    if sql.place is Place.ROWS:
        return ""
    if sql.place in {Place.SCALAR, Place.DYNAMIC}:
        return f"one value is wanted: {_TOO_MANY}"
    if statement.kind is Kind.RETURN and not in_from:
        return "only the first is returned"
    if statement.kind is Kind.SQL and sql.into and not in_from:
        return f"one row is wanted: {_TOO_MANY}" if sql.strict else "only the first is kept"
    return ""


CHECK = Check(
    id="functions.set_returning_in_scalar",
    alias="F3",
    title="No set-returning function stands where one value is wanted",
    why=(
        "jsonb_object_keys(v) in an assignment works as long as the payload has one key, and fails with 21000 "
        "(query returned more than one row) for all others. Tests with small payloads pass; production does not."
    ),
    looks_at=(
        "Every expression of every function: built-in set-returning functions and your own, in an assignment, an "
        "argument, a condition, a RETURN, a scalar subquery, VALUES or SET. Left alone: ARRAY(SELECT ...), FROM, "
        "EXISTS and IN, a LIMIT, an aggregate over it, FOR loops, RETURN QUERY, INSERT ... SELECT. SELECT INTO "
        "keeps "
        "the first of several and is a warning. What is built at run time is unknown."
    ),
    mend=(
        "Collect the rows: ARRAY(SELECT jsonb_object_keys(v)), or (SELECT jsonb_agg(k) FROM "
        "jsonb_object_keys(v) AS k)."
    ),
    look=look,
)
