"""F8: the code says that something was verified, whatever happened."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sitevault.doctor.checks.functions.spots import Spot, outcome, run_time
from sitevault.doctor.code import facts
from sitevault.doctor.code.library import Code, library
from sitevault.doctor.code.model import Kind, Sql, Statement
from sitevault.doctor.code.parser import bare, children, kind, names, string_of, unwrap, walk
from sitevault.doctor.model import Check, Outcome
from sitevault.doctor.snapshot import Snapshot

CLAIM = re.compile(
    r"(^|_)(verified|validated|confirmed|authenticated|authori[sz]ed|attested|isolated|compliant|enforced)$"
    r"|^(tenant|tenancy|isolation|identity|owner|ownership|integrity|signature)_(ok|valid|checked|correct|safe)$"
)
_OBJECTS = frozenset({"jsonb_build_object", "json_build_object"})
_SETS = frozenset({"jsonb_set", "jsonb_insert", "jsonb_set_lax"})

Path = tuple[Statement, ...]


def look(snapshot: Snapshot) -> Outcome:
    """Constants that claim."""
    known = library(snapshot)
    spots = [spot for code in known for spot in _spots(code)]
    return outcome(CHECK.id, known, spots, run_time(known))


def _spots(code: Code) -> Iterator[Spot]:
    for statement, guards in guarded(code.body.statements):
        pieces = [(sql, statement.kind) for sql in statement.sql]
        for sql, _ in pieces:
            for name, node in claims(sql):
                if not _conditional(name, guards):
                    yield _spot(code, name, sql.line_of(node))
        name = statement.into[0].rpartition(".")[2] if statement.kind is Kind.ASSIGN and statement.into else ""
        if CLAIM.search(name) and _always_true(code, statement.into[0]) and not _conditional(name, guards):
            yield _spot(code, name, statement.line)


def claims(sql: Sql) -> Iterator[tuple[str, Any]]:
    """Names that the piece gives the constant true: as a key, a column or a column's alias."""
    if sql.tree is None or not CLAIM_WORDS.search(sql.text.lower()):
        return
    for node, above in facts.visit(sql.tree):
        if any(kind(parent) == "CaseWhen" and field == "result" for parent, field in above):
            continue  # a CASE decides
        for name, where in _claimed(node):
            if CLAIM.search(name.lower()):
                yield name, where


CLAIM_WORDS = re.compile(
    r"verif|valid|confirm|authent|authori|attest|isolat|complian|enforc|_ok|_safe|check|correct"
)


def _claimed(node: Any) -> Iterator[tuple[str, Any]]:
    what = kind(node)
    if what == "FuncCall":
        yield from _by_call(names(node.funcname)[-1], [unwrap(one) for one in node.args])
    elif what == "A_Const":
        yield from _by_text(node)
    elif what == "InsertStmt":
        yield from _by_insert(node)
    elif what == "UpdateStmt" or what == "OnConflictClause":
        for target in node.target_list:
            if facts.is_true(unwrap(target).val):
                yield unwrap(target).name, unwrap(target)
    elif what == "SelectStmt":
        for target in node.target_list:
            if unwrap(target).name and facts.is_true(unwrap(target).val):
                yield unwrap(target).name, unwrap(target)


def _by_call(name: str, arguments: list[Any]) -> Iterator[tuple[str, Any]]:
    if name in _OBJECTS:
        for key, value in zip(arguments[::2], arguments[1::2], strict=False):
            if (said := string_of(key)) and facts.is_true(value):
                yield said, bare(key)
    elif name in _SETS and len(arguments) >= 3 and facts.is_true(_unwrapped(arguments[2])):
        path = bare(arguments[1])
        last = string_of(path) or ""
        if kind(path) == "A_ArrayExpr" and len(path.elements):
            last = string_of(path.elements[-1]) or ""
        yield last.strip("{} ").rpartition(",")[2].strip(' "'), path


def _unwrapped(value: Any) -> Any:
    """to_jsonb(true) is true."""
    inner = bare(value)
    if kind(inner) == "FuncCall" and names(inner.funcname)[-1] in {"to_jsonb", "to_json"} and len(inner.args):
        return inner.args[0]
    return inner


def _by_text(node: Any) -> Iterator[tuple[str, Any]]:
    text = string_of(node) or ""
    if "{" not in text:
        return
    try:
        found = json.loads(text)
    except ValueError:
        return
    if isinstance(found, dict):
        yield from ((str(key), node) for key, value in found.items() if value is True)


def _by_insert(node: Any) -> Iterator[tuple[str, Any]]:
    columns = [unwrap(one).name for one in node.cols]
    select = unwrap(node.select_stmt) if node.HasField("select_stmt") else None
    if select is None or kind(select) != "SelectStmt":
        return
    rows = [list(unwrap(one).items) for one in select.values_lists]
    rows = rows or [[unwrap(one).val for one in select.target_list]]
    for row in rows:
        for column, value in zip(columns, row, strict=False):
            if facts.is_true(value):
                yield column, unwrap(value)


