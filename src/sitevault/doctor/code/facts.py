"""What a piece of SQL does: whom it calls, what it reads and writes, where in it a node stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sitevault.doctor.code.model import Kind, Place, Sql, Statement
from sitevault.doctor.code.parser import Node, bare, children, kind, names, string_of, unwrap, walk

WRITES = {"InsertStmt": "INSERT", "UpdateStmt": "UPDATE", "DeleteStmt": "DELETE", "MergeStmt": "MERGE"}
EXPR_SUBLINK, ARRAY_SUBLINK = 5, 7


class Call(NamedTuple):
    """A function that is called by name."""

    schema: str | None
    name: str
    arguments: int
    node: Any
    line: int

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


class Write(NamedTuple):
    """A table that is written."""

    command: str
    schema: str | None
    table: str
    node: Any
    line: int

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.table}" if self.schema else self.table


class Visited(NamedTuple):
    """A node with those above it, the nearest last; each with the field through which it leads here."""

    node: Any
    above: tuple[tuple[Any, str], ...]


def visit(tree: Node, above: tuple[tuple[Any, str], ...] = ()) -> Iterator[Visited]:
    """Every node with its way from the root."""
    node = unwrap(tree)
    yield Visited(node, above)
    for field, child in children(node):
        yield from visit(child, (*above, (node, field)))


def calls(sql: Sql) -> list[Call]:
    """Every function the piece calls by name; operators and casts are not among them."""
    if sql.tree is None or "(" not in sql.text:
        return []
    return [call for node in walk(sql.tree) if (call := _call(sql, node)) is not None]


def writes(sql: Sql) -> list[Write]:
    """Every table the piece writes, in a CTE too."""
    if sql.tree is None or sql.place is not Place.STATEMENT:
        return []
    found = []
    for node in walk(sql.tree):
        command = WRITES.get(kind(node))
        if command:
            table = node.relation
            found.append(Write(command, table.schemaname or None, table.relname, node, sql.line_of(node)))
    return found


def relations(tree: Node) -> list[Any]:
    """Every table or view named in the tree, CTEs aside."""
    nodes = list(walk(tree))
    ctes = {node.ctename for node in nodes if kind(node) == "CommonTableExpr"}
    return [node for node in nodes if kind(node) == "RangeVar" and (node.schemaname or node.relname not in ctes)]


def dynamic(statement: Statement) -> Sql | None:
    """The expression whose value the statement runs as SQL, if it cannot be known from here."""
    return next((sql for sql in statement.sql if sql.place is Place.DYNAMIC), None)


def built_verb(sql: Sql) -> str | None:
    """The first word of SQL that is built at run time, where its beginning is a constant."""
    start = _leading_text(sql.tree)
    words = start.split(None, 1) if start else []
    return words[0].upper() if words and (len(words) > 1 or start.endswith(" ")) else None


def changes_data_shape_only(sql: Sql) -> bool:
    """Whether built SQL is DDL: it reads and writes no row that a check here asks about."""
    return built_verb(sql) in _DDL


def is_null(node: Node) -> bool:
    """Whether an expression is NULL itself, cast or not."""
    inner = bare(node)
    return kind(inner) == "A_Const" and bool(inner.isnull)


def is_true(node: Node) -> bool:
    """Whether an expression is the constant true."""
    inner = bare(node)
    if kind(inner) == "A_Const" and inner.WhichOneof("val") == "boolval":
        return bool(inner.boolval.boolval)
    return (string_of(node) or "").lower() in {"true", "t", "yes"}


def target_of(sql: Sql) -> Node | None:
    """The expression of a piece that is one; None for a query with more than that."""
    if sql.tree is None:
        return None
    select = unwrap(sql.tree)
    if kind(select) != "SelectStmt" or len(select.target_list) != 1:
        return None
    return unwrap(unwrap(select.target_list[0]).val)


def says_nothing(statement: Statement) -> bool:
    """RETURN NULL, RETURN without a value, NULL, CONTINUE, an assignment of NULL."""
    if statement.kind in {Kind.NULL, Kind.CONTINUE, Kind.EXIT}:
        return True
    if statement.kind is Kind.RETURN and not statement.returns:
        return True
    if statement.kind in {Kind.RETURN, Kind.ASSIGN} and statement.sql:
        target = target_of(statement.sql[0])
        return target is not None and is_null(target)
    return False


_DDL = frozenset(
    [
        "CREATE",
        "ALTER",
        "DROP",
        "GRANT",
        "REVOKE",
        "COMMENT",
        "ANALYZE",
        "VACUUM",
        "REINDEX",
        "CLUSTER",
        "REFRESH",
        "SET",
        "RESET",
        "LOCK",
        "TRUNCATE",
        "LISTEN",
        "NOTIFY",
        "UNLISTEN",
        "CHECKPOINT",
        "DISCARD",
    ]
)


def _leading_text(tree: Node | None) -> str:
    if tree is None:
        return ""
    select = unwrap(tree)
    if kind(select) != "SelectStmt" or not len(select.target_list):
        return ""
    node = bare(unwrap(select.target_list[0]).val)
    while kind(node) == "A_Expr" and names(node.name) == ("||",):
        node = bare(node.lexpr)
    if kind(node) == "FuncCall" and names(node.funcname)[-1] in {"format", "concat"} and len(node.args):
        node = bare(node.args[0])
    return (string_of(node) or "").lstrip()


def _call(sql: Sql, node: Any) -> Call | None:
    if kind(node) != "FuncCall":
        return None
    parts = names(node.funcname)
    # EXTRACT, OVERLAY and their like are written in the grammar: the parser names pg_catalog itself.
    schema = parts[-2] if len(parts) > 1 else None
    return Call(schema, parts[-1], len(node.args), node, sql.line_of(node))
