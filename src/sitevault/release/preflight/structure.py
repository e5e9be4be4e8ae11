"""Are the tables what the functions take them for?"""

from __future__ import annotations

from sitevault.db import queries
from sitevault.release.preflight.model import Found, Item, Look, blocked, ok, warning

SQL = queries.load("release_preflight")

MISSING = "functions.missing_object"

NEEDED = {
    "raw.site_tracking_events_r": {"raw_event_id", "tenant_hk", "processing_status", "error_message"},
    "staging.site_tracking_events_s": {"raw_event_id", "tenant_hk", "event_type", "validation_status"},
}
"""Without these, events cannot be followed from one table to the other."""
UNEXPECTED = {"raw.site_tracking_events_r": {"processed_timestamp"}}
"""Staging says when an event was processed; a fix that expected it here was mended in one database by adding "
"it."""


def _look(look: Look) -> Found:
    columns: dict[str, set[str]] = {}
    for relation, column in look.rows(SQL.columns_of_events, {"relations": list(NEEDED)}):
        columns.setdefault(relation, set()).add(column)
    missing = [
        f"{relation}.{name}"
        for relation, names in NEEDED.items()
        for name in sorted(names - columns.get(relation, set()))
    ]
    if missing:
        return blocked(
            f"missing: {', '.join(missing)}", "It is no database of this shape, or a migration did not run."
        )
    tried = look.tried
    touched = {change.object.identity.partition("(")[0] for change in tried.changes}
    lacking = [
        fault
        for fault in sorted(look.faults)
        if fault.check == MISSING and fault.subject.partition("(")[0] in touched
    ]
    if lacking:
        return blocked(
            "; ".join(fault.shown for fault in lacking), "Bring the column in the same release, or leave it out."
        )
    extra = [
        f"{relation}.{name}"
        for relation, names in UNEXPECTED.items()
        for name in sorted(names & columns.get(relation, set()))
    ]
    if extra:
        return warning(
            f"nobody expects {', '.join(extra)}",
            "Find out who added it, and why: the other environments have none.",
        )
    return ok("every table and column that the changed functions name is there")


ITEM = Item(
    "structure",
    "The tables have the columns that the functions name, and no surprising ones",
    "The columns by which events are followed; after the trial, every table and column that a changed "
    "function names. "
    "Blocked: one is missing. Warning: a column that other environments do not have, such as "
    "`raw.site_tracking_events_r.processed_timestamp`.",
    _look,
)
