"""Carries a plan out in its environment: all of it or nothing; then lets the events back in, step by step."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg import errors

from sitevault.db.catalog import CatalogSnapshot, Change
from sitevault.db.restore import CannotRestoreError
from sitevault.errors import SitevaultError
from sitevault.observe.kpis import Verdict
from sitevault.release import (
    apply,
    approve,
    canary,
    carried,
    compared,
    locks,
    pause,
    preflight,
    probe,
    promote,
    record,
    touched,
    undo,
    verify,
    way_back,
)
from sitevault.release.canary import CanaryResult
from sitevault.release.environments import Environments
from sitevault.release.events import Listener, Teller
from sitevault.release.lock import locked
from sitevault.release.model import (
    Bundle,
    InterruptedDeployError,
    ReleaseBlockedError,
    ReleaseError,
    ReleasePlan,
)
from sitevault.release.plan import different, moved, unaccepted
from sitevault.release.target import Target, is_lost
from sitevault.release.undo import Undone
from sitevault.repair.ground import Ground
from sitevault.tenancy.audit_log import Action

PROBED_EVENTS = 50
PROBE_SECONDS = 3.0
"""The rehearsal tries more; here every second is one that locks are held."""

LOOK_AGAIN_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""A killed server needs its time to recover."""

IRREVERSIBLE = frozenset({"irreversible", "data_loss"})


class Deployed(NamedTuple):
    """What a deploy did; `already` when the plan was in force before."""

    release_id: str
    objects: tuple[str, ...]
    already: bool
    canary: CanaryResult | None
    undone: tuple[Undone, ...] = ()

    @property
    def stopped(self) -> bool:
        """Whether the canary met a FAIL: the workers are paused until somebody decides, or it was taken back."""
        return self.canary is not None and self.canary.stopped

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "success": not self.stopped,
            "release": self.release_id,
            "already": self.already,
            "objects": self.objects,
            "canary": None if self.canary is None else [step._asdict() for step in self.canary.steps],
            "undone": [one._asdict() for one in self.undone],
        }

    @property
    def text(self) -> str:
        """How it ended, in a line or two."""
        if self.undone:
            return f"The canary failed; {self.undone[0].name} {self.undone[0].version} is taken back, exactly."
        if self.stopped:
            return "The canary failed. The release is in force, the workers are paused: undo it, or resume."
        if self.already:
            return f"It was in force already ({self.release_id[:12]})."
        return f"Deployed: {len(self.objects)} objects changed ({self.release_id[:12]})."


def deploy(
    target: Target,
    bundle: Bundle,
    plan: ReleasePlan,
    environments: Environments,
    listener: Listener,
    steps: Sequence[str],
) -> Deployed:
    """Carry the plan out and let the events back in; a FAIL of the canary takes it back, or holds it paused.

    See Deploy.run for what is raised, and for what is left behind.
    """
    teller = Teller(listener, target.environment, plan.digest)
    done = Deploy(target, bundle, plan, environments, teller).run(steps)
    if not done.stopped:
        return done
    why = f"FAIL: the canary stopped at step {done.canary.failed_step if done.canary else '?'}"
    if target.settings.on_fail == "hold":
        with target.ground.transaction():
            record.end_release(target.ground, plan.digest, "HELD", why)
        return done
    return done._replace(undone=tuple(undo.undo(target, None, why, teller)))


