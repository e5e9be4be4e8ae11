"""Indexes that nobody needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.rows import Index
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.idle_indexes"
LEAST_BYTES = 8 << 20
LEAST_DAYS = 7


def _look(snapshot: Snapshot) -> Outcome:
    server = snapshot.server
    counted_for = server.now - server.counted_since
    notes: tuple[str, ...] = ()
    findings = [*_twins(snapshot.indexes)]
    if counted_for >= timedelta(days=LEAST_DAYS):
        findings += [_unused(one, counted_for) for one in snapshot.indexes if _is_unused(one)]
    else:
        notes = ("The server counts their use for less than a week: what is unused cannot be told yet.",)
    return Outcome("indexes", len(snapshot.indexes), tuple(findings), nothing_is_fine=True, notes=notes)


def _is_unused(index: Index) -> bool:
    needed = index.unique or index.primary or index.constraint or index.is_partition or not index.valid
    return not needed and index.scans == 0 and index.bytes >= LEAST_BYTES


def _unused(index: Index, counted_for: timedelta) -> Finding:
    return Finding(
        ID,
        Verdict.WARNING,
        index.full_name,
        f"no query used this index in {counted_for.days} days, and every write to {index.schema}.{index.relation} "
        "maintains it",
        (Evidence(index.full_name, index.definition, counts={"bytes": index.bytes, "scans": index.scans}),),
    )


def _twins(indexes: list[Index]) -> Iterator[Finding]:
    alike: dict[tuple[str, str, str], list[Index]] = defaultdict(list)
    for one in indexes:
        if one.valid and not one.is_partition:
            alike[one.schema, one.relation, one.definition.partition(" USING ")[2]].append(one)
    for (schema, relation, _), found in alike.items():
        spare = [one for one in found if not (one.primary or one.constraint or one.unique)]
        if len(found) > 1 and spare:
            yield Finding(
                ID,
                Verdict.WARNING,
                spare[-1].full_name,
                f"{len(found)} indexes of {schema}.{relation} are the same: each write maintains them all",
                tuple(Evidence(one.full_name, one.definition, counts={"bytes": one.bytes}) for one in found),
            )


CHECK = Check(
    id=ID,
    title="Every index is used",
    why="Each index is written with every row. One that serves no query costs disk, cache and write-ahead log.",
    looks_at=f"Indexes of {LEAST_BYTES >> 20} MiB and more without a scan since the statistics were reset, if "
    f"that is at least {LEAST_DAYS} days ago; and indexes that are the same but for their names. Unique indexes "
    f"and those of constraints and partitions are left alone. Use on a replica is not seen.",
    mend="DROP INDEX CONCURRENTLY, once you know that no replica and no yearly report needs it.",
    look=_look,
)
