"""Plans are drafted, carried out and taken back here, each in one transaction that leaves all or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import psycopg
from msgspec import structs
from psycopg import errors

from sitevault.db.catalog import CatalogSnapshot, Change, Object, capture
from sitevault.db.restore import became_valid
from sitevault.repair import execute, record
from sitevault.repair.execute import RowDone
from sitevault.repair.ground import Ground
from sitevault.repair.model import (
    FORMAT,
    Action,
    DatabaseId,
    Plan,
    RepairError,
    RepairRefusedError,
    Touched,
    definition_digest,
    seal,
)

ATTEMPTS = 5
PAUSE_SECONDS = 1.0

Result = TypeVar("Result")


class Done(NamedTuple):
    """What a repair, or its undoing, did; nothing where it had been done before."""

    repair_id: str
    objects: tuple[str, ...]
    rows: int
    already: bool


def draft(ground: Ground, actions: Sequence[Action], not_mended: Sequence[str] = ()) -> Plan:
    """The plan of these actions, tried out with its way back in a transaction that is rolled back.

    Raises RepairError when an action fails or its way back does not lead back.
    """

    def attempt() -> Plan:
        with ground.transaction(), ground.conn.transaction(force_rollback=True):
            plan = Plan(
                format=FORMAT,
                made_at=datetime.now(UTC).isoformat(timespec="microseconds"),
                database=ground.database_id(),
                house=ground.house,
                actions=tuple(actions),
                objects=(),
                not_mended=tuple(not_mended),
            )
            before = capture(ground.conn)
            changes = _there_and_back(ground, plan, before)
        objects = tuple(Touched(*change.object, definition_digest(change.before)) for change in changes)
        return seal(structs.replace(plan, objects=objects))

    return _patiently(attempt)


def apply(ground: Ground, plan: Plan, actor: str) -> Done:
    """Carry the plan out, after rehearsing it and its way back on the spot.

    Raises RepairRefusedError when the database is not what the plan was made for, RepairError when it fails;
    nothing was changed then. A plan that is in force is not carried out again.
    """

    def attempt() -> Done:
        with _told_plainly(), ground.transaction():
            _require_same_database(ground, plan)
            if record.state(ground, plan.digest) == "APPLIED":
                return Done(plan.digest, (), 0, already=True)
            before = capture(ground.conn)
            _require_unmoved(plan, before)
            with ground.conn.transaction(force_rollback=True):
                _there_and_back(ground, plan, before)
            rows = execute.carry_out(ground, plan.steps)
            changes = list(before.changes(capture(ground.conn)))
            _require_as_planned(plan, changes)
            record.applied(ground, plan, changes, rows, actor)
        return Done(plan.digest, tuple(str(change.object) for change in changes), len(rows), already=False)

    return _patiently(attempt)


def undo(ground: Ground, repair_id: str, actor: str) -> Done:
    """Take a repair back: every object and row as it was. Raises RepairRefusedError where they moved since."""

    def attempt() -> Done:
        with _told_plainly(), ground.transaction():
            plan, state = record.find(ground, repair_id)
            if state != "APPLIED":
                return Done(plan.digest, (), 0, already=True)
            _require_same_database(ground, plan)
            objects = record.objects(ground, plan.digest)
            now = capture(ground.conn)
            moved = [str(was.object) for was in objects if now.objects.get(was.object) != was.after]
            if moved:
                raise RepairRefusedError(
                    f"Changed since the repair: {', '.join(moved)}.",
                    fix="Undoing would lose those changes: first bring back what the repair had made.",
                )
            rows = record.rows(ground, plan)
            before = _as_it_was(now, objects)
            # first: what the repair mended may be what the log needs
            record.announce_undo(ground, plan, rows)
            execute.take_back(ground, plan.steps, rows, before)
            wrong = _left(before, ground)
            if wrong:
                raise RepairError(f"The way back did not lead back for: {', '.join(wrong)}. Nothing was changed.")
            record.undone(ground, plan, actor)
        return Done(plan.digest, tuple(str(was.object) for was in objects), len(rows), already=False)

    return _patiently(attempt)


def _as_it_was(now: CatalogSnapshot, repaired: Sequence[Change]) -> CatalogSnapshot:
    """The catalog of now, with what the repair changed as it was before."""
    before = {**now.objects, **{change.object: change.before for change in repaired if change.before is not None}}
    gone = {change.object for change in repaired if change.before is None}
    return CatalogSnapshot({name: definition for name, definition in before.items() if name not in gone})


def _there_and_back(ground: Ground, plan: Plan, before: CatalogSnapshot) -> list[Change]:
    with _told_plainly():
        rows: list[RowDone] = execute.carry_out(ground, plan.steps)
        changes = list(before.changes(capture(ground.conn)))
        execute.take_back(ground, plan.steps, rows, before)
    left = _left(before, ground)
    if left:
        raise RepairError(f"The way back does not lead back for: {', '.join(left)}. Nothing was changed.")
    return changes


def _left(before: CatalogSnapshot, ground: Ground) -> list[str]:
    """What the way back did not make what it was. No index is made invalid again: nobody can, nobody would."""
    changes = before.changes(capture(ground.conn))
    return [str(change.object) for change in changes if not became_valid(change)]


@contextmanager
def _told_plainly() -> Iterator[None]:
    try:
        yield
    except errors.LockNotAvailable:
        raise
    except psycopg.Error as error:
        raise RepairError(
            f"The repair fails: {error.sqlstate} {error.diag.message_primary}. Nothing was changed.",
            fix="Look again at what is there, then make the plan again.",
            command="sitevault doctor",
        ) from error


def _require_same_database(ground: Ground, plan: Plan) -> None:
    here = ground.database_id()
    if here != plan.database:
        raise RepairRefusedError(
            f"The plan was made for {_called(plan.database)}; this is {_called(here)}.",
            fix="Make a plan for this one.",
            command="sitevault repair plan",
        )


def _called(database: DatabaseId) -> str:
    return f"the database {database.name} (oid {database.oid} of the server {database.system_identifier})"


def _require_unmoved(plan: Plan, now: CatalogSnapshot) -> None:
    moved = [
        f"{touched.kind} {touched.identity}"
        for touched in plan.objects
        if definition_digest(now.objects.get(Object(touched.kind, touched.identity))) != touched.digest
    ]
    if moved:
        raise RepairRefusedError(
            f"Changed since the plan was made: {', '.join(moved)}.",
            fix="Make the plan again.",
            command="sitevault repair plan",
        )


def _require_as_planned(plan: Plan, changes: Sequence[Change]) -> None:
    planned = {(touched.kind, touched.identity) for touched in plan.objects}
    found = {tuple(change.object) for change in changes}
    if planned != found:
        other = ", ".join(sorted(" ".join(name) for name in planned ^ found))
        raise RepairError(f"Other objects changed than were planned: {other}. Nothing was changed.")


def _patiently(attempt: Callable[[], Result]) -> Result:
    """A lock somebody holds is waited for briefly, several times, so that nobody queues behind us for long."""
    for left in range(ATTEMPTS - 1, -1, -1):
        try:
            return attempt()
        except errors.LockNotAvailable as error:
            if not left:
                raise RepairError(
                    f"Somebody held a lock each of {ATTEMPTS} times: {error.diag.message_primary}. "
                    "Nothing was changed.",
                    fix="See who, and try again when they are done.",
                    command="sitevault doctor --check catalog.sessions",
                ) from error
            time.sleep(PAUSE_SECONDS)
    raise AssertionError("unreachable")
