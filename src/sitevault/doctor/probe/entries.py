"""The doors to the queue: functions that take one event, and those that take whatever is pending."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sitevault.doctor.code import facts
from sitevault.doctor.code.library import Code, Library
from sitevault.doctor.code.model import Kind, Statement
from sitevault.doctor.sample import EventTable

_NUMBERS = frozenset({"int8", "int4", "int2", "bigint", "integer", "uuid", "text"})
_NOT_UNDONE = (
    *("dblink", "http_", "lo_import", "lo_export", "pg_read_", "pg_write_", "pg_file_", "pg_terminate_"),
    *("pg_cancel_", "pg_reload_", "pg_rotate_", "pg_switch_", "pg_promote", "pg_background", "pg_stat_reset"),
    *("pg_create_", "pg_drop_", "aws_", "plsh"),
)
_NOT_UNDONE_EXACTLY = frozenset({
    "http", "setval", "pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared", "pg_advisory_unlock", "pg_advisory_unlock_all", "pg_logical_emit_message",
})  # fmt: skip
_TRUSTED = frozenset({"plpgsql", "sql"})


class Doors(NamedTuple):
    """Functions that read the queue."""

    single: tuple[Code, ...]
    """With one argument that is an event's number."""
    others: tuple[Code, ...]
    """Without; those that call one of the first do what it does."""


def doors(known: Library, table: EventTable) -> Doors:
    """The functions that read the events' table, by how they are given an event."""
    reading = [code for code in known if _reads(code, table) and code.function.returns != "trigger"]
    single = tuple(code for code in reading if _takes_one(code, table))
    others = [code for code in reading if code not in single and "'PENDING'" in code.function.source]
    return Doors(single, tuple(code for code in others if not set(reached(known, code)) & set(single)))


def reached(known: Library, code: Code) -> tuple[Code, ...]:
    """The function, all that it calls, and the triggers of what they write, each once."""
    found: list[Code] = [code]
    for one in found:
        for _, call in one.calls:
            found.extend(called for called in known.called(one, call) if called not in found)
        written = {write.full_name for _, write in one.writes}
        found.extend(
            other for other in known if other not in found and written & set(other.function.trigger_tables)
        )
    return tuple(found)


def refusals(known: Library, code: Code) -> list[str]:
    """Why the function must not be tried: what of its doing a rollback would not undo, or is not known."""
    return [reason for one in reached(known, code) for reason in _refusals(one)]


def advances_sequences(known: Library, code: Code) -> bool:
    """Whether numbers may be taken that a rollback does not give back: gaps, which harm nothing."""
    return any(
        write.command == "INSERT" or any(call.name == "nextval" for _, call in one.calls)
        for one in reached(known, code)
        for _, write in one.writes
    )


def _refusals(code: Code) -> Iterator[str]:
    if code.function.language not in _TRUSTED:
        yield f"{code.name} is written in {code.function.language}, which can do anything"
        return
    if code.body.why:
        yield f"{code.name} could not be read"
    for sql in code.dynamic:
        yield f"{code.name} builds SQL at run time in line {sql.line}"
    for _, call in code.calls:
        if call.name in _NOT_UNDONE_EXACTLY or call.name.startswith(_NOT_UNDONE) or call.schema == "net":
            yield f"{code.name} calls {call.full_name} in line {call.line}, which a rollback does not undo"
    for statement in code.body.walk():
        if statement.kind in {Kind.COMMIT, Kind.ROLLBACK}:
            yield f"{code.name} ends the transaction in line {statement.line}"
        elif _copies(statement):
            yield f"{code.name} reads or writes files in line {statement.line}"


def _copies(statement: Statement) -> bool:
    return any(sql.text.lstrip().lower().startswith("copy") for sql in statement.sql)


def _reads(code: Code, table: EventTable) -> bool:
    if table.name not in code.function.source:
        return False
    return any(
        node.relname == table.name and node.schemaname in ("", table.schema)
        for _, sql in code.body.pieces()
        if sql.tree is not None
        for node in facts.relations(sql.tree)
    )


def _takes_one(code: Code, table: EventTable) -> bool:
    needed = [one for one in code.body.inputs if not one.has_default]
    if len(needed) != 1 or needed[0] is not code.body.inputs[0]:
        return False
    name = needed[0].name.lower()
    fits = table.id in name or name.endswith(("event_id", "event", "raw_id")) or name in {"p_id", "id", "_id"}
    return fits and needed[0].type.rpartition(".")[2] in _NUMBERS
