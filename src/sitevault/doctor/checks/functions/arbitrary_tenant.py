"""F1: a tenant is picked, not derived from who sent the event."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sitevault.doctor.checks.functions.spots import Spot, outcome, run_time
from sitevault.doctor.code import facts
from sitevault.doctor.code.library import Code, library
from sitevault.doctor.code.model import Kind, Place, Sql, Statement
from sitevault.doctor.code.parser import bare, kind, names, unwrap, walk
from sitevault.doctor.model import Check, Outcome
from sitevault.doctor.snapshot import Snapshot

HUB_NAME = re.compile(r"(^|_)tenants?(_h|_hub|_s|_d|_dim|_profile_s|_profiles?)?$")
IDENTITY = re.compile(r"tenant\w*_(hk|id|bk|key|uuid)$|^tenant$|^(hk|id|uuid)$")
EXISTS_SUBLINK = 1


def look(snapshot: Snapshot) -> Outcome:
    """Scalar reads of the tenants' table that nothing of the event decides."""
    known = library(snapshot)
    hubs = tenant_tables(snapshot)
    spots: list[Spot] = []
    for code in known:
        for statement, sql in code.body.pieces():
            if sql.tree is not None and "tenant" in sql.text.lower():
                spots.extend(_spots(hubs, code, statement, sql))
    return outcome(CHECK.id, known, spots, run_time(known))


def tenant_tables(snapshot: Snapshot) -> frozenset[str]:
    """Names of tables with a row per tenant: by their name, or because a tenant is their whole key."""
    by_name = {one.name for one in snapshot.relations if HUB_NAME.search(one.name)}
    by_key = {
        one.relation
        for one in snapshot.constraints
        if one.kind == "p" and len(one.columns) == 1 and re.fullmatch(r"tenant_(hk|id|key|uuid)", one.columns[0])
    }
    return frozenset(by_name | by_key)


def _spots(hubs: frozenset[str], code: Code, statement: Statement, sql: Sql) -> Iterator[Spot]:
    for node, above in facts.visit(sql.tree):
        if kind(node) != "SelectStmt" or not _reads(node, hubs):
            continue
        user = above[-1][0] if above else None
        how = _picks(node, user, statement, sql)
        if how and not _decided(node, code.body.variables):
            line = sql.line_of(node)
            yield Spot(
                code, line,
                f"the tenant in line {line} is {how}, and nothing of the event or its sender decides which",
                f"a tenant is read with no condition on a parameter, the row or the session: {how}",
            )  # fmt: skip


def _reads(select: Any, hubs: frozenset[str]) -> bool:
    tables = [one for part in select.from_clause for one in _tables(unwrap(part))]
    return any(table.relname in hubs or HUB_NAME.search(table.relname) for table in tables)


def _tables(node: Any) -> Iterator[Any]:
    """The tables of a FROM item itself, not of subqueries in it."""
    if kind(node) == "RangeVar":
        yield node
    elif kind(node) == "JoinExpr":
        yield from _tables(unwrap(node.larg))
        yield from _tables(unwrap(node.rarg))


def _picks(select: Any, user: Any, statement: Statement, sql: Sql) -> str:
    """How the query comes to one tenant; empty where it gives all, or something else of them."""
    if user is not None and kind(user) == "SubLink" and user.sub_link_type == EXISTS_SUBLINK:
        return ""
    plain, aggregated = _identity(select)
    if not plain and not aggregated:
        return ""
    if _is_one(select):
        return "the first of all (LIMIT 1)"
    scalar = (user is None and ((bool(sql.into) and statement.kind is Kind.SQL) or sql.place is Place.SCALAR)) or (
        user is not None and kind(user) == "SubLink" and user.sub_link_type == facts.EXPR_SUBLINK
    )
    if scalar and aggregated:
        return "the smallest or largest key of all"
    whatever = user is None and bool(sql.into) and statement.kind is Kind.SQL and not sql.strict
    return "whichever comes first" if whatever and not select.HasField("where_clause") else ""


def _identity(select: Any) -> tuple[bool, bool]:
    """Whether the query gives a tenant's key, and whether it gives the least or greatest of them."""
    plain = aggregated = False
    for target in select.target_list:
        value = bare(unwrap(target).val)
        inside = [names(node.fields)[-1] for node in walk(value) if kind(node) == "ColumnRef"]
        if not any(name == "*" or IDENTITY.search(name) for name in inside):
            continue
        called = names(value.funcname)[-1] if kind(value) == "FuncCall" else ""
        if called in {"min", "max", "any_value"}:
            aggregated = True
        elif called not in {"count", "array_agg", "string_agg", "jsonb_agg", "json_agg", "bool_or", "bool_and"}:
            plain = True
    return plain, aggregated


def _is_one(select: Any) -> bool:
    if not select.HasField("limit_count"):
        return False
    limit = bare(select.limit_count)
    return kind(limit) == "A_Const" and limit.WhichOneof("val") == "ival" and limit.ival.ival == 1


def _decided(select: Any, variables: frozenset[str]) -> bool:
    """Whether a parameter, a variable, an outer row or the session has a say in which tenant it is."""
    parts = [*select.from_clause, *([select.where_clause] if select.HasField("where_clause") else [])]
    nodes = [node for part in parts for node in walk(part)]
    aliases = {name for node in nodes for name in _names_of(node)}
    return any(_depends(node, aliases, variables) for node in nodes)


def _names_of(node: Any) -> Iterator[str]:
    if kind(node) == "RangeVar":
        yield node.alias.aliasname if node.HasField("alias") else node.relname
    elif kind(node) in {"RangeSubselect", "RangeFunction"} and node.HasField("alias"):
        yield node.alias.aliasname


def _depends(node: Any, aliases: set[str], variables: frozenset[str]) -> bool:
    what = kind(node)
    if what == "ColumnRef":
        words = names(node.fields)
        return words[0] in variables if len(words) == 1 else words[-2] not in aliases
    if what == "FuncCall":
        parts = names(node.funcname)
        # A function of one's own, or of the session, may well know.
        return (len(parts) > 1 and parts[0] != "pg_catalog") or parts[-1] in {
            "current_setting",
            "inet_client_addr",
        }
    return what in {"ParamRef", "SQLValueFunction"}


CHECK = Check(
    id="functions.arbitrary_tenant",
    alias="F1",
    title="No function picks a tenant",
    why=(
        "SELECT tenant_hk FROM auth.tenant_h ORDER BY load_date LIMIT 1 gives every event to the oldest tenant. "
        "Success rate, quality and latency stay green while one customer's data lies under another's name."
    ),
    looks_at=(
        "Every query on a table with a row per tenant that gives one tenant's key: by LIMIT 1, by SELECT INTO "
        "without a condition, by min or max. It is left alone if a parameter, a variable, an outer row or the "
        "session has a say in its condition or joins. What is built at run time is unknown. Which events are "
        "under "
        "the wrong tenant is for the checks of tenancy to say."
    ),
    mend=(
        "Take the tenant from the API key that came with the request (auth.api_key_h), or as a parameter from the "
        "code that has checked it; refuse the event if there is none."
    ),
    look=look,
)
