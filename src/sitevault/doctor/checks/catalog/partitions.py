"""Partitions ahead of the clock, and nothing beside them."""

from __future__ import annotations

from collections.abc import Iterator

from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot
from sitevault.observe.health import DAYS_AHEAD

ID = "catalog.partitions"


def _look(snapshot: Snapshot) -> Outcome:
    parents = [one for one in snapshot.relations if one.kind == "p"]
    findings = (*_ahead(snapshot), *_beside(snapshot))
    return Outcome("partitioned tables", len(parents), findings, nothing_is_fine=True)


def _ahead(snapshot: Snapshot) -> Iterator[Finding]:
    if not snapshot.is_house:
        return
    for one in snapshot.partitions:
        if one.days_ahead < DAYS_AHEAD:
            yield Finding(
                ID,
                Verdict.WARNING if one.days_ahead else Verdict.PROBLEM,
                one.table,
                f"there are partitions for {one.days_ahead} days from today only; what comes after falls into the "
                "default partition",
                (Evidence(one.table, "days ahead without a gap", counts={"days": one.days_ahead}),),
                repair=f"sitevault repair plan {ID}",
            )


def _beside(snapshot: Snapshot) -> Iterator[Finding]:
    for one in snapshot.relations:
        if one.is_partition and one.bound == "DEFAULT" and one.kind == "r" and one.bytes > 0:
            yield Finding(
                ID,
                Verdict.WARNING,
                one.full_name,
                f"rows of {one.parent} fell into its default partition: a partition for their days cannot be made "
                "while they are there, and each new one reads them all",
                (Evidence(one.full_name, "holds rows", counts={"bytes": one.bytes}),),
                repair=f"sitevault repair plan {ID}",
            )


CHECK = Check(
    id=ID,
    title="Partitions are ahead of the clock, and hold every row",
    why="Where tomorrow has no partition, tomorrow's rows go to the default partition, or are refused where there "
    "is none. Retention then misses them, and making the partition afterwards locks the table.",
    looks_at=f"In our house, the days from today that have a partition: fewer than {DAYS_AHEAD} is flagged (a "
    f"worker keeps a week). In any database, default partitions that take room on disk.",
    mend="Start a worker, which makes them and brings stray rows in.",
    look=_look,
)
