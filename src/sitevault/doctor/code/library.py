"""All functions of a database, read once for every check that asks about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from sitevault.doctor.code import facts
from sitevault.doctor.code.built import is_tame
from sitevault.doctor.code.functions import read
from sitevault.doctor.code.model import Body, Sql, Statement
from sitevault.doctor.rows import Function
from sitevault.doctor.snapshot import Snapshot

LANGUAGES = frozenset({"plpgsql", "sql"})


@dataclass(frozen=True, eq=False)
class Code:
    """One function with its tree."""

    function: Function
    body: Body

    @property
    def name(self) -> str:
        return self.function.full_name

    @cached_property
    def dynamic(self) -> tuple[Sql, ...]:
        """SQL built at run time whose effect on rows cannot be known from here."""
        found = (facts.dynamic(statement) for statement in self.body.walk())
        return tuple(sql for sql in found if sql is not None and not is_tame(sql, self.body))

    @cached_property
    def calls(self) -> tuple[tuple[Statement, facts.Call], ...]:
        """Every call with its statement."""
        return tuple((statement, call) for statement, sql in self.body.pieces() for call in facts.calls(sql))

    @cached_property
    def writes(self) -> tuple[tuple[Statement, facts.Write], ...]:
        """Every written table with its statement."""
        return tuple((statement, write) for statement, sql in self.body.pieces() for write in facts.writes(sql))


class Library:
    """Every function that somebody made, in the order of their names."""

    def __init__(self, functions: list[Function]) -> None:
        self.all = tuple(Code(one, read(one)) for one in functions if one.kind != "a" and one.language != "c")

    def __iter__(self) -> Iterator[Code]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    @cached_property
    def by_name(self) -> dict[tuple[str, str], tuple[Code, ...]]:
        """(schema, name) -> its overloads."""
        found: dict[tuple[str, str], tuple[Code, ...]] = {}
        for code in self.all:
            key = (code.function.schema, code.function.name)
            found[key] = (*found.get(key, ()), code)
        return found

    @cached_property
    def unread(self) -> tuple[Code, ...]:
        """Functions that could not be read, as a whole or in a piece."""
        return tuple(code for code in self.all if code.body.why or code.body.problems)

    def called(self, caller: Code, call: facts.Call) -> tuple[Code, ...]:
        """The functions a call can mean: by name, by the caller's search_path, by the number of arguments."""
        schemas = [call.schema] if call.schema else _path(caller.function)
        for schema in schemas:
            fitting = [one for one in self.by_name.get((schema, call.name), ()) if _fits(one.body, call.arguments)]
            exact = tuple(one for one in fitting if len(one.body.inputs) == call.arguments)
            if fitting:
                return exact or tuple(fitting)
        return ()


def library(snapshot: Snapshot) -> Library:
    """The snapshot's functions as trees; read at the first asking."""
    return snapshot.read("code", lambda: Library(snapshot.functions))


def _fits(body: Body, arguments: int) -> bool:
    inputs = body.inputs
    if body.why:
        return True
    if any(one.mode == "variadic" for one in inputs):
        return arguments >= len(inputs) - 1
    return sum(not one.has_default for one in inputs) <= arguments <= len(inputs)


def _path(function: Function) -> list[str]:
    for setting in function.settings:
        name, _, value = setting.partition("=")
        if name == "search_path":
            return [part.strip(' "') for part in value.split(",") if part.strip(' "')]
    return [function.schema, "public"]
