"""What a rebuilt table and the live one say differently, and what of that may be changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, LiteralString

import psycopg
from psycopg import sql

from sitevault.hashkeys import GHOST
from sitevault.replay import side
from sitevault.replay.book import SQL
from sitevault.replay.selection import EVENTS_PER_BATCH_ID
from sitevault.replay.side import Table
from sitevault.vault import model

Kind = Literal["missing", "extra", "changed", "moved", "kept"]
MENDED: tuple[Kind, ...] = ("missing", "extra", "changed")
_OF_THE_LOAD = frozenset({"load_id", "load_date", "processed_timestamp"})


@dataclass(frozen=True)
class Difference:
    """One row of one table.

    missing, extra, changed: what a swap would mend. moved: an event that today's rules would put elsewhere, which
    is a replay's business. kept: no raw is left to judge it by, or it is personal data and may have been erased.
    """

    table: Table
    kind: Kind
    key: tuple[Any, ...]


@dataclass
class Found:
    """The differences of one tenant."""

    tenant_hk: bytes
    tenant_bk: str
    rows: list[Difference] = field(default_factory=list)
    compared: int = 0
    """How many events were staged anew."""

    def counts(self) -> dict[str, dict[str, int]]:
        """Table -> kind -> rows."""
        counted = Counter((f"{one.table.schema}.{one.table.name}", one.kind) for one in self.rows)
        result: dict[str, dict[str, int]] = {}
        for (table, kind), rows in sorted(counted.items()):
            result.setdefault(table, {})[kind] = rows
        return result

    @property
    def to_mend(self) -> list[Difference]:
        """What a swap would change."""
        return [one for one in self.rows if one.kind in MENDED]


def compare(
    cursor: psycopg.Cursor[Any], table: Table, tenant_hk: bytes, *, leaving_out: Iterable[str] = ()
) -> list[Difference]:
    """Every row of which one side has nothing, or something else."""
    out = {*_OF_THE_LOAD, *leaving_out, *table.key}
    compared = [name for name in side.columns(cursor, table) if name not in out] or ["tenant_hk"]
    keys = sql.SQL(", ").join(map(sql.Identifier, table.key))
    rows = cursor.execute(
        sql.SQL(SQL.compare_table).format(
            keys=keys,
            compared=sql.SQL(", ").join(map(sql.Identifier, compared)),
            live=table.live,
            side=table.side,
        ),
        {"tenant_hk": tenant_hk},
    ).fetchall()
    return [
        Difference(table, "changed" if is_live and is_side else "extra" if is_live else "missing", tuple(key))
        for is_live, is_side, *key in rows
    ]


def of_staging(cursor: psycopg.Cursor[Any], tenant_hk: bytes) -> list[Difference]:
    """Staging; an event that would become INVALID, or no longer be it, moves."""
    found = compare(cursor, side.STAGING, tenant_hk)
    now, then = _statuses(cursor, tenant_hk, [one.key[1] for one in found])
    return [
        Difference(one.table, "moved", one.key)
        if one.kind == "changed" and (now.get(one.key[1]) == "INVALID") != (then.get(one.key[1]) == "INVALID")
        else one
        for one in _without_raw(cursor, found, lambda one: one.key[1])
    ]


def of_vault(cursor: psycopg.Cursor[Any], tenant_hk: bytes) -> list[Difference]:
    """Hubs, links, satellites, events, personal data and duplicates."""
    events = _of_events(cursor, tenant_hk)
    duplicates = _of_duplicates(cursor, tenant_hk, events)
    complete = not any(one.kind in ("kept", "moved") for one in (*events, *duplicates))
    found: list[Difference] = []
    for table in (*side.HUBS, *side.LINKS):
        found += compare(cursor, table, tenant_hk, leaving_out=("record_source",))
    for table in (side.EFFECTIVITY, *side.SATELLITES):
        found += _of_history(cursor, table, tenant_hk)
    # Ghosts stand for what is unknown: no event made them. Keys no event of ours explains may be of removed ones.
    found = [
        Difference(one.table, "kept", one.key) if one.kind == "extra" and not complete else one
        for one in found
        if GHOST not in one.key
    ]
    changed_pii = [one for one in compare(cursor, side.PII, tenant_hk) if one.kind == "changed"]
    return [*found, *events, *changed_pii, *duplicates]


def _of_events(cursor: psycopg.Cursor[Any], tenant_hk: bytes) -> list[Difference]:
    found = compare(cursor, side.EVENTS, tenant_hk)
    ids = [one.key[1] for one in found]
    numbers = {
        row[0]: (row[1], row[2])
        for row in cursor.execute(
            _on(SQL.numbers_of_events, side.EVENTS), {"tenant_hk": tenant_hk, "event_ids": ids}
        )
    }
    sides = dict(
        cursor.execute(_on(SQL.side_numbers, side.EVENTS), {"tenant_hk": tenant_hk, "event_ids": ids}).fetchall()
    )
    wanted = [number for pair in numbers.values() for number in pair if number] + list(sides.values())
    now, then = _statuses(cursor, tenant_hk, wanted)
    result = []
    for one in _without_raw(cursor, found, lambda one: numbers.get(one.key[1], (None, None))[0]):
        live, rebuilt = numbers.get(one.key[1], (None, None))
        if one.kind == "changed" and live != rebuilt and then.get(live) not in (None, "INVALID"):
            continue  # another copy of the event came first; which one did is history that raw does not tell
        refused_now = one.kind == "extra" and then.get(live) == "INVALID"
        refused_then = one.kind == "missing" and now.get(sides.get(one.key[1])) == "INVALID"
        if refused_now or refused_then:
            one = Difference(one.table, "moved", one.key)
        result.append(one)
    return result


def _of_duplicates(cursor: psycopg.Cursor[Any], tenant_hk: bytes, events: list[Difference]) -> list[Difference]:
    found = compare(cursor, side.DUPLICATES, tenant_hk)
    numbers = [one.key[1] for one in found]
    now, then = _statuses(cursor, tenant_hk, numbers)
    parameters = {"tenant_hk": tenant_hk, "raw_event_ids": numbers}
    winners = {row[0] for row in cursor.execute(_on(SQL.winners, side.EVENTS), parameters)}
    result = []
    for one in _without_raw(cursor, found, lambda one: one.key[1]):
        if one.key[1] in winners:
            continue  # the copy that came first, on one side or the other
        if "INVALID" in (now.get(one.key[1]), then.get(one.key[1])):
            one = Difference(one.table, "moved", one.key)
        result.append(one)
    return result


def _of_history(cursor: psycopg.Cursor[Any], table: Table, tenant_hk: bytes) -> list[Difference]:
    """Rows of a satellite come as loads found them, so only what holds in any order is compared."""
    parent = Table(table.schema, table.name, table.key[:2])
    result = [
        Difference(parent, one.kind, one.key)
        for one in dict.fromkeys(compare(cursor, parent, tenant_hk, leaving_out=side.columns(cursor, table)))
        if one.kind != "changed"
    ]
    satellite = next((one for one in model.SATELLITES if one.table == table.name), None)
    if satellite is not None:
        hashed = sql.SQL(" || ").join(
            sql.SQL("business.encode_part({})").format(sql.Identifier(name)) for name in satellite.attributes
        )
        keys = sql.SQL(", ").join(map(sql.Identifier, table.key))
        query = sql.SQL(SQL.compare_satellite).format(keys=keys, live=table.live, hashed=hashed)
        rows = cursor.execute(query, {"tenant_hk": tenant_hk}).fetchall()
        result += [Difference(table, "changed", tuple(row)) for row in rows]
    return result


def _without_raw(
    cursor: psycopg.Cursor[Any], found: list[Difference], number: Callable[[Difference], int | None]
) -> list[Difference]:
    """An extra row is only one where landing still holds the whole batch it says it came from."""
    batches = {
        number_of // EVENTS_PER_BATCH_ID
        for one in found
        if one.kind == "extra" and (number_of := number(one)) is not None
    }
    whole = {row[0] for row in cursor.execute(SQL.whole_batches, {"batch_ids": sorted(batches)})}
    return [
        Difference(one.table, "kept", one.key)
        if one.kind == "extra" and (number(one) or 0) // EVENTS_PER_BATCH_ID not in whole
        else one
        for one in found
    ]


def _statuses(
    cursor: psycopg.Cursor[Any], tenant_hk: bytes, numbers: list[int]
) -> tuple[dict[int | None, str], dict[int | None, str]]:
    parameters = {"tenant_hk": tenant_hk, "raw_event_ids": numbers}
    return (
        dict(cursor.execute(SQL.live_statuses, parameters).fetchall()),
        dict(cursor.execute(_on(SQL.side_statuses, side.STAGING), parameters).fetchall()),
    )


def _on(query: LiteralString, table: Table) -> sql.Composed:
    return sql.SQL(query).format(side=table.side)
