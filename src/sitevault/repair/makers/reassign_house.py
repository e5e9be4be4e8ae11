"""Sitevault's own events under another tenant than their key's owner: moved whole, and loaded anew.

A landed event's id, staging rows and vault rows all hang on its tenant, so none of them is edited: the landing row
is given to its owner, what was made of it under the other tenant is taken away, and it is queued like a failed
event that was requeued.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row, tuple_row

from sitevault.landing.identity import identity_of
from sitevault.reasons import Reason
from sitevault.repair.ground import SQL
from sitevault.repair.makers.case import MOST, Case, NotMended
from sitevault.repair.model import Action, RowChange, RowInsert, Statement, Step

_LANDED = ("raw", "landed_event")
_BATCH = ("raw", "batch")
_LETTER = ("raw", "dead_letter")
_STAGED = ("staging", "site_tracking_events_s")
_EVENT = ("business", "site_event_nl")
_PERSONAL = ("business", "site_event_pii_ns")
_DUPLICATE = ("business", "site_event_duplicate")


class Contradicted(NamedTuple):
    """A landed event whose key is another tenant's (`rightful`); tenants as 64 hex digits."""

    tenant: str
    rightful: str
    raw_event_id: int
    batch_id: int
    event_id: str
    received_timestamp: datetime
    received_text: str
    payload: str
    batch_state: str | None
    ledger_day: str | None
    letter: str | None
    event_day: str | None
    is_duplicate: bool
    staged: list[dict[str, str]]

    @property
    def outcome(self) -> str | None:
        """Which count of the ledger holds it; None while it has none, or failed."""
        if self.event_day is not None:
            return "vaulted"
        if self.is_duplicate:
            return "duplicate"
        return "invalid" if any(one["status"] == "INVALID" for one in self.staged) else None


def make(case: Case) -> Iterable[Action | NotMended]:
    """An action per pair of tenants."""
    with case.reader.cursor(row_factory=class_row(Contradicted)) as cursor:
        found = cursor.execute(
            SQL.contradicted_events, {"since": case.now - case.since, "most": MOST + 1}
        ).fetchall()
    pairs: dict[tuple[str, str], list[Contradicted]] = defaultdict(list)
    for event in found[:MOST]:
        pairs[event.tenant, event.rightful].append(event)
    manifests = _manifests(case, {event.batch_id for event in found})
    for (tenant, rightful), events in pairs.items():
        vaulted = sum(event.event_day is not None for event in events)
        yield Action(
            check=case.check,
            subject=f"{len(events)} events under tenant {tenant[:12]}, whose keys are tenant {rightful[:12]}'s",
            reason="The owner of the key an event came with is its tenant.",
            steps=tuple(_steps(case, events, manifests)),
            leaves=(f"the marts of tenant {tenant[:12]}, which counted {vaulted} of them",) if vaulted else (),
        )
    if len(found) > MOST:
        yield NotMended("more events", f"A plan moves {MOST} at most; make another once this one is applied.")


def _manifests(case: Case, batch_ids: set[int]) -> dict[int, dict[str, int]]:
    with case.reader.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(SQL.manifests, {"batch_ids": sorted(batch_ids)}).fetchall()
    return {batch_id: dict(zip(tenants, counts, strict=True)) for batch_id, tenants, counts in rows}


def _steps(case: Case, events: list[Contradicted], manifests: Mapping[int, dict[str, int]]) -> Iterator[Step]:
    for event in events:
        yield from _event(case, event)
    for batch_id in sorted({event.batch_id for event in events} & manifests.keys()):
        yield _manifest(batch_id, [event for event in events if event.batch_id == batch_id], manifests[batch_id])
    yield from _ledger(events)
    yield Statement("SELECT pg_catalog.pg_notify('sitevault_landed', '')", "SELECT 1")


