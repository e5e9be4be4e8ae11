"""Failed events, sent through again: in the house as dead letters, in a foreign database by their status."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg.rows import tuple_row

from sitevault.repair.ground import SQL
from sitevault.repair.makers.case import MOST, Case, NotMended
from sitevault.repair.model import Action, RowChange, Statement, Step

_LETTER = ("raw", "dead_letter")
_RAW = ("raw", "site_tracking_events_r")


def make(case: Case) -> Iterable[Action | NotMended]:
    """One action for all of them: each row of the plan is one event."""
    query = SQL.failed_events if case.ground.house else SQL.failed_events_of_the_guide
    with case.reader.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(query, {"most": MOST + 1}).fetchall()
    if not found:
        return
    steps: list[Step] = []
    for tenant, raw_event_id, _ in found[:MOST]:
        if case.ground.house:
            steps.append(
                RowChange(
                    _LETTER,
                    {"tenant_hk": rf"\x{tenant}", "raw_event_id": str(raw_event_id), "status": "ERROR"},
                    {"status": "PENDING", "requeued_at": case.now.isoformat()},
                    tenant,
                )
            )
        else:
            steps.append(
                RowChange(
                    _RAW,
                    {"raw_event_id": str(raw_event_id), "processing_status": "ERROR"},
                    {"processing_status": "PENDING", "error_message": None},
                )
            )
    if case.ground.house:
        steps.append(Statement("SELECT pg_catalog.pg_notify('sitevault_landed', '')", "SELECT 1"))
    reasons = sorted({str(reason) for _, _, reason in found if reason})
    yield Action(
        check=case.check,
        subject=f"{min(len(found), MOST)} events in ERROR",
        reason="They are queued again; one whose cause is not mended fails again, with its reason.",
        steps=tuple(steps),
        shows=tuple(f"reason: {reason}" for reason in reasons[:20]) if case.ground.house else (),
    )
    if len(found) > MOST:
        yield NotMended("more failed events", f"A plan requeues {MOST} at most; use `sitevault replay` for more.")
