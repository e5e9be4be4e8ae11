"""Columns that are empty although the payloads have the value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.payloads import paths_of
from sitevault.doctor.sample import SampledEvent
from sitevault.doctor.snapshot import Snapshot
from sitevault.doctor.staged import STAGING, has_staging, read_nulls
from sitevault.staging.mapping import FIELDS

ID = "drift.null_columns"
LEAST = 3
CARRIED, EMPTY = 0.8, 0.95
_ALIKE = re.compile(r"[^a-z0-9]")
_OWN = {"tenant_hk", "processed_timestamp", "received_timestamp", "validation_status", "enrichment_status"}


def _look(snapshot: Snapshot) -> Outcome:
    if not snapshot.is_house and not has_staging(snapshot):
        notes = ("Staging does not say from which event a row was made.",)
        return Outcome("columns", 0, nothing_is_fine=True, notes=notes)
    columns = list(filled_from_payloads(snapshot))
    rows = snapshot.read(f"nulls of {STAGING[1]}", lambda: read_nulls(snapshot, columns)) if columns else []
    events = {event.id: event for event in snapshot.sample.events}
    staged = [(row, named(events[row["number"]])) for row in rows if row["number"] in events]
    findings = tuple(finding for column in columns for finding in _judge(column, staged))
    return Outcome("columns", len(columns), findings, nothing_is_fine=True, notes=(snapshot.sample.how,))


def filled_from_payloads(snapshot: Snapshot) -> Iterator[str]:
    """The columns that are filled from payloads: by the mapping in our house, by their names elsewhere."""
    for name, column in snapshot.columns_of[STAGING].items():
        if snapshot.is_house:
            mapped = FIELDS.get(name)
            if mapped is not None and not mapped.personal:
                yield name
        elif not column.not_null and name not in _OWN and name != snapshot.event_table.id:
            yield name


def named(event: SampledEvent) -> dict[str, str]:
    """The paths of a payload's plain values by the last of their keys, as names are compared."""
    return {
        alike(path.rpartition(".")[2]): path
        for path, kind in paths_of(event.payload)
        if kind not in ("null", "object", "array")
    }


@lru_cache(10_000)
def alike(name: str) -> str:
    """A name as names are compared."""
    return _ALIKE.sub("", name.lower())


def _judge(column: str, staged: Iterable[tuple[dict[str, bool], dict[str, str]]]) -> Iterator[Finding]:
    wanted = alike(column)
    carried = empty = total = 0
    places: dict[str, int] = {}
    for row, carried_by in staged:
        total += 1
        path = carried_by.get(wanted)
        if path is not None:
            carried += 1
            empty += row[column]
            places[path] = places.get(path, 0) + 1
    if carried >= LEAST and carried >= CARRIED * total and empty >= EMPTY * carried:
        yield Finding(
            ID,
            Verdict.PROBLEM,
            f"{'.'.join(STAGING)}.{column}",
            f"it is NULL in {say.share(empty, carried)} rows whose payload has the value",
            tuple(
                Evidence(path, f"in {say.share(count, total)} payloads", counts={"payloads": count})
                for path, count in sorted(places.items(), key=lambda item: -item[1])
            ),
        )


CHECK = Check(
    id=ID,
    title="What payloads carry arrives in its column",
    why="In the incident every event lost a fifth of its quality because session_id was looked for at the top "
    "level, and stood one level below. The official fix dropped browser, device and scroll depth, and no figure "
    "saw it.",
    looks_at="The sampled events that were staged: columns that are NULL although the payload has a key of that "
    f"name at any depth. Flagged where {CARRIED:.0%} of the payloads carry it and {EMPTY:.0%} of their rows are "
    f"NULL. Names are compared without case and underscores; a column under another name is not seen.",
    mend="Let the mapping, or the function, read the path that is named; then replay.",
    look=_look,
)
