"""Day partitions that should be there and are not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from psycopg import sql
from psycopg.rows import tuple_row

from sitevault.repair.ground import SQL
from sitevault.repair.makers.case import Case, NotMended
from sitevault.repair.model import Action, Statement

PARENTS = (
    ("raw", "landed_event"),
    ("staging", "site_tracking_events_s"),
    ("business", "site_event_nl"),
    ("business", "site_event_pii_ns"),
)
DAYS_AHEAD = 7


def make(case: Case) -> Iterable[Action | NotMended]:
    """Today's and those of the week ahead; Sitevault's own tables only, whose partitions it knows how to make."""
    if not case.ground.house:
        yield NotMended("partitions", "How a foreign table is partitioned is its owner's decision.")
        return
    missing = [
        (parent, day)
        for parent in PARENTS
        for day in (case.now.date() + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1))
        if not _is_there(case, parent, day)
    ]
    if missing:
        yield Action(
            check=case.check,
            subject=f"{len(missing)} day partitions",
            reason="Without its partition an event goes to the default one, which retention cannot drop by day.",
            steps=tuple(_made(parent, day) for parent, day in missing),
        )


def _is_there(case: Case, parent: tuple[str, str], day: date) -> bool:
    name = sql.Identifier(parent[0], _name(parent, day)).as_string(None)
    with case.reader.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(SQL.relation_exists, {"relation": name}).fetchone() == (True,)


def _made(parent: tuple[str, str], day: date) -> Statement:
    whole = sql.Literal(".".join(parent))
    partition = sql.Identifier(parent[0], _name(parent, day))
    # Size, not rows: row-level security hides rows even from the owner, and a partition with rows is not dropped.
    back = sql.SQL(
        "DO $undo$ BEGIN IF pg_catalog.pg_relation_size({name}::regclass) > 0 THEN RAISE EXCEPTION "
        "'% has events by now', {name}; END IF; DROP TABLE {partition}; END $undo$"
    ).format(name=sql.Literal(partition.as_string(None)), partition=partition)
    return Statement(
        sql.SQL("SELECT ops.ensure_partition({}::regclass, {}::date)")
        .format(whole, sql.Literal(day.isoformat()))
        .as_string(None),
        back.as_string(None),
    )


def _name(parent: tuple[str, str], day: date) -> str:
    return f"{parent[1]}_p{day:%Y%m%d}"
