"""Runs a replay: so many events at a time, each time one transaction, resumable after any of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import ReplayStoppedError, SitevaultError, UsageError
from sitevault.replay import book
from sitevault.replay.book import PLACES, SQL, Replay
from sitevault.replay.carry import Chosen, Patch, account, carry
from sitevault.replay.leave import require_leave
from sitevault.replay.selection import Selection
from sitevault.staging.patch import PatchStep, read_steps
from sitevault.tenancy.audit_log import Action
from sitevault.worker.lane import Lane
from sitevault.worker.tenants import Tenants

BATCH = 1000
"""Events per transaction: a worker that met one of them waits no longer than these take."""

Heard = Callable[[int, int], None]
"""Called with how many events were reached, and how many there are."""


def start(
    database: Database,
    config: Config,
    selection: Selection,
    *,
    steps: Sequence[PatchStep] = (),
    reason: str | None = None,
    batch: int = BATCH,
    rate: float | None = None,
    while_paused: bool = False,
    heard: Heard = lambda reached, selected: None,
) -> Replay:
    """Replay what the selection means now. Raises UsageError, ReplayStoppedError, WorkersPausedError."""
    refuse_everything(selection)
    if steps and not reason:
        raise UsageError("A patch is recorded with its reason.", fix="Say why: add --reason '…'.")
    with database.connect(Role.WORKER, autocommit=True, application_name="replay") as conn:
        require_leave(conn, while_paused)
        replay_id = book.open_events(conn, selection, steps, reason)
        book.record(database, Action.EVENTS_REPLAY, conn, book.read(conn, replay_id))
    return resume(database, config, replay_id, batch=batch, rate=rate, while_paused=while_paused, heard=heard)


def refuse_everything(selection: Selection) -> None:
    """Raise UsageError for a selection that says nothing."""
    if selection.empty:
        raise UsageError(
            "Which events? Without a selection every event would be replayed.",
            fix="Name them by id, tenant, status, reason, SQLSTATE, load or time.",
            command="sitevault replay --status ERROR --dry-run",
        )


def resume(
    database: Database,
    config: Config,
    replay_id: int,
    *,
    batch: int = BATCH,
    rate: float | None = None,
    while_paused: bool = False,
    heard: Heard = lambda reached, selected: None,
) -> Replay:
    """Go on where a replay is; one that is done stays done.

    Raises UnknownReplayError, ReplayStoppedError, and WorkersPausedError where somebody paused the workers.
    """
    with database.connect(Role.WORKER, autocommit=True, application_name="replay") as conn:
        replay = book.read(conn, replay_id)
        if replay.kind != "events":
            raise UsageError(
                f"Replay {replay_id} is a {replay.kind}: it is one transaction per step and is simply run again."
            )
        if replay.state == "DONE":
            return replay
        with holding(conn, replay_id):
            heard(replay.reached, replay.selected)
            _carry_all(database, config, conn, replay, batch, rate, while_paused, heard)
        return book.read(conn, replay_id)


@contextmanager
def holding(conn: psycopg.Connection[Any], replay_id: int) -> Iterator[None]:
    """This process carries the replay, and what ends it is written down. Raises SitevaultError if another does."""
    row = conn.execute(SQL.hold_replay, {"replay_id": replay_id}).fetchone()
    if row != (True,):
        raise SitevaultError(f"Replay {replay_id} is being carried by another process.")
    _set_state(conn, replay_id, "RUNNING")
    try:
        yield
    except BaseException as error:
        if not conn.closed and not conn.broken:
            said = type(error).__name__
            if isinstance(error, psycopg.Error):
                said = f"{error.sqlstate}: {error.diag.message_primary or said}"
            _set_state(conn, replay_id, "STOPPED", said)
        if isinstance(error, psycopg.Error):
            raise ReplayStoppedError(
                f"Replay {replay_id} stopped: {said}. What it did so far is committed.",
                fix="Mend the cause, then go on where it is.",
                command=f"sitevault replay --resume {replay_id}",
            ) from error
        raise
    _set_state(conn, replay_id, "DONE")


def _carry_all(
    database: Database,
    config: Config,
    conn: psycopg.Connection[Any],
    replay: Replay,
    batch: int,
    rate: float | None,
    while_paused: bool,
    heard: Heard,
) -> None:
    steps = read_steps(replay.patch)
    patch = Patch(replay.replay_id, steps, replay.reason or "") if steps else None
    lane = Lane(database, config, Tenants(database), f"replay-{replay.replay_id}")
    reached, began = replay.reached, time.monotonic()
    done_here = 0
    try:
        while done := _carry_next(lane, replay.replay_id, patch, batch, while_paused):
            reached, done_here = reached + done, done_here + done
            heard(reached, replay.selected)
            if rate is not None:
                time.sleep(max(0.0, began + done_here / rate - time.monotonic()))
    finally:
        lane.close()


def _carry_next(lane: Lane, replay_id: int, patch: Patch | None, batch: int, while_paused: bool) -> int:
    """One transaction: the next events carried, noted and counted, or none of it."""
    conn = lane.connected()
    with conn.transaction():
        require_leave(conn, while_paused)
        rows = conn.execute(SQL.next_events, {"replay_id": replay_id, "most": batch}).fetchall()
        if not rows:
            return 0
        ended = carry(lane, conn, [Chosen(*row) for row in rows], patch)
        conn.execute(
            SQL.note_events,
            {
                "replay_id": replay_id,
                "tenant_hks": [one.chosen.tenant_hk for one in ended],
                "raw_event_ids": [one.chosen.raw_event_id for one in ended],
                "places": [one.place for one in ended],
            },
        )
        counts = account(ended)
        conn.execute(SQL.note_progress, {"replay_id": replay_id, **{place: counts[place] for place in PLACES}})
    return len(ended)


def _set_state(conn: psycopg.Connection[Any], replay_id: int, state: str, error: str | None = None) -> None:
    conn.execute(SQL.set_state, {"replay_id": replay_id, "state": state, "error": error})
