"""The record of repairs: in the house in schema ops, in a foreign database in a schema of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from sitevault.db.catalog import Change, Object
from sitevault.hashkeys import GHOST
from sitevault.repair.execute import RowDone
from sitevault.repair.ground import SQL, Ground
from sitevault.repair.model import Plan, RepairRefusedError, RowChange, RowInsert
from sitevault.tenancy import audit_log
from sitevault.tenancy.audit_log import Action

NOBODY = GHOST.hex()


class Entry(NamedTuple):
    """One repair that was carried out."""

    repair_id: str
    state: str
    plan: Plan
    applied_at: datetime
    applied_by: str
    undone_at: datetime | None


def entries(ground: Ground) -> list[Entry]:
    """Every repair of this database, the newest first."""
    if not ground.has_record():
        return []
    return [_entry(row) for row in ground.all(ground.record(SQL.list_repairs))]


def state(ground: Ground, repair_id: str) -> str | None:
    """APPLIED or UNDONE; None for one that was never carried out."""
    if not ground.has_record():
        return None
    row = ground.one(ground.record(SQL.find_repair), {"repair_id": repair_id})
    return str(row[1]) if row else None


def find(ground: Ground, repair_id: str) -> tuple[Plan, str]:
    """The plan of a repair and its state. Raises RepairRefusedError where the id names none, or several."""
    found = ground.all(ground.record(SQL.find_repair), {"repair_id": repair_id}) if ground.has_record() else []
    if len(found) != 1:
        raise RepairRefusedError(
            f"{'Several repairs begin' if found else 'No repair begins'} with {repair_id!r}.",
            fix="See which there are.",
            command="sitevault repair list",
        )
    entry = _entry(found[0])
    return entry.plan, entry.state


def objects(ground: Ground, repair_id: str) -> list[Change]:
    """Every object as it was before and after a repair."""
    return [
        Change(Object(kind, identity), before, after)
        for kind, identity, before, after in ground.all(
            ground.record(SQL.recorded_objects), {"repair_id": repair_id}
        )
    ]


def rows(ground: Ground, plan: Plan) -> list[RowDone]:
    """Every row as it was before and after; a step's rows in the order in which they were changed."""
    found: list[RowDone] = []
    for tenant in _tenants(plan):
        ground.within(tenant)
        for of, place, _, before, after in ground.all(
            ground.record(SQL.recorded_rows), {"repair_id": plan.digest}
        ):
            step = plan.steps[place // 2]
            if not isinstance(step, RowChange | RowInsert):
                raise RepairRefusedError(f"The record of repair {plan.digest[:12]} does not fit its plan.")
            whose = None if of == NOBODY else of
            found.append(RowDone(place, step.relation, tuple(step.key), whose, _loads(before), _loads(after)))
        if not ground.house:
            break
    ground.within(None)
    return [row._replace(step=row.step // 2) for row in sorted(found, key=lambda row: row.step)]


def applied(ground: Ground, plan: Plan, changes: Sequence[Change], done: Sequence[RowDone], actor: str) -> None:
    """Remember all of it, in the transaction of the repair itself."""
    if not ground.has_record():
        ground.conn.execute(SQL.make_record)
    key = {"repair_id": plan.digest}
    ground.conn.execute(
        ground.record(SQL.record_repair), key | {"plan": msgspec.json.encode(plan).decode(), "actor": actor}
    )
    for change in changes:
        ground.conn.execute(
            ground.record(SQL.record_object),
            key | {**change.object._asdict(), **_sides(change.before, change.after)},
        )
    places: dict[int, int] = {}
    for row in done:
        place = places[row.step] = places.get(row.step, 2 * row.step - 1) + 1
        ground.within(row.tenant or NOBODY)
        ground.conn.execute(
            ground.record(SQL.record_row),
            key
            | {
                "tenant": row.tenant or NOBODY,
                "place": place,
                "relation": ".".join(row.relation),
                **_sides(_dumps(row.before), _dumps(row.after)),
            },
        )
    _audit(ground, plan, Action.REPAIR_APPLY, done)


def undone(ground: Ground, plan: Plan, actor: str) -> None:
    """Remember that a repair was taken back; what it had remembered of rows and objects is no longer needed."""
    key = {"repair_id": plan.digest}
    ground.conn.execute(ground.record(SQL.record_undo), key | {"actor": actor})
    ground.conn.execute(ground.record(SQL.forget_objects), key)
    for tenant in _tenants(plan):
        ground.within(tenant)
        ground.conn.execute(ground.record(SQL.forget_rows), key)
    ground.within(None)
    if not ground.house and ground.one(ground.record(SQL.in_force)) == (0,):
        ground.conn.execute(SQL.drop_record)


def announce_undo(ground: Ground, plan: Plan, done: Sequence[RowDone]) -> None:
    """Enter into the audit log that a repair is taken back."""
    _audit(ground, plan, Action.REPAIR_UNDO, done)


def _audit(ground: Ground, plan: Plan, action: Action, done: Sequence[RowDone]) -> None:
    """An entry in the chain of every tenant whose rows were touched, and in the house's."""
    if not ground.house:
        return
    counts = {tenant: sum(row.tenant == tenant for row in done) for tenant in {row.tenant for row in done}}
    details: dict[str, audit_log.Json] = {
        "repair_id": plan.digest,
        "checks": list[audit_log.Json](sorted({one.check for one in plan.actions})),
    }
    for tenant, count in sorted((tenant, count) for tenant, count in counts.items() if tenant):
        ground.within(tenant)
        audit_log.record(ground.conn, bytes.fromhex(tenant), action, details | {"rows": count})
    ground.within(audit_log.HOUSE.hex())
    audit_log.record(ground.conn, audit_log.HOUSE, action, details | {"rows": len(done)})
    ground.within(None)


def _tenants(plan: Plan) -> list[str]:
    """Whose rows the plan touches, in a fixed order."""
    touched = {
        tenant
        for step in plan.steps
        if isinstance(step, RowChange | RowInsert)
        for tenant in (step.tenant, step.to_tenant if isinstance(step, RowChange) else None)
    }
    return sorted(tenant or NOBODY for tenant in touched)


def _sides(before: str | None, after: str | None) -> dict[str, str | None]:
    return {"before": before, "after": after}


def _dumps(image: object) -> str | None:
    return None if image is None else json.dumps(image)


def _loads(text: str | None) -> dict[str, str | None] | None:
    return None if text is None else json.loads(text)


def _entry(row: tuple[object, ...]) -> Entry:
    repair_id, state, plan, *rest = row
    return Entry(str(repair_id), str(state), msgspec.json.decode(str(plan), type=Plan), *rest)  # type: ignore[arg-type]
