"""F5: a handler writes the error down and then raises, which undoes what it wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sitevault.doctor.checks.functions.spots import Blind, Spot, outcome
from sitevault.doctor.code import facts
from sitevault.doctor.code.built import is_tame
from sitevault.doctor.code.library import Code, Library, library
from sitevault.doctor.code.model import Handler, Kind, Statement
from sitevault.doctor.model import Check, Evidence, Outcome
from sitevault.doctor.snapshot import Snapshot

_LOOPS = frozenset({Kind.LOOP, Kind.WHILE, Kind.FOR, Kind.FOR_RANGE, Kind.FOREACH})


class Written(NamedTuple):
    """Something a handler has written so far."""

    line: int
    what: str
    known: bool = True


@dataclass
class _Flow:
    """Follows a handler's statements in the order they can run."""

    code: Code
    known: Library
    lost: dict[Written, int] = field(default_factory=dict)

    def through(self, body: tuple[Statement, ...], before: frozenset[Written], *, looping: bool = False,
                caught: bool = False) -> frozenset[Written] | None:  # fmt: skip
        """What is written after the statements, or None if none of their ways comes to the end."""
        pending: frozenset[Written] | None = before
        for statement in body:
            if pending is None:
                return None
            pending = self._after(statement, pending, looping, caught)
        return pending

    def _after(
        self, statement: Statement, pending: frozenset[Written], looping: bool, caught: bool
    ) -> frozenset[Written] | None:
        if statement.raises:
            if not caught:
                for written in pending:
                    self.lost.setdefault(written, statement.line)
            return None
        if statement.kind is Kind.RETURN:
            return None
        if statement.kind in {Kind.EXIT, Kind.CONTINUE} and not statement.sql:
            return pending if looping else None
        pending |= frozenset(self._written(statement))
        if statement.kind is Kind.BLOCK:
            return self._block(statement, pending, looping, caught)
        if not statement.bodies:
            return pending
        inside = looping or statement.kind in _LOOPS
        ways = [self.through(body, pending, looping=inside, caught=caught) for body in statement.bodies]
        if statement.kind in _LOOPS or (statement.kind is Kind.IF and not statement.has_else):
            ways.append(pending)
        return _either(ways)

    def _block(
        self, block: Statement, pending: frozenset[Written], looping: bool, caught: bool
    ) -> frozenset[Written] | None:
        within = caught or any(handler.catches_all for handler in block.handlers)
        ways = [self.through(body, pending, looping=looping, caught=within) for body in block.bodies]
        # A failure has undone the block's own writes when its handler begins.
        ways += [self.through(one.body, pending, looping=looping, caught=caught) for one in block.handlers]
        return _either(ways)

    def _written(self, statement: Statement) -> Iterator[Written]:
        for sql in statement.sql:
            for write in facts.writes(sql):
                yield Written(write.line, f"{write.command} of {write.full_name}")
            for call in facts.calls(sql):
                if any(one.writes for one in self.known.called(self.code, call)):
                    yield Written(call.line, f"call of {call.full_name}, which writes")
        hidden = facts.dynamic(statement)
        if hidden is None or facts.changes_data_shape_only(hidden):
            return
        if (verb := facts.built_verb(hidden)) in facts.WRITES.values():
            yield Written(hidden.line, f"{verb} built at run time")
        elif not is_tame(hidden, self.code.body):
            yield Written(hidden.line, "SQL built at run time", known=False)


def look(snapshot: Snapshot) -> Outcome:
    """Handlers in which a write is followed by a RAISE."""
    known = library(snapshot)
    spots, blind = [], []
    for code in known:
        for handler in handlers(code):
            flow = _Flow(code, known)
            flow.through(handler.body, frozenset())
            for written, raised in sorted(flow.lost.items()):
                if written.known:
                    spots.append(_spot(code, written, raised))
                else:
                    says = f"SQL is built here at run time; if it writes, the RAISE in line {raised} undoes it"
                    blind.append(Blind(code, written.line, says))
    return outcome(CHECK.id, known, spots, blind)


def handlers(code: Code) -> Iterator[Handler]:
    """Every handler of a function."""
    for statement in code.body.walk():
        yield from statement.handlers


def _spot(code: Code, written: Written, raised: int) -> Spot:
    return Spot(
        code,
        written.line,
        f"the handler's {written.what} in line {written.line} is undone by the RAISE in line {raised}, so the "
        "error is never kept",
        f"{written.what}, in a handler that then raises",
        more=(Evidence(code.name, "RAISE: rolls back all that the handler wrote", raised),),
    )


def _either(ways: list[frozenset[Written] | None]) -> frozenset[Written] | None:
    open_ones = [way for way in ways if way is not None]
    return frozenset().union(*open_ones) if open_ones else None


CHECK = Check(
    id="functions.lost_error_write",
    alias="F5",
    title="Error handlers keep what they write",
    why=(
        "A handler that sets an event to ERROR and then raises writes nothing: the exception undoes the handler's "
        "own UPDATE on its way out. The event stays PENDING without a message, for ever, and nobody is told why. "
        "Of all faults this one makes the others invisible."
    ),
    looks_at=(
        "Every EXCEPTION handler of every PL/pgSQL function, statement by statement along each way it can run: an "
        "INSERT, UPDATE, DELETE or MERGE, or the call of a function that does one, that is followed by RAISE or "
        "RAISE EXCEPTION. RAISE NOTICE and WARNING are left alone, so is a RAISE in another branch, and a RAISE "
        "that an inner block catches. What is built at run time is unknown."
    ),
    mend=(
        "Let the handler write and return, with a value that says it failed; or raise without writing, and let "
        "the "
        "caller write the error in its own handler, where nothing raises after it."
    ),
    look=look,
)
