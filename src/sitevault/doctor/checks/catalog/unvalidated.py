"""Constraints that promise nothing of the rows that are there."""

from __future__ import annotations

from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.unvalidated"


def _look(snapshot: Snapshot) -> Outcome:
    asked = [one for one in snapshot.constraints if one.enforced]
    findings = tuple(
        Finding(
            ID,
            Verdict.WARNING,
            one.full_name,
            "the constraint was added NOT VALID: it binds new rows, and says nothing of the old ones",
            (Evidence(one.full_name, one.definition),),
            repair=f"sitevault repair plan {ID}",
        )
        for one in asked
        if not one.validated and not one.is_inherited
    )
    return Outcome("constraints", len(asked), findings, nothing_is_fine=True)


CHECK = Check(
    id=ID,
    title="Every constraint holds for every row",
    why="A constraint that is NOT VALID looks like one that holds. Rows from before it may break it, and the "
    "planner and the next migration believe what they read.",
    looks_at="pg_constraint.convalidated. Constraints declared NOT ENFORCED are left alone: those say themselves "
    "that they are for readers.",
    mend="ALTER TABLE ... VALIDATE CONSTRAINT, which locks nobody out; mend the rows it names first.",
    look=_look,
)
