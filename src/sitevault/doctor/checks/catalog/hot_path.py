"""The indexes that the queue cannot do without."""

from __future__ import annotations

from collections.abc import Iterator

from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.hot_path"
LEAST_BYTES = 4 << 20
"""Below this, reading the whole table is as good."""


def _look(snapshot: Snapshot) -> Outcome:
    needed = list(_needed(snapshot))
    findings = tuple(
        _finding(snapshot, schema, table, column, what)
        for schema, table, column, what in needed
        if _bytes(snapshot, schema, table) >= LEAST_BYTES and not _led_by(snapshot, schema, table, column)
    )
    return Outcome("access paths", len(needed), findings)


def _needed(snapshot: Snapshot) -> Iterator[tuple[str, str, str, str]]:
    if snapshot.is_house:
        yield "raw", "landed_event", "batch_id", "reads the events of a claimed batch"
        yield "raw", "landed_event", "event_id", "finds an event by its id"
        yield "raw", "batch", "batch_id", "claims the next batch"
        yield "staging", "site_tracking_events_s", "batch_id", "finds what staging made of a batch"
        return
    table = snapshot.event_table
    yield table.schema, table.name, table.id, "finds an event by its number"
    if table.status:
        yield table.schema, table.name, table.status, "finds the events that wait"
    staged = snapshot.columns_of.get(("staging", "site_tracking_events_s"), {})
    if table.id in staged:
        yield "staging", "site_tracking_events_s", table.id, "finds what staging made of an event"


def _bytes(snapshot: Snapshot, schema: str, table: str) -> int:
    name = f"{schema}.{table}"
    return sum(one.bytes for one in snapshot.relations if name in (one.full_name, one.parent))


def _led_by(snapshot: Snapshot, schema: str, table: str, column: str) -> bool:
    return any(
        (one.schema, one.relation) == (schema, table)
        and one.valid
        and (one.columns[0] == column or (one.predicate is not None and column in one.predicate))
        for one in snapshot.indexes
    )


def _finding(snapshot: Snapshot, schema: str, table: str, column: str, what: str) -> Finding:
    size = _bytes(snapshot, schema, table)
    return Finding(
        ID,
        Verdict.WARNING,
        f"{schema}.{table}",
        f"no valid index begins with {column}, which {what}: each time the whole table is read",
        (Evidence(f"{schema}.{table}", f"no index on {column}", counts={"bytes": size}),),
        repair=f"sitevault repair plan {ID}",
    )


CHECK = Check(
    id=ID,
    title="The queue finds its events by index",
    why="A queue that reads the whole table to find the next event gets slower with every event it has done.",
    looks_at="Whether a valid index leads with the columns by which events are claimed, found and joined, or is "
    f"partial on them, where the table has at least {LEAST_BYTES >> 20} MiB.",
    mend="CREATE INDEX CONCURRENTLY on the column that is named.",
    look=_look,
)
