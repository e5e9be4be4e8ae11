"""The window after a deploy: judged again and again from raw data, until it is over or a gate FAILS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from sitevault.observe.kpis import Verdict
from sitevault.release import compared, hazards, judge, pause, promote, record, settings, undo
from sitevault.release.environments import Environments
from sitevault.release.events import Teller
from sitevault.release.gates.model import Drift, Probe, Thresholds, thresholds
from sitevault.release.judge import Judgement
from sitevault.release.lock import locked
from sitevault.release.model import ReleaseBlockedError
from sitevault.release.prober import Prober
from sitevault.release.record import Released
from sitevault.release.target import Target
from sitevault.release.undo import Undone
from sitevault.tenancy.audit_log import Action


class Signer(NamedTuple):
    """Whose key signs the verdict."""

    person: str
    key: Path


class Observed(NamedTuple):
    """How an observation ended."""

    release_id: str
    verdict: Verdict
    judgement: Judgement
    ended: str
    """passed, undone, held or inconclusive."""
    undone: tuple[Undone, ...] = ()


def look(target: Target, released: Released, probes: Sequence[Probe] | None = None) -> Judgement:
    """Judge the release once, from its deploy until now; writes nothing."""
    return judge.judge(
        target.judge,
        target.shape,
        released.deployed_at,
        thresholds=demanded(target, released),
        baseline=compared.decoded(released.baseline),
        probes=probes,
        drift=lambda: _drift(target, released),
    )


def demanded(target: Target, released: Released) -> Thresholds:
    """The environment's thresholds: what waited for a pause is not late for it, and where the plan accepts that
    there is nothing to compare with, nothing is compared.
    """
    wanted = thresholds(target.environment, target.settings.gates)
    limit = wanted.pending_limit_seconds
    patience = limit + pause.stood_still(target, limit, released.deployed_at)
    wanted = msgspec.structs.replace(wanted, pending_limit_seconds=patience)
    if hazards.HazardName.NO_BASELINE in released.decoded_plan().accepted:
        return msgspec.structs.replace(wanted, quality_drop=None, null_rate_drop=None)
    return wanted


def summary(judged: Judgement) -> str:
    """The verdict in a line: what failed, or what is missing and how long that takes."""
    if failed := judged.of(Verdict.FAIL):
        return "; ".join(f"{one.name} {one.note or one.target}" for one in failed)
    undecided = [one for one in judged.results if one.verdict is not Verdict.PASS]
    if not undecided:
        return f"all {len(judged.results)} gates pass"
    names = ", ".join(one.name for one in undecided)
    wait = judged.seconds_needed
    return f"{len(undecided)} of {len(judged.results)} gates undecided: {names}" + (
        "" if wait is None else f"; {wait:.0f} s more at this rate"
    )


def _drift(target: Target, released: Released) -> Drift:
    now = target.snapshot()
    changes = record.recorded_objects(target.ground, released.release_id)
    moved = [str(was.object) for was in changes if now.objects.get(was.object) != was.after]
    put = [
        one
        for one in released.decoded_bundle().settings
        if settings.named(one) in released.decoded_plan().settings
    ]
    if put:
        with target.ground.transaction():
            moved += map(settings.named, settings.pending(target, put))
            target.ground.within(None)
    return Drift(len(changes) + len(put), tuple(moved))


@dataclass(frozen=True)
class Observer:
    """Watches over the release in force of one environment, and acts on the verdict."""

    target: Target
    environments: Environments
    teller: Teller
    signer: Signer | None = None
    hold: bool = False
    """A FAIL does not take the release back, whatever the environment says."""

    def watch(
        self,
        stop: threading.Event,
        *,
        until_decided: bool = False,
        shown: Callable[[Judgement, float], None] = lambda judged, left: None,
    ) -> Observed:
        """Judge until the window is over; a FAIL ends it at once.

        PASS is given when the window is over, or with `until_decided` as soon as every gate has passed. Started
        again, it goes on with the same window. Raises ReleaseBlockedError where there is nothing to observe.
        """
        released = require_observable(self.target)
        if released.state == "PASSED":
            raise ReleaseBlockedError(
                f"{released.name} {released.version} has passed in {self.target.environment} already.",
                fix="Look at it as often as you like:",
                command=f"sitevault release watch --env {self.target.environment}",
            )
        self.teller.release_id = released.release_id
        ends = released.deployed_at + timedelta(hours=self.target.settings.observe_hours)
        with Prober(self.target.settings.health_url) as prober:
            while True:
                judged = look(self.target, released, prober.probes)
                self._remember(released, judged)
                left = max(0.0, (ends - compared.database_clock(self.target)).total_seconds())
                shown(judged, left)
                self.teller("observe", summary(judged), verdict=judged.verdict.value, seconds_left=round(left))
                if judged.verdict is Verdict.FAIL:
                    return self._failed(released, judged)
                if judged.verdict is Verdict.PASS and (until_decided or not left):
                    return self._passed(released, judged)
                if not left or stop.is_set():
                    return Observed(released.release_id, judged.verdict, judged, "inconclusive")
                stop.wait(min(self.target.settings.observe_every_seconds, left))

    def _remember(self, released: Released, judged: Judgement) -> None:
        with self.target.ground.transaction():
            results = msgspec.json.encode(judged.as_dict()).decode()
            record.add_observation(self.target.ground, released.release_id, judged.verdict.value, results)

    def _failed(self, released: Released, judged: Judgement) -> Observed:
        why = f"FAIL: {summary(judged)}"
        self.teller("verdict", why, verdict="FAIL")
        self._attest(released, judged, Verdict.FAIL)
        if self.hold or self.target.settings.on_fail == "hold":
            self._end(released, "HELD", why, Action.RELEASE_HOLD)
            return Observed(released.release_id, Verdict.FAIL, judged, "held")
        undone = undo.undo(self.target, None, why, self.teller)
        return Observed(released.release_id, Verdict.FAIL, judged, "undone", tuple(undone))

    def _passed(self, released: Released, judged: Judgement) -> Observed:
        self._attest(released, judged, Verdict.PASS)
        self._end(released, "PASSED", summary(judged), Action.RELEASE_PASS)
        self.teller("verdict", f"PASS: {summary(judged)}", verdict="PASS")
        return Observed(released.release_id, Verdict.PASS, judged, "passed")

    def _attest(self, released: Released, judged: Judgement, verdict: Literal[Verdict.PASS, Verdict.FAIL]) -> None:
        if self.signer is not None:
            promote.attest_verdict(
                self.target,
                released,
                judged.results,
                verdict,
                self.signer.person,
                self.signer.key,
                self.environments,
                until=judged.until,
            )

    def _end(self, released: Released, state: str, why: str, action: Action) -> None:
        target = self.target
        with locked(target, "closing an observation"), target.ground.transaction():
            record.end_release(target.ground, released.release_id, state, why)
            record.note(target.ground, released.release_id, "verdict", f"{state}: {why}")
            record.audit(
                target.ground,
                action,
                {"environment": target.environment, "bundle": released.bundle_digest, "plan": released.release_id},
            )


def require_observable(target: Target) -> Released:
    """The newest release in force, if it still waits for its verdict. Raises ReleaseBlockedError."""
    record.require_identity(target)
    released = record.current(target.ground)
    if released is None:
        raise ReleaseBlockedError(
            f"No release is in force in {target.environment}.",
            command=f"sitevault release history --env {target.environment}",
        )
    now = record.paused(target.ground)
    if now is not None and now.paused and now.release_id == released.release_id:
        raise ReleaseBlockedError(
            f"The deploy of {released.name} {released.version} has not resumed the workers yet ({now.message}).",
            fix="Deploy again: it goes on where it was left.",
            command=f"sitevault release deploy --env {target.environment}",
        )
    return released
