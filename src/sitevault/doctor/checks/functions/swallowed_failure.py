"""F6: a handler turns every failure into NULL, and nobody hears of it."""

from __future__ import annotations

from collections.abc import Iterator

from sitevault.doctor.checks.functions.spots import Blind, Spot, outcome
from sitevault.doctor.code import facts
from sitevault.doctor.code.built import is_tame
from sitevault.doctor.code.library import Code, Library, library
from sitevault.doctor.code.model import Handler, Kind, Statement
from sitevault.doctor.code.objects import Missing, Objects, objects
from sitevault.doctor.model import Check, Evidence, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

_PROGRAMMING = frozenset(
    {"undefined_function", "undefined_table", "undefined_column", "sqlstate 42883", "sqlstate 42P01"}
    | {"sqlstate 42703", "syntax_error_or_access_rule_violation"}
)


def look(snapshot: Snapshot) -> Outcome:
    """Silent handlers, and what fails behind them."""
    known = library(snapshot)
    there = objects(snapshot, known)
    spots: list[Spot] = []
    blind: list[Blind] = []
    for code in known:
        for block, handler in _silent(code):
            missing = sorted(set(_behind(code, block, there)))
            if missing:
                spots.append(_never_works(code, handler, missing))
            elif _matters(known, code, block):
                spots.append(_hides(code, handler))
            blind.extend(_hidden(code, block))
    return outcome(CHECK.id, known, spots, blind)


def _silent(code: Code) -> Iterator[tuple[Statement, Handler]]:
    for block in code.body.walk():
        for handler in block.handlers:
            catches = handler.catches_all or bool(_PROGRAMMING & set(handler.conditions))
            if catches and handler.body and all(facts.says_nothing(one) for one in handler.body):
                yield block, handler


def _protected(block: Statement) -> Iterator[Statement]:
    """What runs under the block's handlers."""
    for body in block.bodies:
        for statement in body:
            yield from statement.walk()


def _behind(code: Code, block: Statement, there: Objects) -> Iterator[Missing]:
    for statement in _protected(block):
        for sql in statement.sql:
            yield from there.missing_in(code, statement, sql)


def _matters(known: Library, code: Code, block: Statement) -> bool:
    """Whether rows are written behind the handler, or a function is called that somebody made."""
    for statement in _protected(block):
        for sql in statement.sql:
            if facts.writes(sql) or any(known.called(code, call) for call in facts.calls(sql)):
                return True
    return False


def _hidden(code: Code, block: Statement) -> Iterator[Blind]:
    for statement in _protected(block):
        sql = facts.dynamic(statement)
        if statement.kind is not Kind.BLOCK and sql is not None and not is_tame(sql, code.body):
            yield Blind(
                code, sql.line, "SQL is built here at run time, and a silent handler hides whether it fails"
            )


def _never_works(code: Code, handler: Handler, missing: list[Missing]) -> Spot:
    first = missing[0]
    return Spot(
        code,
        handler.line,
        f"line {first.line} fails every time ({first.sqlstate}: {first.says}), and the handler in line "
        f"{handler.line} turns that into nothing: what it should give is always NULL",
        "a handler that catches all and says nothing",
        sqlstate=first.sqlstate,
        more=tuple(Evidence(code.name, one.says, one.line, sqlstate=one.sqlstate) for one in missing),
    )


def _hides(code: Code, handler: Handler) -> Spot:
    return Spot(
        code,
        handler.line,
        f"the handler in line {handler.line} catches every failure and says nothing; if what it protects ever "
        "fails, nobody will know",
        "a handler that catches all and says nothing",
        Verdict.WARNING,
    )


CHECK = Check(
    id="functions.swallowed_failure",
    alias="F6",
    title="No handler swallows every failure",
    why=(
        "WHEN OTHERS THEN RETURN NULL around the call of a function that does not exist makes a column that is "
        "NULL "
        "for ever. Nothing fails, nothing is logged, and the loss is found when somebody needs the data."
    ),
    looks_at=(
        "Handlers for OTHERS, or for missing functions, tables and columns, that only return NULL, assign NULL "
        "or go "
        "on. With something missing behind them (as F4 finds it) that is a problem; around writes and calls of "
        "functions you made it is a warning. Left alone: handlers that write, raise, log or keep the message, "
        "handlers for a named error, and those around a mere cast. What is built at run time behind one is "
        "unknown."
    ),
    mend="Catch the one error that is expected, by name; let others through, or write them down.",
    look=look,
)
