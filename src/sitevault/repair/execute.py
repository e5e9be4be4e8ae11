"""Carries the steps of a plan out, and takes them back; within the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, assert_never

from psycopg import sql

from sitevault.db.catalog import CatalogSnapshot, capture
from sitevault.db.restore import way_back
from sitevault.repair.ground import Ground, Image
from sitevault.repair.model import RepairRefusedError, RowChange, RowInsert, Statement, Step


class RowDone(NamedTuple):
    """A row before and after; one that changed tenant makes two of them."""

    step: int
    relation: tuple[str, str]
    key: tuple[str, ...]
    tenant: str | None
    before: Image | None
    after: Image | None


def carry_out(ground: Ground, steps: Sequence[Step]) -> list[RowDone]:
    """Do every step, in order; returns what became of each row."""
    return [done for place, step in enumerate(steps) for done in _do(ground, place, step)]


def take_back(ground: Ground, steps: Sequence[Step], rows: Sequence[RowDone], before: CatalogSnapshot) -> None:
    """Undo every step, in reverse, and make every object what it was.

    Raises RepairRefusedError where a row is no longer as the repair left it, CannotRestoreError.
    """
    of_step: dict[int, list[RowDone]] = {}
    for row in rows:
        of_step.setdefault(row.step, []).append(row)
    for place, step in reversed(list(enumerate(steps))):
        if isinstance(step, Statement) and step.back is not None:
            ground.within(step.tenant)
            ground.conn.execute(_as_written(step.back))
        for row in reversed(of_step.get(place, [])):
            _restore(ground, row)
    ground.within(None)
    for statement in way_back(before, capture(ground.conn), ground.acting):
        ground.conn.execute(_as_written(statement))


def _do(ground: Ground, place: int, step: Step) -> Iterator[RowDone]:
    ground.within(step.tenant)
    match step:
        case Statement():
            ground.conn.execute(_as_written(step.sql))
        case RowInsert():
            ground.insert(step.relation, step.values)
            key = {name: step.values[name] for name in step.key}
            yield RowDone(place, step.relation, step.key, step.tenant, None, ground.image(step.relation, key))
        case RowChange():
            yield from _change(ground, place, step)
        case _:
            assert_never(step)


def _change(ground: Ground, place: int, step: RowChange) -> Iterator[RowDone]:
    names = tuple(step.key)
    before = ground.image(step.relation, step.key)
    if before is None:
        raise RepairRefusedError(
            f"The row of {'.'.join(step.relation)} with {step.key} is not there any more.",
            fix="Make the plan again.",
            command="sitevault repair plan",
        )
    if step.set is None:
        ground.delete(step.relation, step.key)
        yield RowDone(place, step.relation, names, step.tenant, before, None)
        return
    after = {**before, **step.set}
    new_key = {name: after[name] for name in names}
    if step.to_tenant is None or step.to_tenant == step.tenant:
        ground.update(step.relation, step.key, step.set)
        yield RowDone(place, step.relation, names, step.tenant, before, ground.image(step.relation, new_key))
        return
    ground.delete(step.relation, step.key)
    yield RowDone(place, step.relation, names, step.tenant, before, None)
    ground.within(step.to_tenant)
    ground.insert(step.relation, after)
    yield RowDone(place, step.relation, names, step.to_tenant, None, ground.image(step.relation, new_key))


def _restore(ground: Ground, row: RowDone) -> None:
    ground.within(row.tenant)
    image: Any = row.after or row.before
    key = {name: image[name] for name in row.key}
    now = ground.image(row.relation, key)
    if now != row.after:
        raise RepairRefusedError(
            f"The row of {'.'.join(row.relation)} with {key} is not as the repair left it.",
            fix="Somebody changed it since; undoing would lose that. Mend it by a plan of its own.",
            command="sitevault doctor",
        )
    if row.before is None:
        ground.delete(row.relation, key)
    elif row.after is None:
        ground.insert(row.relation, row.before)
    else:
        changed = {name: value for name, value in row.before.items() if value != row.after.get(name)}
        if changed:
            ground.update(row.relation, key, changed)


def _as_written(text: str) -> sql.SQL:
    """A plan's own statement: its text was sealed when the plan was made, and is shown before it is run."""
    return sql.SQL(text)
