"""Indexes that cost writes and serve no query."""

from __future__ import annotations

from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.rows import Index
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.invalid_indexes"


def _look(snapshot: Snapshot) -> Outcome:
    found = [one for one in snapshot.indexes if not (one.valid and one.ready and one.live)]
    return Outcome("indexes", len(snapshot.indexes), tuple(_finding(one) for one in found), nothing_is_fine=True)


def _finding(index: Index) -> Finding:
    effect = "it enforces nothing it promises" if index.unique else "no query uses it"
    return Finding(
        ID,
        Verdict.PROBLEM,
        index.full_name,
        f"the index on {index.schema}.{index.relation} is not valid: {effect}, and every write pays for it",
        (Evidence(index.full_name, index.definition, counts={"bytes": index.bytes}),),
        repair=f"sitevault repair plan {ID}",
    )


CHECK = Check(
    id=ID,
    title="Every index is valid",
    why="A CREATE INDEX CONCURRENTLY that failed leaves an index behind that no query uses and every write "
    "maintains; a unique one forbids new duplicates and says nothing of those that are there.",
    looks_at="pg_index: indisvalid, indisready and indislive of every index. An index that is being built right "
    "now looks the same as one whose building failed.",
    mend="Drop it and build it again, or REINDEX INDEX CONCURRENTLY.",
    look=_look,
)
