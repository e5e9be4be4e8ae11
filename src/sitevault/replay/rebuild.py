"""Rebuilds staging, the vault or the marts beside the live tables, compares, and changes what differs.

The rebuilding is the pipeline's own code on temporary tables, over one snapshot: workers go on meanwhile. Only
rows that differ are changed, in one transaction per tenant, as the owner within that tenant.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from sitevault import pipeline
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.marts import refresh
from sitevault.replay import book, differences, side
from sitevault.replay.book import SQL
from sitevault.replay.differences import Difference, Found
from sitevault.replay.leave import require_leave
from sitevault.replay.run import holding
from sitevault.replay.side import SideCursor, Table
from sitevault.staging.model import LandedEvent, StagedEvent
from sitevault.staging.stage import Stager
from sitevault.tenancy import audit_log
from sitevault.tenancy.audit_log import Action
from sitevault.tenancy.context import administer
from sitevault.worker.bisect import load_what_can_be
from sitevault.worker.claim import patched
from sitevault.worker.lane import Lane
from sitevault.worker.tenants import Tenants

Level = Literal["staging", "vault", "marts"]
LEVELS: tuple[Level, ...] = ("staging", "vault", "marts")

_GROUP = 2_000
"""Loads are carried again together until they hold so many events: each costs some twenty statements."""
_TRIES = 5
_JSON = ("properties", "validation_errors")

Heard = Callable[[str, int], None]
"""Called with the tenant and how many of its events were staged anew."""

_RECOMPUTED = {
    "session_f": refresh.SQL.recompute_sessions,
    "page_day_f": refresh.SQL.recompute_pages,
    "event_day_f": refresh.SQL.recompute_events,
}


@dataclass
class Rebuilt:
    """What a rebuild found, and whether it changed it."""

    replay_id: int
    level: Level
    tenants: list[Found] = field(default_factory=list)
    swapped: bool = False

    @property
    def differs(self) -> bool:
        """Something would be, or was, changed."""
        return any(one.to_mend for one in self.tenants)

    def as_dict(self) -> dict[str, Any]:
        """For the record and for --json."""
        return {
            "level": self.level,
            "swapped": self.swapped,
            "identical": not any(one.rows for one in self.tenants),
            "events": sum(one.compared for one in self.tenants),
            "tenants": {one.tenant_bk: one.counts() for one in self.tenants if one.rows},
        }


def rebuild(
    database: Database,
    config: Config,
    level: Level,
    *,
    tenant_hk: bytes | None = None,
    accept_differences: bool = False,
    reason: str | None = None,
    while_paused: bool = False,
    heard: Heard = lambda tenant, events: None,
) -> Rebuilt:
    """Rebuild one tenant or all, one after the other; what differs is changed only where that is accepted.

    Rebuilding the vault rebuilds the marts over it as well.
    """
    with database.connect(Role.WORKER, autocommit=True, application_name="rebuild") as conn:
        if accept_differences:
            require_leave(conn, while_paused)
        selection = {"level": level} | ({"tenant_hk": tenant_hk.hex()} if tenant_hk else {})
        result = Rebuilt(book.open_replay(conn, "rebuild", selection, reason), level)
        tenants = conn.execute(SQL.tenants, {"tenant_hk": tenant_hk}).fetchall()
        with holding(conn, result.replay_id):
            for hk, bk in tenants:
                for one in ("vault", "marts") if level == "vault" and accept_differences else (level,):
                    found = _rebuild_one(
                        database, config, one, hk, bk, accept_differences, reason, while_paused, result, heard
                    )
                    result.tenants.append(found)
            _note(conn, result)
    return result


def _note(conn: psycopg.Connection[Any], result: Rebuilt) -> None:
    stored = Jsonb(result.as_dict(), dumps=json.dumps)
    selected = sum(one.compared for one in result.tenants)
    conn.execute(SQL.set_result, {"replay_id": result.replay_id, "result": stored, "selected": selected})


def _rebuild_one(
    database: Database,
    config: Config,
    level: str,
    tenant_hk: bytes,
    tenant_bk: str,
    accept: bool,
    reason: str | None,
    while_paused: bool,
    result: Rebuilt,
    heard: Heard,
) -> Found:
    lane = Lane(database, config, Tenants(database), f"rebuild-{result.replay_id}")
    try:
        conn = lane.connected()
        conn.execute(SQL.hold_replays_off)
        with conn.transaction():
            conn.execute(SQL.read_repeatably)
            if accept:
                require_leave(conn, while_paused)
            plain = psycopg.Cursor(conn, row_factory=tuple_row)
            found = Found(tenant_hk, tenant_bk)
            if level == "marts":
                side.make(plain, side.MARTS)
                _fill_marts(plain, tenant_hk)
                for table in side.MARTS:
                    found.rows += differences.compare(plain, table, tenant_hk)
            else:
                side.make(plain)
                found.compared = _carry(lane, conn, config, tenant_hk, lambda done: heard(tenant_bk, done))
                judge = differences.of_staging if level == "staging" else differences.of_vault
                found.rows = judge(plain, tenant_hk)
            if found.to_mend and accept:
                _swap(database, plain, found, level, reason, result.replay_id)
                result.swapped = True
        return found
    finally:
        lane.close()


# -- beside ----------------------------------------------------------------------------------------------------


def _carry(
    lane: Lane, conn: psycopg.Connection[Any], config: Config, tenant_hk: bytes, heard: Callable[[int], None]
) -> int:
    """Every accounted event of the tenant through staging and the pipeline, into the side tables."""
    stager = Stager(late_days=config.late_days, geo_database=config.geo_database)
    done = 0

    class Beside(SideCursor):
        pass

    def load(events: Sequence[StagedEvent]) -> None:
        pipeline.load(conn, events, "rebuild", {})

    for Beside.load, group in _groups(conn, tenant_hk):
        events = patched(conn, group, {"batch_ids": sorted({event.batch_id for event in group})})
        entitled, _ = lane.tenants.sort_out(conn, events)
        staged = stager.stage_batch(entitled, lane.tenants.rules).staged
        conn.cursor_factory = Beside
        try:
            load_what_can_be(conn, staged, load)
        finally:
            conn.cursor_factory = psycopg.Cursor
        side.tidy(psycopg.Cursor(conn))
        done += len(group)
        heard(done)
    return done


def _groups(
    conn: psycopg.Connection[Any], tenant_hk: bytes
) -> Iterator[tuple[tuple[int, Any], list[LandedEvent]]]:
    """Whole loads, in their order, together until they are large enough; with number and date of the last."""
    group: list[LandedEvent] = []
    last: tuple[int, Any] | None = None
    with psycopg.ServerCursor(conn, "accounted_events") as cursor:
        cursor.itersize = _GROUP
        cursor.execute(SQL.accounted_events, {"tenant_hk": tenant_hk}, binary=True)
        for load_id, load_date, *row in cursor:
            if last is not None and load_id != last[0] and len(group) >= _GROUP:
                yield last, group
                group = []
            group.append(LandedEvent(*row))
            last = (load_id, load_date)
    if group and last is not None:
        yield last, group


def _fill_marts(cursor: psycopg.Cursor[Any], tenant_hk: bytes) -> None:
    for table in side.MARTS:
        columns = sql.SQL(", ").join(map(sql.Identifier, side.columns(cursor, table)))
        recomputed = sql.SQL(_RECOMPUTED[table.name].rstrip(";"))
        cursor.execute(
            sql.SQL(SQL.fill_mart).format(side=table.side, columns=columns, recomputed=recomputed),
            {"tenant_hk": tenant_hk},
        )


# -- the swap --------------------------------------------------------------------------------------------------


def _swap(
    database: Database, plain: psycopg.Cursor[Any], found: Found, level: str, reason: str | None, replay_id: int
) -> None:
    """One short transaction as the owner within the tenant; a deadlock or a lock not given is tried again."""
    rows = [] if level == "marts" else list(_rows(plain, found))
    columns = {table: side.columns(plain, table) for table in side.MARTS}
    for attempt in range(1, _TRIES + 1):
        with database.connect(Role.MIGRATOR, autocommit=True, application_name="rebuild") as admin:
            try:
                with administer(admin, found.tenant_hk):
                    admin.execute(SQL.limit_lock)
                    if level == "marts":
                        _recompute(admin, found.tenant_hk, list(_marts_by_key(found)), columns)
                    if any(one.table is side.EVENTS for one in found.to_mend):
                        # Funnels are made of events.
                        admin.execute(SQL.open_days, {"tenant_hk": found.tenant_hk})
                    for statement, parameters in rows:
                        admin.execute(statement, parameters)
                    details: dict[str, audit_log.Json] = {
                        "replay_id": replay_id,
                        "level": level,
                        "reason": reason,
                        "rows": len(found.to_mend),
                    }
                    audit_log.record(admin, found.tenant_hk, Action.EVENTS_REBUILD, details)
                return
            except (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
                if attempt == _TRIES:
                    raise
                time.sleep(0.2 * attempt)


def _rows(plain: psycopg.Cursor[Any], found: Found) -> Iterator[tuple[sql.Composed, dict[str, Any]]]:
    """The statements that make the live rows what the rebuilt ones are, hubs before what refers to them."""
    by_table: dict[Table, list[Difference]] = defaultdict(list)
    for one in found.to_mend:
        by_table[one.table].append(one)
    for table, rows in by_table.items():
        columns = side.columns(plain, table)
        for one in rows:
            if one.kind == "extra":
                yield _delete(table), dict(zip(table.key, one.key, strict=True))
                continue
            for row in _side_rows(plain, table, columns, one):
                if one.kind == "missing":
                    yield _insert(table, columns), row
                else:
                    yield _update(table, columns), row


def _side_rows(
    plain: psycopg.Cursor[Any], table: Table, columns: list[str], one: Difference
) -> list[dict[str, Any]]:
    key = dict(zip(table.key, one.key, strict=True))
    selected = sql.SQL(", ").join(
        sql.SQL("{}::text").format(sql.Identifier(name)) if name in _JSON else sql.Identifier(name)
        for name in columns
    )
    query = sql.SQL(SQL.side_row).format(columns=selected, side=table.side, matches=_matches(table.key))
    if one.kind == "changed" and "hash_diff" in columns:
        query = sql.SQL(SQL.side_row_of_hash).format(
            columns=selected,
            side=table.side,
            live=table.live,
            parents=_matches(table.key[:2]),
            matches=_matches(table.key),
        )
    rows = plain.execute(query, key).fetchall()
    return [dict(zip(columns, row, strict=True)) | (key if one.kind == "changed" else {}) for row in rows]


def _insert(table: Table, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(SQL.insert_row).format(
        live=table.live,
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        values=sql.SQL(", ").join(map(sql.Placeholder, columns)),
    )


def _update(table: Table, columns: Sequence[str]) -> sql.Composed:
    kept = {*table.key, "load_id", "load_date", "processed_timestamp"}
    return sql.SQL(SQL.update_row).format(
        live=table.live,
        changes=sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name))
            for name in columns
            if name not in kept
        ),
        matches=_matches(table.key),
    )


def _delete(table: Table) -> sql.Composed:
    return sql.SQL(SQL.delete_row).format(live=table.live, matches=_matches(table.key))


def _matches(key: Sequence[str]) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in key
    )


def _marts_by_key(found: Found) -> Iterator[tuple[Table, dict[str, Any]]]:
    return ((one.table, dict(zip(one.table.key, one.key, strict=True))) for one in found.to_mend)


def _recompute(
    admin: psycopg.Connection[Any],
    tenant_hk: bytes,
    changes: Sequence[tuple[Table, dict[str, Any]]],
    columns: dict[Table, list[str]],
) -> None:
    """Marts add up, so a row that differs is made anew from the vault as it is under the lock."""
    admin.execute(SQL.lock_marts)
    admin.execute(SQL.open_days, {"tenant_hk": tenant_hk})
    for table, key in changes:
        admin.execute(_delete(table), key)
        names = sql.SQL(", ").join(map(sql.Identifier, columns[table]))
        recomputed = sql.SQL(_RECOMPUTED[table.name].rstrip(";"))
        admin.execute(
            sql.SQL(SQL.remake_mart_row).format(
                live=table.live, columns=names, recomputed=recomputed, matches=_matches(table.key)
            ),
            key,
        )
