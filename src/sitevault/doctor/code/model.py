"""A function's body as a tree: statements with their lines, the SQL in them, blocks with their handlers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from sitevault.doctor.code.parser import Node, location


class Kind(StrEnum):
    """What a statement is."""

    ASSIGN = "assignment"
    ASSERT = "ASSERT"
    BLOCK = "block"
    CALL = "CALL"
    CASE = "CASE"
    CLOSE = "CLOSE"
    COMMIT = "COMMIT"
    CONTINUE = "CONTINUE"
    DIAGNOSTICS = "GET DIAGNOSTICS"
    EXECUTE = "EXECUTE"
    EXIT = "EXIT"
    FETCH = "FETCH"
    FOR = "FOR over a query"
    FOR_RANGE = "FOR over integers"
    FOREACH = "FOREACH"
    IF = "IF"
    LOOP = "LOOP"
    NULL = "NULL"
    OPEN = "OPEN"
    PERFORM = "PERFORM"
    RAISE = "RAISE"
    RETURN = "RETURN"
    RETURN_NEXT = "RETURN NEXT"
    RETURN_QUERY = "RETURN QUERY"
    ROLLBACK = "ROLLBACK"
    SQL = "SQL statement"
    WHILE = "WHILE"


class Place(StrEnum):
    """How a piece of SQL is used: whether it may have one value, or any number of rows."""

    SCALAR = "scalar"
    ROWS = "rows"
    STATEMENT = "statement"
    DYNAMIC = "dynamic"
    """An expression whose value is run as SQL."""


@dataclass(frozen=True)
class Sql:
    """A piece of SQL in a body: its tree, and from a place in the tree to a line of the body."""

    text: str
    place: Place
    line: int
    tree: Node | None
    """A SelectStmt for an expression; None where it cannot be read."""
    why: str | None = None
    into: tuple[str, ...] = ()
    """The variables that take its columns."""
    strict: bool = False
    lines: tuple[int, ...] = ()
    """Offsets of the line ends in the parsed text."""

    def line_of(self, node: Node) -> int:
        """The line of the body where the node, or the first thing in it, stands."""
        place = location(node)
        return self.line if place is None else self.line + sum(end < place for end in self.lines)


@dataclass(frozen=True)
class Handler:
    """One WHEN of an EXCEPTION section."""

    conditions: tuple[str, ...]
    line: int
    body: tuple[Statement, ...]
    span: tuple[int, int] = (0, 0)
    """Where it stands, in bytes of the body."""

    @property
    def catches_all(self) -> bool:
        return "others" in self.conditions


@dataclass(frozen=True)
class Declaration:
    """A variable of a block, with the text of its type."""

    name: str
    type: str
    line: int
    default: Sql | None = None


@dataclass(frozen=True)
class Statement:
    """One statement; `bodies` are what it may run, each list of them a branch or a loop."""

    kind: Kind
    line: int
    start: int
    end: int
    sql: tuple[Sql, ...] = ()
    into: tuple[str, ...] = ()
    bodies: tuple[tuple[Statement, ...], ...] = ()
    handlers: tuple[Handler, ...] = ()
    declared: tuple[Declaration, ...] = ()
    exception: tuple[int, int] | None = None
    """Where the EXCEPTION section stands, in bytes of the body."""
    level: str = ""
    """Of RAISE: debug, log, info, notice, warning or exception."""
    has_else: bool = False
    returns: bool = True
    """Of RETURN: whether it says a value."""

    @property
    def raises(self) -> bool:
        return self.kind is Kind.RAISE and self.level == "exception"

    def walk(self) -> Iterator[Statement]:
        """The statement and all within it, its handlers' too, in the order of the text."""
        yield self
        for body in self.bodies:
            for statement in body:
                yield from statement.walk()
        for handler in self.handlers:
            for statement in handler.body:
                yield from statement.walk()


@dataclass(frozen=True)
class Parameter:
    """An argument of a function."""

    name: str
    type: str
    mode: str
    """in, out, inout, variadic or table."""
    has_default: bool


@dataclass(frozen=True)
class Body:
    """A function that was read. `why` says what could not be, and nothing then may pass as looked at."""

    statements: tuple[Statement, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    returns_set: bool = False
    why: str | None = None
    line: int = 0
    problems: tuple[tuple[int, str], ...] = field(default=())
    """Pieces of SQL that could not be read: line and what the parser says."""

    def walk(self) -> Iterator[Statement]:
        """Every statement."""
        for statement in self.statements:
            yield from statement.walk()

    def pieces(self) -> Iterator[tuple[Statement, Sql]]:
        """Every piece of SQL with its statement, the defaults of variables too."""
        for statement in self.walk():
            for declared in statement.declared:
                if declared.default is not None:
                    yield statement, declared.default
            for sql in statement.sql:
                yield statement, sql

    @property
    def inputs(self) -> tuple[Parameter, ...]:
        return tuple(one for one in self.parameters if one.mode in {"in", "inout", "variadic"})

    @property
    def variables(self) -> frozenset[str]:
        """Every name that is a variable or a parameter somewhere in the body."""
        found = {one.name for one in self.parameters if one.name}
        for statement in self.walk():
            found.update(one.name for one in statement.declared)
            found.update(statement.into)
        return frozenset(found | {"new", "old"})
