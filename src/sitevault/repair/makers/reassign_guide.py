"""Events of a foreign database under another tenant than their key's owner, given to it wherever they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import psycopg
from psycopg import sql

from sitevault.repair.ground import SQL
from sitevault.repair.makers.case import MOST, Case, NotMended
from sitevault.repair.model import Action, RowChange, Step


class Misplaced(NamedTuple):
    """An event and the tenant it belongs to; tenants as 64 hex digits."""

    tenant: str
    rightful: str
    raw_event_id: str


def make(case: Case) -> Iterable[Action | NotMended]:
    """An action per pair of tenants that keys show, then one per decision of a person."""
    try:
        found = [
            Misplaced(*row) for row in case.ground.all(SQL.contradicted_events_of_the_guide, {"most": MOST + 1})
        ]
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        yield NotMended("tenants", "No API key is recorded with the events, so nothing proves whose they are.")
        found = []
    if len(found) > MOST:
        yield NotMended("more events", f"A plan moves {MOST} at most; make another once this one is applied.")
    pairs: dict[tuple[str, str], list[Misplaced]] = defaultdict(list)
    for event in found[:MOST]:
        if int(event.raw_event_id) not in case.assign:
            pairs[event.tenant, event.rightful].append(event)
    for events in pairs.values():
        yield _action(case, events, "The owner of the key an event came with is its tenant.")
    yield from _assigned(case)


def _assigned(case: Case) -> Iterator[Action | NotMended]:
    for number, tenant in sorted(case.assign.items()):
        row = case.ground.one(SQL.assigned_events, {"raw_event_id": number, "tenant": tenant})
        if row is None:
            yield NotMended(
                f"event {number}", f"It is not there, is {tenant}'s already, or there is no such tenant."
            )
        else:
            yield _action(case, [Misplaced(*row)], f"Assigned by hand: {case.reason}")


def _action(case: Case, events: list[Misplaced], reason: str) -> Action:
    tables = case.ground.all(SQL.tables_of_events)
    numbered = [(schema, name) for schema, name, has_number in tables if has_number]
    others = [f"{schema}.{name}" for schema, name, has_number in tables if not has_number]
    first = events[0]
    return Action(
        check=case.check,
        subject=f"{len(events)} events under tenant {first.tenant[:12]} that are tenant {first.rightful[:12]}'s",
        reason=reason,
        steps=tuple(step for event in events for step in _steps(case, event, numbered)),
        leaves=(
            (f"what these tables made of it, which do not say from which event: {', '.join(others)}",)
            if others
            else ()
        ),
    )


def _steps(case: Case, event: Misplaced, tables: list[tuple[str, str]]) -> Iterator[Step]:
    key = {"raw_event_id": event.raw_event_id, "tenant_hk": rf"\x{event.tenant}"}
    for table in tables:
        count = case.ground.one(
            sql.SQL(SQL.rows_of_event).format(table=sql.Identifier(*table)),
            {"raw_event_id": event.raw_event_id, "tenant": event.tenant},
        )
        if count == (1,):
            yield RowChange(table, key, {"tenant_hk": rf"\x{event.rightful}"})
