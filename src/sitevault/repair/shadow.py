"""Old and new output of the staging functions compared on real events: what a new version gains and loses.

Everything happens in a transaction that is rolled back, each event in a savepoint of its own. Values are compared,
never shown: columns and counts say what changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from sitevault.repair.ground import SQL, Ground
from sitevault.replay.foreign import EntryPoint, call, entry_points

MOST_EVENTS = 200


class Output(NamedTuple):
    """What became of one event: its status and its staging row, or the SQLSTATE it failed with."""

    status: str | None
    staged: Mapping[str, Any] | None
    sqlstate: str | None


Outputs = dict[str, dict[int, Output]]


class Shift(NamedTuple):
    """How many events' columns are filled now and were NULL, the other way round, or hold another value."""

    gained: Counter[str]
    lost: Counter[str]
    changed: Counter[str]


def compare(ground: Ground, statements: str) -> list[str]:
    """The difference that `statements` make, in lines for a person; empty where nothing reads the queue."""
    with ground.transaction(), ground.conn.transaction(force_rollback=True):
        events = [number for (number,) in ground.all(SQL.events_to_compare, {"most": MOST_EVENTS})]
        old = outputs(ground, events)
        ground.conn.execute(sql.SQL(statements))
        new = outputs(ground, events)
    return [line for identity in sorted(old.keys() | new.keys()) for line in _lines(identity, old, new)]


def outputs(ground: Ground, events: Sequence[int], doors: Sequence[EntryPoint] | None = None) -> Outputs:
    """What every entry point (or these) makes of the events, within the caller's transaction; nothing stays."""
    return {
        entry.identity: {
            number: output for number in events if (output := _try(ground, entry, number)) is not None
        }
        for entry in (entry_points(ground.conn) if doors is None else doors)
    }


def shift(before: Mapping[int, Output], after: Mapping[int, Output]) -> Shift:
    """What a new version does to the columns of the staging rows, per column."""
    gained, lost, changed = Counter[str](), Counter[str](), Counter[str]()
    for number, output in after.items():
        was = before[number].staged if number in before else None
        if output.staged is None and was is None:
            continue
        for column in sorted((was or {}).keys() | (output.staged or {}).keys()):
            one, other = (was or {}).get(column), (output.staged or {}).get(column)
            if one != other:
                (gained if one is None else lost if other is None else changed)[column] += 1
    return Shift(gained, lost, changed)


def _try(ground: Ground, entry: EntryPoint, number: int) -> Output | None:
    """None for an event that somebody works on at this moment: waiting for them, we could end in a deadlock."""
    conn, key = ground.conn, {"raw_event_id": number}
    output: Output | None = None
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(SQL.bound_a_try)
            if ground.one(SQL.take_to_compare, key) is None:
                return None
            conn.execute(SQL.pretend_unstaged, key)
            conn.execute(SQL.pretend_pending, key)
            call(conn, entry, number)
            status, staged = ground.one(SQL.status_now, key), ground.one(SQL.staged_now, key)
            output = Output(status[0] if status else None, staged[0] if staged else None, None)
    except psycopg.Error as error:
        output = Output(None, None, error.sqlstate or "lost")
    return output


def _lines(identity: str, old: Outputs, new: Outputs) -> Iterator[str]:
    if identity not in new:
        yield f"{identity}: carries no events itself afterwards"
        return
    before, after = old.get(identity, {}), new[identity]
    yield f"{identity}, {len(after)} events: before {_ends(before)}; after {_ends(after)}"
    gained, lost, changed = shift(before, after)
    for what, columns in (("gained", gained), ("lost", lost), ("changed", changed)):
        if columns:
            yield f"  {what}: " + ", ".join(f"{name} {count}" for name, count in sorted(columns.items()))


def _ends(outputs: Mapping[int, Output]) -> str:
    ends = Counter(
        f"failed with {output.sqlstate}" if output.sqlstate else _staged(output) for output in outputs.values()
    )
    return ", ".join(f"{count} {end}" for end, count in sorted(ends.items())) or "not there"


def _staged(output: Output) -> str:
    if output.staged is None:
        return f"{output.status} without a staging row"
    return f"{output.status}, {output.staged.get('validation_status', 'staged')}"
