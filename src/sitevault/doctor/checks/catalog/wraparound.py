"""Transaction ids that are used up faster than vacuum gives them back."""

from __future__ import annotations

from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.wraparound"
STOPS_AT = 2_000_000_000
PROBLEM_AT = 1_000_000_000
LATE = 1.25


def _look(snapshot: Snapshot) -> Outcome:
    late = [one for one in snapshot.table_use if one.transaction_age > LATE * one.freeze_max_age]
    findings = [
        Finding(
            ID,
            Verdict.PROBLEM if one.transaction_age > PROBLEM_AT else Verdict.WARNING,
            one.full_name,
            f"its oldest row is {one.transaction_age:,} transactions old; vacuum should have frozen it after "
            f"{one.freeze_max_age:,}, and at {STOPS_AT:,} the server stops taking writes",
            (Evidence(one.full_name, "age of relfrozenxid", counts={"transactions": one.transaction_age}),),
            repair=f'psql -c "VACUUM (FREEZE) {one.full_name}"',
        )
        for one in late
    ]
    age = snapshot.server.multixact_age
    allowed = int(snapshot.server.settings.get("autovacuum_multixact_freeze_max_age", "400000000"))
    if age > LATE * allowed:
        findings.append(
            Finding(
                ID,
                Verdict.PROBLEM if age > PROBLEM_AT else Verdict.WARNING,
                f"database {snapshot.server.database}",
                f"its oldest multixact is {age:,} old; vacuum should have frozen it after {allowed:,}",
                (Evidence("pg_database.datminmxid", "age", counts={"multixacts": age}),),
            )
        )
    return Outcome("tables", len(snapshot.table_use), tuple(findings), nothing_is_fine=True)


CHECK = Check(
    id=ID,
    title="Transaction ids do not run out",
    why="PostgreSQL counts transactions in 32 bits. A table that vacuum cannot freeze, because a transaction or a "
    "replication slot holds it back, ends with a server that refuses every write.",
    looks_at="age(relfrozenxid) of every table and the database's multixact age, against "
    f"autovacuum_freeze_max_age: beyond {LATE} times of it vacuum is not keeping up.",
    mend="Find what holds vacuum back (catalog.transactions, prepared transactions, replication slots), then "
    "VACUUM (FREEZE).",
    look=_look,
)