@dataclass(frozen=True)
class Deploy:
    """One deploy of one plan."""

    target: Target
    bundle: Bundle
    plan: ReleasePlan
    environments: Environments
    teller: Teller

    def run(self, steps: Sequence[str]) -> Deployed:
        """Gate, pause, apply, verify, resume.

        Safe to repeat: what was committed is not done again, what was not leaves nothing behind. Raises
        ReleaseBlockedError before anything is changed, ReleaseError after everything was rolled back.
        """
        with locked(self.target, f"deploying {self.plan.digest[:12]}"):
            done = self._in_force()
            objects: tuple[str, ...] = ()
            if done is None:
                self._require_leave()
                self._pause()
                try:
                    objects = locks.patiently(self.target, self.teller, "apply", self._apply)
                except BaseException as error:
                    self._give_up(error)
                    raise
                self._take_effect()
            elif not self._paused_by_us():
                return Deployed(self.plan.digest, (), True, None)
            else:
                self.teller("deploy", "It is in force already; resuming where it was left")
                self._take_effect()
            let_in = self._let_in(steps)
            return Deployed(self.plan.digest, objects, done is not None, let_in)

    def _check(self) -> Verdict:
        """What is to be said of what the canary has carried so far; only a FAIL stops it."""
        released = record.find(self.target.ground, self.plan.digest)
        return Verdict.NO_DATA if released is None else carried.judge(self.target, released)

    def _in_force(self) -> record.Released | None:
        record.require_identity(self.target, self.plan.identity)
        if self.bundle.digest != self.plan.bundle_digest:
            raise ReleaseBlockedError(
                f"The plan is for the bundle {self.plan.bundle_digest[:12]}; this is {self.bundle.digest[:12]}.",
                fix="Give the bundle that was planned, or plan this one.",
                command=f"sitevault release plan --env {self.target.environment}",
            )
        known = record.find(self.target.ground, self.plan.digest)
        if known is not None and not known.in_force:
            raise ReleaseBlockedError(
                f"This plan was deployed on {known.deployed_at:%Y-%m-%d %H:%M} and undone since.",
                fix="Make a plan for what is there now.",
                command=f"sitevault release plan --env {self.target.environment}",
            )
        return known

    def _require_leave(self) -> None:
        """Everything that may forbid it, before anything is touched."""
        open_hazards = unaccepted(self.plan)
        if open_hazards:
            raise ReleaseBlockedError(
                "Not accepted by name: " + "; ".join(f"{one.name} ({one.why})" for one in open_hazards) + ".",
                fix="Read them; then make the plan accepting them: "
                + " ".join(f"--accept {one.name}" for one in open_hazards),
                command=f"sitevault release plan --env {self.target.environment}",
            )
        promote.require_previous(self.target, self.bundle, self.environments)
        approve.require(self.target, self.plan, self.bundle, self.environments)
        self.teller("preflight", "Looking at the environment")
        found = preflight.run(self.target, self.bundle, self.plan)
        blocked = [one for one in found if one.verdict == "blocked"]
        if blocked:
            raise ReleaseBlockedError(
                "The preflight stops it: " + "; ".join(f"{one.item}: {one.evidence}" for one in blocked) + ".",
                fix=" ".join(one.fix for one in blocked if one.fix) or "See the whole list.",
                command=f"sitevault release preflight --env {self.target.environment}",
            )

    def _pause(self) -> None:
        message = f"deploying {self.plan.bundle_name} {self.plan.bundle_version}"
        pause.pause(self.target, self.plan.digest, message, self.teller)

    def _paused_by_us(self) -> bool:
        now = record.paused(self.target.ground)
        return now is not None and now.paused and now.release_id == self.plan.digest

    def _take_effect(self) -> None:
        """From now on events count as this release's, unless some were let in already."""
        ground = self.target.ground
        try:
            if not any(one.step == "canary" for one in record.journal(ground, self.plan.digest)):
                record.take_effect(ground, self.plan.digest)
        except psycopg.OperationalError as error:
            raise self._lost(error) from error

    def _let_in(self, steps: Sequence[str]) -> CanaryResult:
        try:
            return canary.run(self.target, self.plan.digest, tuple(steps), self.teller, self._check)
        except psycopg.Error as error:
            if is_lost(error):
                raise self._lost(error) from error
            raise

    def _give_up(self, error: BaseException) -> None:
        """The workers go on with what was there before; where the database is gone, the pause stays and tells."""
        with suppress(psycopg.Error, SitevaultError):
            if record.find(self.target.ground, self.plan.digest) is None:
                pause.resume(self.target, self.teller, release_id=self.plan.digest)
                self.teller("deploy", f"Nothing was changed: {type(error).__name__}")

    def _apply(self) -> tuple[str, ...]:
        ground = self.target.ground
        started, baseline = compared.database_clock(self.target), compared.encoded(compared.freeze(self.target))
        self.teller("apply", f"Applying {len(self.plan.migrations) + len(self.plan.objects)} files")
        try:
            with ground.transaction():
                before = self.target.snapshot()
                require_unmoved(self.plan, before)
                old = probe.probe(self.target, PROBED_EVENTS, PROBE_SECONDS)
                locks.take(self.target, locks.relations(self.bundle, before))
                self._prove_the_way_back(before)
                standing, ran = touched.standing(self.target), record.files(ground)
                apply.whole(self.target, self.bundle, self.plan.parameters)
                changes = list(before.changes(self.target.snapshot()))
                require_as_planned(self.plan, changes)
                verify.require(self.target, self.bundle, self.plan, changes, before)
                new = probe.probe(self.target, PROBED_EVENTS, PROBE_SECONDS, old.doors)
                verify.require_no_worse(self.plan, probe.compare(old, new))
                record.record_release(
                    ground,
                    self.plan,
                    self.bundle,
                    changes,
                    started_at=started,
                    baseline=baseline,
                    standing=standing,
                )
                self._note_within(changes, ran)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            raise
        except psycopg.Error as error:
            if ground.conn.broken:
                raise self._lost(error) from error
            raise ReleaseError(
                f"The deploy failed: {error.sqlstate} {error.diag.message_primary or error}. Nothing was changed.",
                fix="See what the rehearsal says.",
                command=f"sitevault release rehearse --env {self.target.environment}",
            ) from error
        self.teller("apply", f"{len(changes)} objects changed, verified, committed")
        return tuple(str(change.object) for change in changes)

    def _prove_the_way_back(self, before: CatalogSnapshot) -> None:
        """There and back in a savepoint: a backup that was never restored is not a backup."""
        if IRREVERSIBLE & {hazard.name for hazard in self.plan.hazards}:
            self.teller("backup", "No way back was tried: the plan accepts that there is none")
            return
        with self.target.ground.conn.transaction(force_rollback=True):
            apply.whole(self.target, self.bundle, self.plan.parameters)
            try:
                way_back.lead(self.target, self.bundle, before)
            except CannotRestoreError as error:
                raise ReleaseError(
                    f"There is no way back: {error.message} Nothing was changed.",
                    fix="Write a revert file for the migration, or accept it by name.",
                    command=f"sitevault release plan --env {self.target.environment} --accept irreversible",
                ) from error
        self.teller("backup", "The way back was tried and leads back, to the byte")

    def _note_within(self, changes: Sequence[Change], ran: Mapping[str, str]) -> None:
        ground = self.target.ground
        for file in apply.pending(self.bundle, ran) if not self.bundle.own else ():
            record.add_file(ground, self.plan.digest, file.name, file.sha256)
        record.note(
            ground,
            self.plan.digest,
            "deploy",
            f"{self.bundle.name} {self.bundle.version} deployed: {len(changes)} objects changed",
            {"objects": [str(change.object) for change in changes]},
        )
        record.audit(
            ground,
            Action.RELEASE_DEPLOY,
            {
                "environment": self.target.environment,
                "bundle": self.bundle.digest,
                "plan": self.plan.digest,
                "objects": len(changes),
            },
        )

    def _lost(self, error: psycopg.Error) -> SitevaultError:
        """The server went away in the middle: the commit happened whole, or not at all. A look tells which."""
        why = f"The connection was lost: {' '.join(str(error).split())}."
        again = f"sitevault release deploy --env {self.target.environment}"
        happened = self._look_again()
        if happened is False:
            return ReleaseError(
                f"{why} Nothing was changed; the workers are paused.",
                fix="The same deploy again begins anew, or let the workers go on.",
                command=again,
            )
        return InterruptedDeployError(
            f"{why} "
            + ("The release is in force, whole" if happened else "Nobody could look what happened")
            + "; the workers are paused.",
            fix="The same deploy again goes on from where it is.",
            command=again,
        )

    def _look_again(self) -> bool | None:
        """Whether the release is in force; None while the server does not answer."""
        for wait in LOOK_AGAIN_SECONDS:
            with suppress(psycopg.Error, SitevaultError), closing(self.target.session("release-look")) as conn:
                seen = Ground(conn, house=self.target.house)
                return record.find(seen, self.plan.digest) is not None
            time.sleep(wait)
        return None


def require_unmoved(plan: ReleasePlan, now: CatalogSnapshot) -> None:
    """Raises ReleaseBlockedError where an object is no longer what the plan was made for."""
    if gone := moved(plan, now):
        raise ReleaseBlockedError(
            f"Changed since the plan was made: {', '.join(gone)}.",
            fix="Make the plan again, look at it, and have it approved.",
            command="sitevault release plan",
        )


def require_as_planned(plan: ReleasePlan, changes: Sequence[Change]) -> None:
    """Raises ReleaseError where other objects changed than planned, or became something else."""
    if other := different(plan, changes):
        raise ReleaseError(f"Not what was planned: {', '.join(other)}. Nothing was changed.")
