"""What a body refers to, against what there is: functions, tables and columns that are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sitevault.db import queries
from sitevault.doctor.code import facts
from sitevault.doctor.code.library import Code, Library
from sitevault.doctor.code.model import Place, Sql, Statement
from sitevault.doctor.code.parser import kind, names, unwrap, walk
from sitevault.doctor.snapshot import Snapshot

_SQL = queries.load("doctor_code")
_SPECIAL = frozenset(
    ["found", "sqlstate", "sqlerrm", "new", "old", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"]
)
NO_FUNCTION, NO_TABLE, NO_COLUMN, NO_SCHEMA = "42883", "42P01", "42703", "3F000"

Table = tuple[str, str]


class Missing(NamedTuple):
    """Something that a body refers to and that is not there."""

    line: int
    sqlstate: str
    name: str
    says: str
    elsewhere: tuple[str, ...] = ()
    """Where something of that name is."""


@dataclass(frozen=True)
class Objects:
    """Everything that can be referred to by name."""

    functions: Mapping[str, list[tuple[str, int, int | None]]]
    """Name -> schema, least and most arguments of each."""
    tables: Mapping[Table, frozenset[str]]
    schemas: frozenset[str]
    made: frozenset[str]
    """Tables that functions make for themselves."""

    def missing(self, code: Code) -> Iterator[Missing]:
        """What a function refers to in vain."""
        for statement, sql in code.body.pieces():
            yield from self.missing_in(code, statement, sql)

    def missing_in(self, code: Code, statement: Statement, sql: Sql) -> Iterator[Missing]:
        """The same of one piece."""
        if sql.tree is None:
            return
        for call in facts.calls(sql):
            yield from self._call(call)
        tables = facts.relations(sql.tree)
        for table in tables:
            yield from self._table(code, sql, table)
        yield from _Columns(self, code, sql, tables).missing()

    def _call(self, call: facts.Call) -> Iterator[Missing]:
        known = self.functions.get(call.name, [])
        fitting = [
            schema
            for schema, least, most in known
            if call.schema in (None, schema)
            and least <= call.arguments
            and (most is None or call.arguments <= most)
        ]
        if fitting or call.node.func_variadic:
            return
        there = tuple(sorted({f"{schema}.{call.name}" for schema, _, _ in known}))
        says = f"function {call.full_name} with {call.arguments} arguments does not exist"
        no_schema = call.schema is not None and call.schema not in self.schemas
        yield Missing(call.line, NO_SCHEMA if no_schema else NO_FUNCTION, call.full_name, says, there)

    def _table(self, code: Code, sql: Sql, table: Any) -> Iterator[Missing]:
        name = table.relname
        if table.schemaname:
            there = (table.schemaname, name) in self.tables or table.schemaname == "pg_temp"
        else:  # the search_path of the caller is not known: a table anywhere may be meant
            there = any(one == name for _, one in self.tables) or name in self.made or _is_trigger(code)
        if not there:
            full = f"{table.schemaname}.{name}" if table.schemaname else name
            elsewhere = tuple(f"{schema}.{one}" for schema, one in self.tables if one == name)
            yield Missing(sql.line_of(table), NO_TABLE, full, f"relation {full} does not exist", elsewhere)

    def columns(self, table: Any) -> frozenset[str] | None:
        """The columns of a table in a query; None where it is not known which table it is."""
        if table.schemaname:
            return self.tables.get((table.schemaname, table.relname))
        found = [columns for (_, name), columns in self.tables.items() if name == table.relname]
        return found[0] if len(found) == 1 and table.relname not in self.made else None

    def having(self, column: str, *, beside: str) -> tuple[str, ...]:
        """Tables with a column of this name, those of the same flow first."""
        stem = beside.rpartition("_")[0] or beside
        found = [f"{schema}.{name}" for (schema, name), columns in self.tables.items() if column in columns]
        own = sorted(one for one in found if not one.startswith(("pg_catalog.", "information_schema.")))
        return tuple(sorted(own, key=lambda one: stem not in one)[:3])


class _Columns:
    """The columns that one piece of SQL refers to."""

    def __init__(self, objects: Objects, code: Code, sql: Sql, tables: list[Any]) -> None:
        self._objects, self._code, self._sql, self._tables = objects, code, sql, tables
        self._nodes = list(walk(sql.tree))

    def missing(self) -> Iterator[Missing]:
        if self._sql.place is Place.STATEMENT:
            for node in self._nodes:
                yield from self._written(node)
        yield from self._read()

    def _written(self, node: Any) -> Iterator[Missing]:
        what = kind(node)
        if what not in {"InsertStmt", "UpdateStmt"}:
            return
        columns = self._objects.columns(node.relation)
        if columns is None:
            return
        targets = list(node.cols) if what == "InsertStmt" else list(node.target_list)
        if what == "InsertStmt" and node.HasField("on_conflict_clause"):
            targets += list(node.on_conflict_clause.target_list)
        for target in map(unwrap, targets):
            if target.name and target.name not in columns:
                yield self._column(target, target.name, node.relation)

    def _read(self) -> Iterator[Missing]:
        by_alias: dict[str, list[Any]] = {}
        for table in self._tables:
            by_alias.setdefault(table.alias.aliasname if table.HasField("alias") else table.relname, []).append(
                table
            )
        derived = {
            node.alias.aliasname
            for node in self._nodes
            if kind(node) in {"RangeSubselect", "RangeFunction"} and node.HasField("alias")
        } | self._of_queries()
        only = self._the_only_table()
        for node in self._nodes:
            if kind(node) != "ColumnRef":
                continue
            words = names(node.fields)
            if len(words) == 2 and words[0] in ("new", "old"):
                yield from self._of_row(node, words[1])
            elif len(words) == 2 and words[0] in by_alias and words[0] not in derived | self._code.body.variables:
                yield from self._of_any(node, words[1], by_alias[words[0]])
            elif len(words) == 1 and only is not None and not self._known(words[0], only):
                yield from self._of_any(node, words[0], [only])

    def _of_queries(self) -> set[str]:
        """Names of the statement's own WITH queries, and their aliases: one may be a table's elsewhere in it."""
        queries = {node.ctename for node in self._nodes if kind(node) == "CommonTableExpr"}
        return queries | {
            node.alias.aliasname
            for node in self._nodes
            if kind(node) == "RangeVar"
            and node.relname in queries
            and not node.schemaname
            and node.HasField("alias")
        }

    def _of_any(self, node: Any, name: str, tables: list[Any]) -> Iterator[Missing]:
        columns = [self._objects.columns(table) for table in tables]
        if name != "*" and all(one is not None and name not in one for one in columns) and name not in _SPECIAL:
            yield self._column(node, name, tables[0])

    def _of_row(self, node: Any, name: str) -> Iterator[Missing]:
        """NEW and OLD have the columns of the trigger's table."""
        tables = [self._objects.tables.get(_split(one)) for one in self._code.function.trigger_tables]
        if name != "*" and tables and all(one is not None and name not in one for one in tables):
            table = self._code.function.trigger_tables[0]
            says = f"record has no field {name}: {table} has no such column"
            elsewhere = self._objects.having(name, beside=table)
            yield Missing(self._sql.line_of(node), NO_COLUMN, f"{table}.{name}", says, elsewhere)

    def _the_only_table(self) -> Any:
        """The one table of a statement that has nothing else a bare name could belong to."""
        others = {"RangeSubselect", "RangeFunction", "CommonTableExpr", "SubLink", "RangeTableFunc", "JsonTable"}
        if len(self._tables) != 1 or any(kind(node) in others for node in self._nodes):
            return None
        table = self._tables[0]
        return table if not table.HasField("alias") or not len(table.alias.colnames) else None

    def _known(self, word: str, table: Any) -> bool:
        aliases = {node.name for node in self._nodes if kind(node) == "ResTarget"}
        return (
            word in self._code.body.variables
            or word in _SPECIAL
            or word.startswith("tg_")
            or word in aliases | {table.relname, table.alias.aliasname, self._code.function.name, "*"}
        )

    def _column(self, node: Any, name: str, table: Any) -> Missing:
        full = f"{table.schemaname}.{table.relname}" if table.schemaname else table.relname
        says = f"column {name} of relation {full} does not exist"
        elsewhere = self._objects.having(name, beside=table.relname)
        return Missing(self._sql.line_of(node), NO_COLUMN, f"{full}.{name}", says, elsewhere)