# -- what decides ---------------------------------------------------------------------------------------------


def guarded(
    body: Path, guards: tuple[tuple[Sql, Statement | None], ...] = ()
) -> Iterator[tuple[Statement, tuple[tuple[Sql, Statement | None], ...]]]:
    """Every statement with the conditions it depends on: those around it, and those that could have left "
    "before."""
    before: Statement | None = None
    for statement in body:
        yield statement, guards
        around = guards
        if statement.kind in {Kind.IF, Kind.CASE, Kind.WHILE}:
            around = (*guards, *((sql, before) for sql in statement.sql))
        for inner in statement.bodies:
            yield from guarded(inner, around)
        for handler in statement.handlers:
            yield from guarded(handler.body, guards)
        if statement.kind in {Kind.IF, Kind.CASE} and _leaves(statement):
            guards = around
        if statement.kind is Kind.ASSERT:
            guards = (*guards, *((sql, before) for sql in statement.sql[:1]))
        before = statement


def _leaves(statement: Statement) -> bool:
    return any(
        inner.raises or inner.kind in {Kind.RETURN, Kind.CONTINUE, Kind.EXIT}
        for body in statement.bodies
        for inner in body
    )


def _conditional(name: str, guards: tuple[tuple[Sql, Statement | None], ...]) -> bool:
    stem = name.lower().split("_")[0] if "_" in name else ""
    return any(_decides(stem, sql, before) for sql, before in guards)


def _decides(stem: str, sql: Sql, before: Statement | None) -> bool:
    """Whether a condition compares one thing with another, asks a function, or asks what was found."""
    if sql.tree is None:
        return True
    words = {names(node.fields)[-1] for node in walk(sql.tree) if kind(node) == "ColumnRef"}
    if words == {"found"}:
        return before is not None and any(_filters_by(stem, one) for one in before.sql)
    if any(CLAIM.search(word) or (stem and word.startswith(("is_" + stem, "v_is_" + stem))) for word in words):
        return True
    for node in walk(sql.tree):
        if kind(node) == "FuncCall" and names(node.funcname)[-1] not in {"cardinality", "length", "jsonb_typeof"}:
            return True
        if kind(node) == "SubLink":
            return True
        if kind(node) == "A_Expr" and names(node.name)[-1:] in {("=",), ("<>",), ("!=",), ("DISTINCT",)}:
            sides = [bare(child) for field, child in children(node) if field in {"lexpr", "rexpr"}]
            if len(sides) == 2 and all(_varies(side) for side in sides):
                return True
    return False


def _varies(node: Any) -> bool:
    return any(kind(one) in {"ColumnRef", "ParamRef"} for one in walk(node))


def _filters_by(stem: str, sql: Sql) -> bool:
    if sql.tree is None:
        return False
    for node in walk(sql.tree):
        if kind(node) in {"SelectStmt", "UpdateStmt", "DeleteStmt"} and node.HasField("where_clause"):
            words = {names(one.fields)[-1] for one in walk(node.where_clause) if kind(one) == "ColumnRef"}
            if stem and any(stem in word for word in words):
                return True
    return False


def _always_true(code: Code, variable: str) -> bool:
    """Whether nothing but true is ever assigned to it."""
    for statement in code.body.walk():
        if statement.kind is not Kind.ASSIGN and variable in statement.into:
            return False
        if statement.kind is Kind.ASSIGN and variable in statement.into:
            value = facts.target_of(statement.sql[0])
            if value is None or not facts.is_true(value):
                return False
        for declared in statement.declared:
            if declared.name == variable and declared.default is not None:
                value = facts.target_of(declared.default)
                if value is None or not (facts.is_true(value) or facts.is_null(value)):
                    return False
    return True


def _spot(code: Code, name: str, line: int) -> Spot:
    return Spot(
        code,
        line,
        f"{name} is set to true in line {line} whatever happened, so nothing that is built on it can fail",
        f"the constant true is written as {name}",
    )


CHECK = Check(
    id="functions.unconditional_claim",
    alias="F8",
    title="What is claimed to be verified was verified",
    why=(
        "'tenant_verified', true written as a constant says nothing, and a KPI that counts it cannot fail. While "
        "two events lay under the wrong tenant, all five were 'verified'."
    ),
    looks_at=(
        "The constant true under a name that claims something (…_verified, _validated, _confirmed, "
        "_authenticated, "
        "_isolated, _compliant, _enforced): as a key of a JSON object, a column that is written, an alias or a "
        "variable. It is left alone in a CASE, after or within a condition that compares two things, asks a "
        "function or asks what was found for it. What is built at run time is unknown."
    ),
    mend=(
        "Write the comparison itself: 'tenant_verified', (SELECT k.tenant_hk = v_tenant FROM "
        "auth.api_key_h AS k …)."
    ),
    look=look,
)
