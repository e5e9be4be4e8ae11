"""Tables with more dead rows than vacuum takes away."""

from __future__ import annotations

from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.rows import TableUse
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.bloat"
LEAST_DEAD = 20_000
SHARE = 0.4


def _look(snapshot: Snapshot) -> Outcome:
    findings = tuple(_finding(one) for one in snapshot.table_use if _bloated(one))
    return Outcome("tables", len(snapshot.table_use), findings, nothing_is_fine=True)


def _bloated(table: TableUse) -> bool:
    return table.dead >= LEAST_DEAD and table.dead > SHARE * (table.live + table.dead)


def _finding(table: TableUse) -> Finding:
    last = "never" if table.last_vacuum is None else f"on {table.last_vacuum:%Y-%m-%d %H:%M}Z"
    return Finding(
        ID,
        Verdict.WARNING,
        table.full_name,
        f"{table.dead:,} of {table.live + table.dead:,} rows are dead; the table was last vacuumed {last}",
        (
            Evidence(
                table.full_name, "rows", counts={"live": table.live, "dead": table.dead, "bytes": table.bytes}
            ),
        ),
        repair=f'psql -c "VACUUM (ANALYZE) {table.full_name}"',
    )


CHECK = Check(
    id=ID,
    title="Vacuum keeps up",
    why="Dead rows are read by every scan and kept in every index. A status flipped on each payload row doubles "
    "the table; a transaction left open keeps vacuum from taking anything away.",
    looks_at=f"The server's own counts: {LEAST_DEAD:,} dead rows and more, if they are over {SHARE:.0%} of the "
    f"table.",
    mend="VACUUM the table; look in catalog.transactions for who holds vacuum back.",
    look=_look,
)
