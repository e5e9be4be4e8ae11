"""Numbers that run out."""

from __future__ import annotations

from collections.abc import Iterator

from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.rows import Sequence
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.sequences"
WARN, PROBLEM = 0.75, 0.95
_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}


def _look(snapshot: Snapshot) -> Outcome:
    unreadable = [one.full_name for one in snapshot.sequences if not one.readable]
    findings = [finding for one in snapshot.sequences for finding in _used_up(snapshot, one)]
    if unreadable:
        findings.append(
            Finding(
                ID,
                Verdict.UNKNOWN,
                f"{len(unreadable)} sequences",
                f"{snapshot.server.user} may not see how far they are",
                tuple(Evidence(name, "no right to read it", sqlstate="42501") for name in unreadable),
            )
        )
    return Outcome("sequences", len(snapshot.sequences), tuple(findings), nothing_is_fine=True)


def _used_up(snapshot: Snapshot, one: Sequence) -> Iterator[Finding]:
    if one.last_value is None or one.cycle:
        return
    limit = min(one.max_value, _limit_of_column(snapshot, one.owned_by))
    start, end = (max(one.min_value, 0), limit) if one.increment > 0 else (one.max_value, one.min_value)
    used = (one.last_value - start) / (end - start) if end != start else 1.0
    if used < WARN:
        return
    yield Finding(
        ID,
        Verdict.PROBLEM if used >= PROBLEM else Verdict.WARNING,
        one.full_name,
        f"{used:.0%} of its numbers are used; when they are gone, every insert fails",
        (
            Evidence(
                one.full_name,
                f"gives numbers to {one.owned_by or 'somebody'}",
                counts={"last_value": one.last_value, "limit": end},
                sqlstate="2200H",
            ),
        ),
    )


def _limit_of_column(snapshot: Snapshot, owned_by: str | None) -> int:
    """A sequence of bigint that feeds a column of integer ends where the column does."""
    if owned_by is None:
        return _LARGEST["bigint"]
    schema, _, rest = owned_by.partition(".")
    relation, _, name = rest.partition(".")
    column = snapshot.columns_of.get((schema, relation), {}).get(name)
    return _LARGEST.get(column.type if column else "bigint", _LARGEST["bigint"])


CHECK = Check(
    id=ID,
    title="No sequence nears its end",
    why="A serial column of type integer ends at 2,147,483,647. The insert after that fails, and so does every "
    "one after it, until the column is rewritten.",
    looks_at=f"How far each sequence is, against its own limit and its column's type: {WARN:.0%} is a warning, "
    f"{PROBLEM:.0%} a problem. Sequences that cycle are left alone; one that may not be read is unknown.",
    mend="Change column and sequence to bigint while there is time.",
    look=_look,
)
