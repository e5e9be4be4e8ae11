"""What staging made of the sampled events, counted set by set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, LiteralString, NamedTuple

from psycopg import sql

from sitevault.db import queries

if TYPE_CHECKING:
    from sitevault.doctor.snapshot import Snapshot

SQL = queries.load("doctor")

STAGING = ("staging", "site_tracking_events_s")


class Carried(NamedTuple):
    """Per tenant: sampled events that were staged, more than once, under another tenant, or not at all."""

    tenant_hk: bytes | None
    staged: int
    elsewhere: int
    twice: int
    missing: int


class Orphaned(NamedTuple):
    looked_at: int
    without_raw: int


class Recomputed(NamedTuple):
    """Hub rows of sampled events, and those whose key is not what their business key makes."""

    hub: str
    looked_at: int
    wrong: int


def has_staging(snapshot: Snapshot) -> bool:
    """There is a staging table that names the events it was made from, and its tenant."""
    columns = snapshot.columns_of.get(STAGING, {})
    return snapshot.event_table.id in columns and "tenant_hk" in columns


def read_carried(snapshot: Snapshot) -> list[Carried]:
    """Where the sampled events are in staging."""
    numbers = [event.id for event in snapshot.sample.events]
    if snapshot.is_house:
        parameters: dict[str, object] = {
            "raw_event_ids": [int(number) for number in numbers],
            "batch_ids": sorted({int(number) // 65_536 for number in numbers}),
        }
        return snapshot.rows(SQL.carried_in_the_house, Carried, parameters)
    if not has_staging(snapshot):
        return []
    return snapshot.rows_of_events(SQL.carried_in_tables, Carried, {"numbers": numbers})


def read_orphans(snapshot: Snapshot) -> Orphaned:
    """The newest staged rows, and those whose landed event is gone."""
    if snapshot.is_house:
        return snapshot.rows(SQL.orphans_in_the_house, Orphaned, {"most": snapshot.options.sample})[0]
    if not has_staging(snapshot):
        return Orphaned(0, 0)
    return snapshot.rows_of_events(SQL.orphans_in_tables, Orphaned, {"most": snapshot.options.sample})[0]


def read_hashes(snapshot: Snapshot) -> list[Recomputed]:
    """The house's hub keys, computed again."""
    numbers = [int(event.id) for event in snapshot.sample.events][:1_000]
    return snapshot.rows(
        SQL.recomputed_keys, Recomputed, {"batch_ids": sorted({one // 65_536 for one in numbers})}
    )


def read_nulls(snapshot: Snapshot, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Of each sampled event that was staged: its number and, per column, whether it is NULL."""
    flags = sql.SQL(", ").join(
        sql.SQL("s.{} IS NULL AS {}").format(sql.Identifier(name), sql.Identifier(name)) for name in columns
    )
    events = snapshot.sample.events
    numbers: list[Any] = [event.id for event in events]
    query: LiteralString = SQL.nulls_in_tables
    parameters: dict[str, object] = {"numbers": numbers}
    if snapshot.is_house:
        query = SQL.nulls_in_the_house
        parameters = {
            "raw_event_ids": [int(number) for number in numbers],
            "batch_ids": sorted({int(number) // 65_536 for number in numbers}),
        }
    table = snapshot.event_table
    composed = sql.SQL(query).format(flags=flags, id=sql.Identifier(table.id), id_type=sql.SQL(table.id_type))
    from psycopg.rows import dict_row

    with snapshot.connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(composed, parameters).fetchall()
