"""Pauses whoever carries events, and lets them go on: a state that they ask, never a job that is deleted.

Collectors never ask: they go on landing. A pause is over when it is lifted, not when its process ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import psycopg

from sitevault.release import record, scheduler
from sitevault.release.events import Teller
from sitevault.release.model import ReleaseBlockedError
from sitevault.release.scheduler import SQL, Busy
from sitevault.release.target import Target
from sitevault.tenancy.audit_log import Action, acting

NOBODYS = ""
"""What the journal says of a pause that no release holds."""

PATIENCE_SECONDS = 120.0
TELL_EVERY_SECONDS = 5.0
_LOOK_SECONDS = (0.02, 0.5)
_ATTEMPTS = 5

Result = TypeVar("Result")


class Paused(NamedTuple):
    """A pause that is in force: since when, whether it was before, and what it cannot do."""

    since: datetime
    already: bool
    waited_seconds: float
    unpausable: str | None
    """Why jobs may go on all the same; None where whoever carries events is known to be at rest."""


def pause(
    target: Target, release_id: str | None, message: str, teller: Teller, *, patience: float = PATIENCE_SECONDS
) -> Paused:
    """Nobody begins to carry events, and those who did have ended; safe to repeat by its holder.

    Raises ReleaseBlockedError where somebody else holds a pause, and where work in flight does not end within
    `patience` seconds: what this call paused goes on then.
    """
    record.require_identity(target)
    began = time.monotonic()
    since, already = _patiently(lambda: _set(target, release_id, message))
    teller("pause", "The workers are paused already" if already else f"The workers pause: {message}")
    try:
        details = scheduler.pause(target, release_id or NOBODYS)
        unpausable = _unpausable(target)
        if unpausable is None:
            _wait_for_work(target, teller, began + patience)
        else:
            teller("pause", unpausable)
    except BaseException:
        if not already:
            resume(target, teller, release_id=release_id)
        raise
    waited = round(time.monotonic() - began, 3)
    _note(target, release_id, "pause", message, {"waited_seconds": waited, "already": already, **details})
    if unpausable is None:
        teller("pause", f"Nobody carries events any more, after {waited:.1f} s", waited_seconds=waited)
    return Paused(since, already, waited, unpausable)


def resume(target: Target, teller: Teller, release_id: str | None = None) -> bool:
    """Whoever was paused goes on; whether anything was paused. With `release_id` only what that release paused.

    Raises ReleaseBlockedError where another holds the pause.
    """
    held = in_force(target)
    if held is None:
        teller("resume", "Nothing was paused")
        return False
    if release_id is not None:
        require_holder(target, held, release_id)
    details = scheduler.resume(target)

    def lift() -> bool:
        with record.brief(target.ground):
            query = record.query(target.ground, SQL.lift_pause)
            if target.ground.one(query, {"release_id": release_id, "actor": acting()}) is None:
                return False
            record.note(target.ground, held.release_id or NOBODYS, "resume", "The workers go on", details)
            record.audit(
                target.ground,
                Action.WORKERS_RESUME,
                {"environment": target.environment, "release": held.release_id, "was": held.message},
            )
            if target.house:
                target.ground.conn.execute(SQL.wake_workers)
            return True

    lifted = _patiently(lift)
    teller("resume", "The workers go on" if lifted else "Somebody lifted the pause meanwhile")
    return lifted


def in_force(target: Target) -> record.Pause | None:
    """The pause, if there is one. Raises ReleaseBlockedError for a database that was never enrolled."""
    if not target.house and record.enrolled(target.ground) is None:
        record.require_identity(target)
    found = record.paused(target.ground)
    return found if found is not None and found.paused else None


def require_nobody_at_it(target: Target) -> None:
    """Raises ReleaseBlockedError while a living process carries a release out: it resumes what it paused."""
    row = target.ground.one(SQL.release_under_way)
    if row is not None:
        raise ReleaseBlockedError(
            f"A release of {target.environment} is under way: {Busy(*row)}. It lets the workers go on by itself.",
            fix="Wait for it, or end it first; what it did not commit is rolled back.",
            command=f"sitevault release status --env {target.environment}",
        )


def stood_still(target: Target, limit_seconds: float, moment: datetime) -> float:
    """How much longer than its limit an event received since then may wait and not be late, in seconds.

    While a pause is in force, and until the workers had `limit_seconds` after it, waiting is nobody's fault.
    """
    query = record.query(target.ground, SQL.stood_still)
    row = target.ground.one(query, {"limit_seconds": limit_seconds, "moment": moment})
    return float(row[0]) if row else 0.0


def at_work(target: Target) -> list[Busy]:
    """Who carries events at this moment; empty: nobody, and while a pause is in force nobody will."""
    ground = target.ground
    if ground.one(SQL.all_at_rest) != (True,):
        return [Busy(*row) for row in ground.all(SQL.at_work)] or [Busy(0, "a worker")]
    if target.house:
        return []
    return scheduler.at_work(target) or [Busy(*row) for row in ground.all(SQL.writing_staging)]


def _set(target: Target, release_id: str | None, message: str) -> tuple[datetime, bool]:
    """Since when the pause is in force, and whether it was before. Raises ReleaseBlockedError."""
    ground = target.ground
    with record.brief(target.ground):
        query = record.query(ground, SQL.set_pause)
        made = ground.one(query, {"release_id": release_id, "message": message, "actor": acting()})
        if made is not None:
            record.audit(
                ground,
                Action.WORKERS_PAUSE,
                {"environment": target.environment, "release": release_id, "message": message},
            )
            return made[0], False
        held = record.paused(ground)
    if held is None or not held.paused:
        raise _LiftedMeanwhileError
    mine = held.release_id == release_id if release_id is not None else _is_mine(held)
    if not mine:
        raise _held(target, held)
    return held.since, True


class _LiftedMeanwhileError(Exception):
    """Between the attempt to pause and the look at who did, the pause was lifted."""


def require_holder(target: Target, held: record.Pause, release_id: str | None) -> None:
    """Raises ReleaseBlockedError, saying who holds the pause, where it is not this release."""
    if held.release_id != release_id:
        raise _held(target, held)


def _is_mine(held: record.Pause) -> bool:
    return held.release_id is None and held.by == acting()


def _held(target: Target, held: record.Pause) -> ReleaseBlockedError:
    holder = f"{held.by}, for release {held.release_id[:12]}" if held.release_id else held.by
    return ReleaseBlockedError(
        f"The workers of {target.environment} are paused by {holder} since {held.since:%Y-%m-%d %H:%M} UTC: "
        f"{held.message}.",
        fix="Ask them; where nobody is at it any more, let the workers go on.",
        command=f"sitevault release resume --env {target.environment}",
    )


def _wait_for_work(target: Target, teller: Teller, deadline: float) -> None:
    """Until nobody carries events. Raises ReleaseBlockedError after the deadline, naming who still does."""
    shortest, longest = _LOOK_SECONDS
    told, look = -TELL_EVERY_SECONDS, shortest
    while busy := at_work(target):
        now = time.monotonic()
        names = ", ".join(map(str, busy))
        if now >= deadline:
            raise ReleaseBlockedError(
                f"Still at work: {names}. Nothing was changed, and the workers go on.",
                fix="See what they do; a worker that hangs is restarted, its events are carried again.",
                command="sitevault status",
            )
        if now - told >= TELL_EVERY_SECONDS:
            teller("pause", f"Waiting for {len(busy)} at work: {names}", waiting_for=len(busy))
            told = now
        time.sleep(look)
        look = min(longest, look * 1.5)


def _unpausable(target: Target) -> str | None:
    if scheduler.kind(target) is not None:
        return None
    return (
        f"Nothing here can pause the jobs of {target.environment}: it has neither pg_cron nor "
        f"[environments.{target.environment}.scheduler]. Only who asks sitevault_release.pause stands still."
    )


def _note(target: Target, release_id: str | None, step: str, message: str, details: dict[str, Any]) -> None:
    with record.brief(target.ground):
        record.note(target.ground, release_id or NOBODYS, step, message, details)


def _patiently(work: Callable[[], Result]) -> Result:
    for _ in range(_ATTEMPTS - 1):
        try:
            return work()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, _LiftedMeanwhileError):
            continue
    return work()