def _event(case: Case, event: Contradicted) -> Iterator[Step]:
    new_id = _new_id(case, event)
    number = {"raw_event_id": str(event.raw_event_id)}
    own = {"tenant_hk": rf"\x{event.tenant}"}
    theirs: dict[str, str | None] = {"tenant_hk": rf"\x{event.rightful}", "event_id": new_id}
    yield RowChange(
        _LANDED, own | number | {"received_timestamp": event.received_text}, theirs, event.tenant, event.rightful
    )
    for staged in event.staged:
        key = own | number | {"batch_id": str(event.batch_id), "load_id": staged["load_id"]}
        yield RowChange(_STAGED, key, None, event.tenant)
    if event.event_day is not None:
        key = own | {"event_id": event.event_id, "event_day": event.event_day}
        yield RowChange(_EVENT, key, None, event.tenant)
        yield RowChange(_PERSONAL, key, None, event.tenant)
    if event.is_duplicate:
        yield RowChange(_DUPLICATE, own | number, None, event.tenant)
    now = case.now.isoformat()
    if event.letter is not None:
        requeued = theirs | {"status": "PENDING", "requeued_at": now, "resolved_at": None}
        yield RowChange(_LETTER, own | number, requeued, event.tenant, event.rightful)
    elif event.batch_state == "PROCESSED":
        letter: dict[str, str | None] = {
            **theirs,
            **number,
            "batch_id": str(event.batch_id),
            "received_timestamp": event.received_text,
            "status": "PENDING",
            "reason_code": Reason.KEY_NOT_OF_TENANT.value,
            "message": "given to the tenant whose key it came with",
            "attempts": "0",
            "first_failed_at": now,
            "last_failed_at": now,
            "requeued_at": now,
        }
        yield RowInsert(_LETTER, letter, ("tenant_hk", "raw_event_id"), event.rightful)


def _new_id(case: Case, event: Contradicted) -> str:
    """The id it would have had under its rightful tenant; one that was random stays."""
    body, received = event.payload.encode(), event.received_timestamp

    def under(tenant: str) -> UUID:
        return identity_of(body, bytes.fromhex(tenant), received, case.late_days)

    return str(under(event.rightful)) if str(under(event.tenant)) == event.event_id else event.event_id


def _manifest(batch_id: int, moved: list[Contradicted], manifest: dict[str, int]) -> RowChange:
    """`manifest` is changed too: another pair of tenants may move events of the same batch."""
    tenant, rightful = moved[0].tenant, moved[0].rightful
    manifest[tenant] -= len(moved)
    manifest[rightful] = manifest.get(rightful, 0) + len(moved)
    if not manifest[tenant]:
        del manifest[tenant]
    counted = {
        "tenant_hks": "{" + ",".join(rf'"\\x{one}"' for one in manifest) + "}",
        "tenant_events": "{" + ",".join(map(str, manifest.values())) + "}",
    }
    return RowChange(_BATCH, {"batch_id": str(batch_id)}, dict(counted), tenant, rightful)


def _ledger(events: list[Contradicted]) -> Iterator[Step]:
    """The account of what was carried through: off the one tenant's, onto the other's; loading adds the rest."""
    days: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for event in events:
        if event.batch_state == "PROCESSED" and event.ledger_day is not None:
            days[event.ledger_day]["landed"] += 1
            if event.outcome is not None:
                days[event.ledger_day][event.outcome] += 1
    tenant, rightful = events[0].tenant, events[0].rightful
    for day, counts in sorted(days.items()):
        yield Statement(_add(tenant, day, counts, -1), _add(tenant, day, counts, 1), tenant)
        landed = {"landed": counts["landed"]}
        yield Statement(_open(rightful, day), "SELECT 1", rightful)
        yield Statement(_add(rightful, day, landed, 1), _add(rightful, day, landed, -1), rightful)


def _add(tenant: str, day: str, counts: Mapping[str, int], sign: int) -> str:
    changes = sql.SQL(", ").join(
        sql.SQL("{0} = {0} + {1}").format(sql.Identifier(name), sql.Literal(sign * count))
        for name, count in counts.items()
    )
    return _text(
        sql.SQL("UPDATE ops.ledger_d SET {} WHERE tenant_hk = {} AND day = {}").format(
            changes, sql.Literal(rf"\x{tenant}"), sql.Literal(day)
        )
    )


def _open(tenant: str, day: str) -> str:
    return _text(
        sql.SQL(
            "INSERT INTO ops.ledger_d (tenant_hk, day, landed, vaulted, duplicate, invalid) "
            "VALUES ({}, {}, 0, 0, 0, 0) ON CONFLICT DO NOTHING"
        ).format(sql.Literal(rf"\x{tenant}"), sql.Literal(day))
    )


def _text(statement: Any) -> str:
    return str(statement.as_string(None))
