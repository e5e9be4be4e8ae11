"""Shows what a replay would do, by doing it: everything is staged, loaded and rolled back.

What a rollback does not undo: numbers taken from sequences, and partitions made for days that had none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.observe.trace import MASKED, PERSONAL
from sitevault.replay import book
from sitevault.replay.book import SQL
from sitevault.replay.carry import CARRIED, Chosen, Ended, Patch, carry, ids_of
from sitevault.replay.selection import Selection
from sitevault.staging.model import StagedEvent
from sitevault.staging.patch import PatchStep
from sitevault.staging.stage import Stager
from sitevault.worker.claim import claim_events
from sitevault.worker.lane import Lane
from sitevault.worker.tenants import Tenants

MOST = 1000
"""A rehearsal holds its locks to the end, so it takes this many events at most unless told otherwise."""

COMPARED = tuple(
    name
    for name in StagedEvent.__struct_fields__
    if name not in ("tenant_hk", "batch_id", "raw_event_id", "event_id", "event_day", "received_timestamp")
    and not name.endswith("_hk")
)
"""The values of a staged event that a replay may change; its keys follow from them."""


class _RolledBackError(Exception):
    """Ends the rehearsal's transaction."""


@dataclass(frozen=True)
class Shown:
    """One event: where it is, where it would end and why, and which staged values would differ."""

    tenant: str
    event_id: str
    raw_event_id: int
    was: str
    ends: str
    outcome: str
    why: tuple[str, ...]
    changes: dict[str, tuple[Any, Any]]
    """Column -> (old, new); old is None where the event was never staged."""


@dataclass
class Rehearsal:
    """What a replay would do."""

    selected: dict[str, int]
    """How many events the selection means, by where they are; more than are shown, perhaps."""
    shown: list[Shown] = field(default_factory=list)

    def outcomes(self) -> dict[str, int]:
        """How many of the shown events would end where."""
        counts = dict.fromkeys(book.PLACES, 0)
        for one in self.shown:
            counts[one.outcome] += 1
        return counts


def rehearse(
    database: Database,
    config: Config,
    selection: Selection,
    *,
    steps: Sequence[PatchStep] = (),
    most: int = MOST,
    show_personal: bool = False,
) -> Rehearsal:
    """Carry the first `most` events of the selection through, look, and roll everything back."""
    lane = Lane(database, config, Tenants(database), "replay-rehearsal")
    try:
        conn = lane.connected()
        rehearsal = Rehearsal(book.count(conn, selection))
        try:
            with conn.transaction():
                parameters = selection.parameters() | {"most": most}
                rows = conn.execute(book.with_selected(SQL.first_selected), parameters).fetchall()
                rehearsal.shown = _try(lane, conn, [Chosen(*row) for row in rows], steps, config, show_personal)
                raise _RolledBackError
        except _RolledBackError:
            return rehearsal
    finally:
        lane.close()


def _try(
    lane: Lane,
    conn: psycopg.Connection[Any],
    chosen: Sequence[Chosen],
    steps: Sequence[PatchStep],
    config: Config,
    show_personal: bool,
) -> list[Shown]:
    if not chosen:
        return []
    before = _stored(conn, chosen)
    settled = _staged_anew(lane, conn, [one for one in chosen if one.was not in CARRIED], config)
    ended = carry(lane, conn, chosen, Patch(0, steps, "rehearsal") if steps else None)
    columns = conn.execute(SQL.stored_staging, {"batch_ids": [], "raw_event_ids": []}).description or ()
    kept = {column.name for column in columns}
    after = _stored(conn, chosen) | settled
    whys = _whys(conn, ended, after)
    names = dict(conn.execute(SQL.names_of_tenants).fetchall())
    event_ids = dict(conn.execute(SQL.event_ids, ids_of(chosen)).fetchall())
    return [
        Shown(
            tenant=names.get(one.chosen.tenant_hk, "(no such tenant)"),
            event_id=str(event_ids.get(one.chosen.raw_event_id)),
            raw_event_id=one.chosen.raw_event_id,
            was=one.chosen.was,
            ends=one.place,
            outcome=one.outcome,
            why=whys.get(one.chosen.raw_event_id, ()),
            changes=_differences(
                before.get(one.chosen.raw_event_id), after.get(one.chosen.raw_event_id), kept, show_personal
            ),
        )
        for one in ended
    ]


def _staged_anew(
    lane: Lane, conn: psycopg.Connection[Any], settled: Sequence[Chosen], config: Config
) -> dict[int, dict[str, Any]]:
    """What staging would say today of events that a replay leaves as they are."""
    if not settled:
        return {}
    claim = claim_events(conn, [(one.tenant_hk, one.raw_event_id, one.batch_id) for one in settled])
    entitled, _ = lane.tenants.sort_out(conn, claim.events)
    staged = Stager(late_days=config.late_days, geo_database=config.geo_database).stage_batch(
        entitled, lane.tenants.rules
    )
    return {
        one.raw_event_id: {name: _plain(name, getattr(one, name)) for name in COMPARED} for one in staged.staged
    }


def _stored(conn: psycopg.Connection[Any], chosen: Sequence[Chosen]) -> dict[int, dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(SQL.stored_staging, ids_of(chosen)).fetchall()
    return {
        row["raw_event_id"]: {name: _plain(name, row[name]) for name in COMPARED if name in row} for row in rows
    }


def _whys(
    conn: psycopg.Connection[Any], ended: Sequence[Ended], after: dict[int, dict[str, Any]]
) -> dict[int, tuple[str, ...]]:
    letters = {row[0]: row[1:] for row in conn.execute(SQL.letters, ids_of([one.chosen for one in ended]))}
    whys: dict[int, tuple[str, ...]] = {}
    for one in ended:
        number = one.chosen.raw_event_id
        if one.place == "error" and number in letters:
            whys[number] = (": ".join(str(part) for part in letters[number] if part is not None),)
        elif one.place == "invalid" and number in after:
            whys[number] = tuple(
                " ".join(filter(None, (found["code"], found["field"])))
                for found in after[number]["validation_errors"]
            )
        elif one.chosen.was not in CARRIED:
            whys[number] = ("it is in the vault already and stays as it is",)
    return whys


def _differences(
    old: dict[str, Any] | None, new: dict[str, Any] | None, kept: set[str], show_personal: bool
) -> dict[str, tuple[Any, Any]]:
    if new is None:
        return {}
    changes: dict[str, tuple[Any, Any]] = {}
    for name in COMPARED:
        if name not in new or name not in kept:
            continue
        was, now = None if old is None else old.get(name), new[name]
        if was != now:
            hidden = name in (*PERSONAL, "properties") and not show_personal
            changes[name] = tuple(MASKED if hidden and one is not None else one for one in (was, now))  # type: ignore[assignment]
    return changes


def _plain(name: str, value: Any) -> Any:
    """A staged value in the form in which both sides are compared and shown."""
    if name in ("validation_errors", "properties") and isinstance(value, (bytes, str)):
        return json.loads(value)
    if isinstance(value, Decimal):
        return float(value)
    return str(value) if name == "client_ip" and value is not None else value