def objects(snapshot: Snapshot, known: Library) -> Objects:
    """Everything there is to refer to, read at the first asking."""
    return snapshot.read("objects", lambda: _read(snapshot, known))


def _read(snapshot: Snapshot, known: Library) -> Objects:
    functions: dict[str, list[tuple[str, int, int | None]]] = {}
    for schema, name, least, most in snapshot.connection.execute(_SQL.callable_names).fetchall():
        functions.setdefault(name, []).append((schema, least, most))
    found = snapshot.connection.execute(_SQL.relation_columns).fetchall()
    tables = {(schema, name): frozenset(columns) for schema, name, columns in found}
    schemas = frozenset(name for (name,) in snapshot.connection.execute(_SQL.schema_names).fetchall())
    return Objects(functions, tables, schemas, frozenset(_made(known)))


def _made(known: Library) -> Iterator[str]:
    for code in known:
        for _, sql in code.body.pieces():
            if sql.tree is None or "create" not in sql.text.lower():
                continue
            for node in walk(sql.tree):
                if kind(node) == "CreateStmt":
                    yield node.relation.relname
                elif kind(node) == "CreateTableAsStmt":
                    yield node.into.rel.relname


def _is_trigger(code: Code) -> bool:
    """Its transition tables have names of their own."""
    return code.function.returns == "trigger"


def _split(full_name: str) -> Table:
    schema, _, name = full_name.partition(".")
    return schema, name
