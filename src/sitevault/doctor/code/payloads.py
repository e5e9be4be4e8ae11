"""Which keys of the payload a body reads, by whatever way the payload comes to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sitevault.doctor.code.library import Code, Library
from sitevault.doctor.code.model import Kind, Place, Sql, Statement
from sitevault.doctor.code.parser import bare, children, kind, names, string_of, unwrap, walk

_ARROWS = frozenset({"->", "->>", "#>", "#>>"})
_EXTRACTS = frozenset(
    {"jsonb_extract_path", "jsonb_extract_path_text", "json_extract_path", "json_extract_path_text"}
)
_RECORDS = frozenset({"jsonb_to_record", "json_to_record"})
_JSON = frozenset({"json", "jsonb", "pg_catalog.json", "pg_catalog.jsonb"})

Path = tuple[str, ...]


class Accessor(NamedTuple):
    """A key that is read."""

    path: Path
    line: int
    fallback: tuple[Path, ...]
    """The other paths of the COALESCE it stands in."""
    has_default: bool
    """It stands in a COALESCE with something that is no accessor."""


@dataclass
class _Reader:
    """What of the payload each variable of one function holds."""

    code: Code
    column: str
    holds: dict[str, Path]

    def path_of(self, node: Any) -> Path | None:
        """Where in the payload the value of an expression stands; None if it is not from there or not known."""
        inner = bare(node)
        what = kind(inner)
        if what == "ColumnRef":
            words = names(inner.fields)
            if words[-1] == self.column:
                return ()
            return self.holds.get(words[-1]) if len(words) == 1 else self.holds.get(".".join(words[-2:]))
        if what == "ParamRef":
            inputs = self.code.body.inputs
            return self.holds.get(inputs[inner.number - 1].name) if 0 < inner.number <= len(inputs) else None
        if what == "A_Expr" and names(inner.name)[-1:] and names(inner.name)[-1] in _ARROWS:
            return self._further(self.path_of(inner.lexpr), _steps(names(inner.name)[-1], inner.rexpr))
        if what == "FuncCall" and names(inner.funcname)[-1] in _EXTRACTS and len(inner.args) > 1:
            keys = [string_of(one) for one in inner.args[1:]]
            return self._further(self.path_of(inner.args[0]), None if None in keys else tuple(map(str, keys)))
        if what == "A_Indirection":
            keys = [string_of(unwrap(one).uidx) for one in inner.indirection if kind(unwrap(one)) == "A_Indices"]
            return self._further(self.path_of(inner.arg), None if None in keys else tuple(map(str, keys)))
        if what == "CoalesceExpr":
            return next((path for one in inner.args if (path := self.path_of(one)) is not None), None)
        return None

    @staticmethod
    def _further(base: Path | None, steps: Path | None) -> Path | None:
        return None if base is None or steps is None else base + steps

    def learn(self) -> bool:
        """Follow assignments and SELECT INTO until nothing new is learned; whether anything was."""
        before = dict(self.holds)
        for statement, sql in self.code.body.pieces():
            for name, value in _assigned(statement, sql):
                path = self.path_of(value)
                if path is not None:
                    self.holds.setdefault(name, path)
            self._learn_insert(sql)
        return self.holds != before

    def _learn_insert(self, sql: Sql) -> None:
        """A variable that is written into the payload's column is the payload."""
        if sql.tree is None or sql.place is not Place.STATEMENT or self.column not in sql.text:
            return
        for node in walk(sql.tree):
            if kind(node) != "InsertStmt" or not node.HasField("select_stmt"):
                continue
            select = unwrap(node.select_stmt)
            rows = [list(unwrap(one).items) for one in select.values_lists] or [
                [unwrap(one).val for one in select.target_list]
            ]
            columns = [unwrap(one).name for one in node.cols]
            for row in rows:
                for column, value in zip(columns, row, strict=False):
                    inner = bare(value)
                    if column == self.column and kind(inner) == "ColumnRef":
                        self.holds.setdefault(names(inner.fields)[-1], ())

    def accessors(self) -> Iterator[Accessor]:
        """Every key that is read, once for each longest way to it."""
        for _, sql in self.code.body.pieces():
            if sql.tree is None or not any(
                sign in sql.text for sign in ("->", "#>", "[", "extract_path", "_to_record")
            ):
                continue
            yield from self._in(sql, unwrap(sql.tree), (), False)

    def _in(self, sql: Sql, node: Any, others: tuple[Path, ...], has_default: bool) -> Iterator[Accessor]:
        what = kind(node)
        if what == "CoalesceExpr":
            paths = [self.path_of(one) for one in node.args]
            for place, one in enumerate(node.args):
                rest = tuple(path for at, path in enumerate(paths) if path and at != place)
                default = any(path is None for at, path in enumerate(paths) if at != place)
                yield from self._in(sql, unwrap(one), rest, default)
            return
        if what in {"A_Expr", "FuncCall", "A_Indirection"}:
            path = self.path_of(node)
            if path:
                yield Accessor(path, sql.line_of(node), others, has_default)
                return
        if what == "RangeFunction":
            yield from self._record(sql, node)
        for _, child in children(node):
            yield from self._in(sql, child, others, has_default)

    def _record(self, sql: Sql, node: Any) -> Iterator[Accessor]:
        """jsonb_to_record(v) AS x (session_id text, ...) reads each of its columns' names."""
        for call in walk(node):
            if kind(call) != "FuncCall" or names(call.funcname)[-1] not in _RECORDS or not len(call.args):
                continue
            base = self.path_of(call.args[0])
            if base is not None:
                for column in map(unwrap, node.coldeflist):
                    yield Accessor((*base, column.colname), sql.line_of(column), (), False)


