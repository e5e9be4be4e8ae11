"""F4: a function refers to a table, a column or a function that is not there."""

from __future__ import annotations

from sitevault.doctor.checks.functions.spots import Spot, outcome, run_time
from sitevault.doctor.code.library import Code, library
from sitevault.doctor.code.objects import Missing, objects
from sitevault.doctor.model import Check, Evidence, Outcome
from sitevault.doctor.snapshot import Snapshot


def look(snapshot: Snapshot) -> Outcome:
    """References that lead nowhere."""
    known = library(snapshot)
    there = objects(snapshot, known)
    spots = [_spot(code, one) for code in known for one in sorted(set(there.missing(code)))]
    return outcome(CHECK.id, known, spots, run_time(known))


def _spot(code: Code, one: Missing) -> Spot:
    elsewhere = tuple(Evidence(name, "has one of that name") for name in one.elsewhere)
    return Spot(
        code,
        one.line,
        f"line {one.line}: {one.says}"
        + (f"; {', '.join(one.elsewhere)} has one of that name" if one.elsewhere else "")
        + f": it fails with {one.sqlstate} when it gets there",
        one.says,
        sqlstate=one.sqlstate,
        more=elsewhere,
    )


CHECK = Check(
    id="functions.missing_object",
    alias="F4",
    title="Functions refer to what is there",
    why=(
        "PostgreSQL does not look into a PL/pgSQL body until it runs: UPDATE raw.… SET processed_timestamp = … is "
        "deployed without a word, and fails with 42703 at the first event that gets so far."
    ),
    looks_at=(
        "Every function that is called, by name and number of arguments; every table that is named; every column "
        "that is written, or read by its table's name or alias, or bare in a statement with one table; NEW and "
        "OLD "
        "in triggers. A bare name may be meant for any schema, since the caller's search_path is not known. It "
        "does "
        "not see types of arguments, fields of records, or what is built at run time, which is unknown."
    ),
    mend="Name what is there, or make what is missing, if it is meant to be.",
    look=look,
)
