"""Takes releases back: every object as it was, to the byte, and exactly the events that failed under them."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import psycopg
from psycopg import errors

from sitevault.db.catalog import CatalogSnapshot, Change
from sitevault.db.restore import CannotRestoreError
from sitevault.release import locks, pause, record, touched, way_back
from sitevault.release.events import Teller
from sitevault.release.lock import locked
from sitevault.release.model import ReleaseBlockedError, ReleaseError, UndoFailedError
from sitevault.release.record import Released
from sitevault.release.target import Target
from sitevault.tenancy.audit_log import Action

SHORTEST_ID = 6
"""Digits of a plan's digest that name a release."""


class Undone(NamedTuple):
    """What was taken back; `requeued` events failed under it and are PENDING again."""

    release_id: str
    name: str
    version: str
    objects: tuple[str, ...]
    requeued: int


def undo(target: Target, to: str | None, why: str, teller: Teller) -> list[Undone]:
    """Take back the newest release in force; with `to`, all that came after that one (`start`: all of them).

    Safe to repeat: where an undo was killed before the workers went on, they go on, and nothing else is taken back
    (an empty list). Raises ReleaseBlockedError where nothing is in force or an object moved since, UndoFailedError
    where the way back did not lead back (the release is then still in force, whole).
    """
    with locked(target, "undoing"):
        record.require_identity(target)
        if _left_paused(target, teller):
            return []
        chosen = _chosen(target, to)
        pause.pause(target, chosen[0].release_id, f"undoing {chosen[0].name} {chosen[0].version}", teller)
        done: list[Undone] = []
        try:
            for released in chosen:
                teller.release_id = released.release_id
                attempt = partial(_undo, target, released, why, teller)
                done.append(locks.patiently(target, teller, "undo", attempt))
        finally:
            pause.resume(target, teller, release_id=chosen[0].release_id)
        return done


def _left_paused(target: Target, teller: Teller) -> bool:
    """Whether an undo ended between its commit and the end of its pause; then the workers go on."""
    held = pause.in_force(target)
    known = record.find(target.ground, held.release_id) if held is not None and held.release_id else None
    if known is None or known.in_force:
        return False
    teller("undo", f"{known.name} {known.version} was taken back already; only the pause was left")
    return pause.resume(target, teller, release_id=known.release_id)


def _chosen(target: Target, to: str | None) -> list[Released]:
    in_force = [one for one in record.releases(target.ground) if one.in_force]
    if not in_force:
        raise ReleaseBlockedError(
            f"No release is in force in {target.environment}.",
            command=f"sitevault release history --env {target.environment}",
        )
    if to is None:
        return in_force[:1]
    if to == "start":
        return in_force
    places = [place for place, one in enumerate(in_force) if one.version == to] or [
        place for place, one in enumerate(in_force) if len(to) >= SHORTEST_ID and one.release_id.startswith(to)
    ]
    if len(places) != 1:
        raise ReleaseBlockedError(
            f"{'Several releases are' if places else 'No release in force is'} called {to!r}.",
            fix="Name a version or the beginning of a plan's digest; `start` takes all of them back.",
            command=f"sitevault release history --env {target.environment}",
        )
    if places[0] == 0:
        raise ReleaseBlockedError(f"{to} is the newest release in force: nothing came after it.")
    return in_force[: places[0]]


def _undo(target: Target, released: Released, why: str, teller: Teller) -> Undone:
    ground, bundle = target.ground, released.decoded_bundle()
    changes = record.recorded_objects(ground, released.release_id)
    teller("undo", f"Taking back {released.name} {released.version}: {len(changes)} objects")
    try:
        with ground.transaction():
            now = target.snapshot()
            _require_as_left(changes, now)
            failed = touched.touched(target, released)  # before our own locks stand in the judge's way
            locks.take(target, locks.altered(changes, now))
            plan = released.decoded_plan()
            way_back.lead(target, bundle, as_it_was(now, changes), plan.migrations, plan.settings)
            requeued = touched.requeue(target, failed)
            record.forget_files(ground, released.release_id)
            record.end_release(ground, released.release_id, "UNDONE", why)
            record.note(ground, released.release_id, "undo", f"Taken back: {why}")
            record.audit(
                ground,
                Action.RELEASE_UNDO,
                {
                    "environment": target.environment,
                    "bundle": released.bundle_digest,
                    "plan": released.release_id,
                    "why": why,
                },
            )
    except (ReleaseError, CannotRestoreError) as error:
        raise UndoFailedError(
            f"{released.name} {released.version} could not be taken back: {error.message} It is in force, whole.",
            fix="Restore from a backup, or release a correction.",
            command=f"sitevault release status --env {target.environment}",
        ) from error
    except psycopg.OperationalError as error:
        if isinstance(error, errors.LockNotAvailable | errors.DeadlockDetected):
            raise
        raise UndoFailedError(
            f"The connection was lost: {' '.join(str(error).split())}. It was taken back whole, or not at all.",
            fix="The status says which; the same undo again goes on from there.",
            command=f"sitevault release status --env {target.environment}",
        ) from error
    teller("undo", f"Every object is as it was; {requeued} events are PENDING again", requeued=requeued)
    return Undone(
        released.release_id,
        released.name,
        released.version,
        tuple(str(change.object) for change in changes),
        requeued,
    )


def as_it_was(now: CatalogSnapshot, changes: list[Change]) -> CatalogSnapshot:
    """The catalog of now, with what the release changed as it was before."""
    before = {**now.objects, **{one.object: one.before for one in changes if one.before is not None}}
    gone = {one.object for one in changes if one.before is None}
    return CatalogSnapshot({name: definition for name, definition in before.items() if name not in gone})


def _require_as_left(changes: list[Change], now: CatalogSnapshot) -> None:
    moved = [str(was.object) for was in changes if now.objects.get(was.object) != was.after]
    if moved:
        raise ReleaseBlockedError(
            f"Changed since the release: {', '.join(moved)}.",
            fix="Undoing would lose those changes: first bring back what the release had made.",
            command="sitevault release status",
        )