def read_keys(known: Library, column: str, top_level: frozenset[str]) -> dict[int, list[Accessor]]:
    """Function that has the payload -> the keys it reads of it. `top_level`: keys that payloads are known to have.

    A variable holds the payload if it was read from the column, assigned from such a one, written into the column,
    or handed over in a call. A JSON parameter that nothing in the database hands over holds it if any key that is
    read from it is one that payloads have.
    """
    readers = {code.function.oid: _Reader(code, column, {}) for code in known}
    for _ in range(6):  # each round carries the payload one call further
        changed = [reader.learn() for reader in readers.values()]
        changed += [_hand_over(known, readers, reader) for reader in list(readers.values())]
        if not any(changed):
            break
    for reader in readers.values():
        _guess(reader, top_level)
    found = {oid: list(reader.accessors()) for oid, reader in readers.items()}
    return {oid: keys for oid, keys in found.items() if keys or readers[oid].holds}


def _hand_over(known: Library, readers: dict[int, _Reader], caller: _Reader) -> bool:
    changed = False
    for _, call in caller.code.calls:
        for called in known.called(caller.code, call):
            for parameter, value in zip(called.body.inputs, call.node.args, strict=False):
                path = caller.path_of(value)
                holds = readers[called.function.oid].holds
                if path is not None and parameter.type in _JSON and parameter.name not in holds:
                    holds[parameter.name] = path
                    changed = True
    return changed


def _guess(reader: _Reader, top_level: frozenset[str]) -> None:
    for parameter in reader.code.body.inputs:
        if parameter.type not in _JSON or not parameter.name or parameter.name in reader.holds:
            continue
        trial = _Reader(reader.code, reader.column, {**reader.holds, parameter.name: ()})
        trial.learn()
        if any(one.path[0] in top_level for one in trial.accessors()):
            reader.holds = trial.holds


def _assigned(statement: Statement, sql: Sql) -> Iterator[tuple[str, Any]]:
    """Variable and expression of an assignment, a default or a SELECT INTO."""
    if sql.tree is None:
        return
    for declared in statement.declared:
        if declared.default is sql and kind(unwrap(sql.tree)) == "SelectStmt":
            yield declared.name, unwrap(unwrap(sql.tree).target_list[0]).val
            return
    if kind(unwrap(sql.tree)) != "SelectStmt" or sql in [one.default for one in statement.declared]:
        return
    targets = [unwrap(one) for one in unwrap(sql.tree).target_list]
    into = statement.into if statement.kind is Kind.ASSIGN else sql.into
    if statement.kind is Kind.FOR and len(into) == 1:
        for target in targets:  # the loop's record has the columns as fields
            name = target.name or (
                names(target.val.column_ref.fields)[-1] if target.val.HasField("column_ref") else ""
            )
            if name:
                yield f"{into[0]}.{name}", target.val
        return
    if len(into) == 1 and len(targets) > 1:  # into a record
        for target in targets:
            if target.name:
                yield f"{into[0]}.{target.name}", target.val
        return
    for name, target in zip(into, targets, strict=False):
        yield name, target.val


def _steps(operator: str, node: Any) -> Path | None:
    inner = bare(node)
    if operator in {"->", "->>"}:
        key = string_of(inner)
        return None if key is None else (key,)
    if kind(inner) == "A_ArrayExpr":
        keys = [string_of(one) for one in inner.elements]
        return None if None in keys else tuple(map(str, keys))
    text = string_of(inner)
    return None if text is None else tuple(part.strip(' "') for part in text.strip("{}").split(","))
