"""The book of replays: a row per replay with its state and account, a row per event with where it ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from sitevault.db import queries
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import UnknownReplayError
from sitevault.replay.selection import Selection
from sitevault.staging.patch import PatchStep, write_steps
from sitevault.tenancy import audit_log
from sitevault.tenancy.audit_log import Action
from sitevault.tenancy.context import administer

SQL = queries.load("replay")

PLACES = ("vaulted", "duplicate", "invalid", "error", "unchanged")


@dataclass(frozen=True)
class Replay:
    """One replay as it stands: selected = vaulted + duplicate + invalid + error + unchanged, once it is DONE."""

    replay_id: int
    kind: str
    state: str
    actor: str
    reason: str | None
    selection: dict[str, Any]
    patch: list[dict[str, Any]]
    result: dict[str, Any]
    last_error: str | None
    started_at: datetime
    changed_at: datetime
    finished_at: datetime | None
    selected: int
    vaulted: int
    duplicate: int
    invalid: int
    error: int
    unchanged: int

    @property
    def reached(self) -> int:
        """How many of its events have ended."""
        return sum(getattr(self, place) for place in PLACES)

    @property
    def balanced(self) -> bool:
        """Every selected event ended in one place."""
        return self.selected == self.reached


def open_events(
    conn: psycopg.Connection[Any], selection: Selection, steps: Sequence[PatchStep], reason: str | None
) -> int:
    """Remember a replay and the events it means, in one transaction; returns its number."""
    with conn.transaction():
        replay_id = open_replay(conn, "events", selection.as_dict(), reason, steps)
        parameters = selection.parameters() | {"replay_id": replay_id}
        conn.execute(with_selected(SQL.remember_selected), parameters)
        conn.execute(SQL.count_remembered, parameters)
    return replay_id


def open_replay(
    conn: psycopg.Connection[Any],
    kind: str,
    selection: dict[str, Any],
    reason: str | None,
    steps: Sequence[PatchStep] = (),
) -> int:
    """A row of ops.replay; returns its number."""
    row = conn.execute(
        SQL.open_replay,
        {
            "kind": kind,
            "actor": audit_log.acting(),
            "reason": reason,
            "selection": Jsonb(selection, dumps=json.dumps),
            "patch": Jsonb(json.loads(write_steps(steps)), dumps=json.dumps),
        },
    ).fetchone()
    if row is None:
        raise RuntimeError("INSERT ... RETURNING returned no row")
    return int(row[0])


def with_selected(query: str) -> sql.Composed:
    """A query around the selection."""
    return sql.SQL(query).format(selected=sql.SQL(SQL.selected.rstrip(";")))


def count(conn: psycopg.Connection[Any], selection: Selection) -> dict[str, int]:
    """How many events a selection means, by where they are."""
    return dict(conn.execute(with_selected(SQL.count_selected), selection.parameters()).fetchall())


def read(conn: psycopg.Connection[Any], replay_id: int) -> Replay:
    """One replay. Raises UnknownReplayError."""
    with conn.cursor(row_factory=class_row(Replay)) as cursor:
        found = cursor.execute(SQL.one_replay, {"replay_id": replay_id}).fetchone()
    if found is None:
        raise UnknownReplayError(
            f"There is no replay {replay_id}.", fix="See which there are.", command="sitevault replay list"
        )
    return found


def newest(conn: psycopg.Connection[Any], most: int) -> list[Replay]:
    """The newest replays first."""
    with conn.cursor(row_factory=class_row(Replay)) as cursor:
        return cursor.execute(SQL.list_replays, {"most": most}).fetchall()


def held(conn: psycopg.Connection[Any]) -> set[int]:
    """The replays that a living process carries."""
    return {row[0] for row in conn.execute(SQL.held_replays)}


def moves(conn: psycopg.Connection[Any], replay_id: int) -> list[tuple[str, str | None, int]]:
    """(from, to, events) of a replay; `to` is None for events it has not reached."""
    return conn.execute(SQL.moves_of_replay, {"replay_id": replay_id}).fetchall()


def record(database: Database, action: Action, conn: psycopg.Connection[Any], replay: Replay) -> None:
    """An entry in the audit log of each tenant of a replay: how many events and which fields, never values."""
    fields: list[audit_log.Json] = [
        " ".join(filter(None, (step["op"], step["path"], step.get("to")))) for step in replay.patch
    ]
    tenants = conn.execute(SQL.tenants_of_replay, {"replay_id": replay.replay_id}).fetchall()
    with database.connect(Role.MIGRATOR, autocommit=True) as admin:
        for tenant_hk, events in tenants:
            details: dict[str, audit_log.Json] = {
                "replay_id": replay.replay_id,
                "events": events,
                "reason": replay.reason,
                "patch": fields,
            }
            with administer(admin, tenant_hk):
                audit_log.record(admin, tenant_hk, action, details)
