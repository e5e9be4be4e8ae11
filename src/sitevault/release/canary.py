"""Lets events in again by steps, while the workers pause: a few, a look, some more, a look, then all.

Each step carries waiting events itself. A FAIL stops at that step: the workers stay paused, and what was carried
is in the journal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sitevault.errors import UsageError
from sitevault.observe.kpis import Verdict
from sitevault.release import pause, record, scheduler
from sitevault.release.carriers import Carried, Carrier, carrier
from sitevault.release.events import Teller
from sitevault.release.target import Target

CHUNK = 100
MOST_IDS = 1_000
"""Numbers of events that a line of the journal names; how many were carried is always said."""

FAILED = frozenset({"error", "lost", "gone", "ERROR", "PROCESSED?"})
"""Where an event that failed ends, in the house and in a foreign database."""

_STEP = re.compile(r"(?P<number>[1-9]\d*)|(?P<share>\d+(?:\.\d+)?)%|tenants|all")

Check = Callable[[], Verdict]


class Step(NamedTuple):
    """A step that was taken: how many events it asked for, what it carried, and what was said of it then."""

    name: str
    wanted: int
    events: int
    outcomes: dict[str, int]
    verdict: Verdict


class CanaryResult(NamedTuple):
    """Every step that was taken, and whether the workers go on."""

    steps: tuple[Step, ...]
    resumed: bool

    @property
    def stopped(self) -> bool:
        """Whether a step met a FAIL; the workers are still paused then."""
        return self.failed_step is not None

    @property
    def failed_step(self) -> str | None:
        return next((step.name for step in self.steps if step.verdict is Verdict.FAIL), None)

    @property
    def events(self) -> int:
        return sum(step.events for step in self.steps)


def run(
    target: Target, release_id: str | None, steps: Sequence[str], teller: Teller, check: Check | None
) -> CanaryResult:
    """Resume what the release paused, step by step; `check` is asked after each that carried anything.

    Without a check an event that failed is a FAIL.

    Raises UsageError for a step that is none, ReleaseBlockedError where another holds the pause.
    """
    require_steps(steps)
    held = pause.in_force(target)
    if held is None:
        teller("canary", "Nobody is paused: there is nothing to let in by steps")
        return CanaryResult((), True)
    pause.require_holder(target, held, release_id)
    return _Canary(target, release_id, teller, check).run(steps)


def require_steps(steps: Sequence[str]) -> None:
    """Raises UsageError for a step that is none, and for one after `all`."""
    wrong = [step for step in steps if not _STEP.fullmatch(step)]
    if wrong:
        raise UsageError(
            f"{wrong[0]!r} is no step of a canary.",
            fix="A step is a number of events (10), a share of what waits (5%), `tenants`, or `all`.",
        )
    if "all" in steps[:-1]:
        raise UsageError("Nothing can follow the step `all`: then the workers go on.")


class _Canary:
    def __init__(self, target: Target, release_id: str | None, teller: Teller, check: Check | None) -> None:
        self._target = target
        self._holder = release_id
        self._release_id = release_id or pause.NOBODYS
        self._teller = teller
        self._check = check
        self._done: list[Step] = []

    def run(self, steps: Sequence[str]) -> CanaryResult:
        with carrier(self._target, self._release_id) as carrying:
            for name in steps:
                for step in self._take(carrying, name):
                    self._done.append(step)
                    if step.verdict is Verdict.FAIL:
                        return self._stopped(step)
        resumed = "all" in steps and pause.resume(self._target, self._teller, self._holder)
        if not resumed:
            self._teller("canary", f"Still paused: sitevault release resume --env {self._target.environment}")
        return CanaryResult(tuple(self._done), resumed)

    def _take(self, carrying: Carrier, name: str) -> Iterator[Step]:
        """One step, or several of one name: every one of them is looked at."""
        if name == "tenants":
            yield self._one_of_each(carrying)
            for tenant_hk in carrying.waiting():
                yield from self._everything(carrying, name, tenant_hk)
        elif name == "all":
            # where workers or jobs take over, they carry the rest
            if scheduler.kind(self._target) is None:
                yield from self._everything(carrying, name, None)
        else:
            yield self._some(carrying, name)

    def _some(self, carrying: Carrier, name: str) -> Step:
        wanted = events_of(name, sum(carrying.waiting().values()))
        return self._judged(name, wanted, self._up_to(carrying, wanted))

    def _up_to(self, carrying: Carrier, wanted: int) -> Carried:
        """As many as are wanted; a claim of the house holds a limited number."""
        done = Carried()
        while (left := wanted - len(done.ids)) > 0 and done.broke is None:
            more = carrying.carry(left, may_exceed=not done.ids)
            if not more.ids and more.broke is None:
                break
            done = done.plus(more)
        return done

    def _one_of_each(self, carrying: Carrier) -> Step:
        before = carrying.waiting()
        done = Carried()
        for tenant_hk in before:
            if tenant_hk in done.tenants:
                continue  # came along in another tenant's batch
            done = done.plus(carrying.carry(1, tenant_hk))
            if done.broke is not None:
                break
        return self._judged("tenants", len(before), done)

    def _everything(self, carrying: Carrier, name: str, of: bytes | None) -> Iterator[Step]:
        while True:
            done = carrying.carry(CHUNK, of)
            if not done.ids and done.broke is None:
                return
            yield self._judged(name, CHUNK, done)
            if done.broke is not None:
                return

    def _judged(self, name: str, wanted: int, done: Carried) -> Step:
        events, outcomes = len(done.ids), dict(sorted(done.outcomes.items()))
        said = said_of(name, wanted, done)
        with record.brief(self._target.ground):
            record.note(
                self._target.ground,
                self._release_id,
                "canary",
                said,
                {
                    "step": name,
                    "wanted": wanted,
                    "events": events,
                    "outcomes": outcomes,
                    "why": dict(done.why.most_common(20)),
                    "broke": done.broke,
                    "raw_event_ids": list(done.ids[:MOST_IDS]),
                    "not_named": max(0, events - MOST_IDS),
                },
            )
        verdict = self._verdict(done)
        self._teller("canary", f"{said}: {verdict}", name=name, events=events, outcomes=outcomes, verdict=verdict)
        return Step(name, wanted, events, outcomes, verdict)

    def _verdict(self, done: Carried) -> Verdict:
        if done.broke is not None:
            return Verdict.FAIL
        if not done.ids:
            return Verdict.NO_DATA
        if self._check is not None:
            return self._check()
        return Verdict.FAIL if FAILED & done.outcomes.keys() else Verdict.PASS

    def _stopped(self, step: Step) -> CanaryResult:
        said = f"Stopped at step {step.name}: the workers stay paused"
        with record.brief(self._target.ground):
            record.note(self._target.ground, self._release_id, "canary", said, {"verdict": step.verdict})
        self._teller("canary", said)
        return CanaryResult(tuple(self._done), False)


def events_of(step: str, waiting: int) -> int:
    """How many events a step asks for, of those that wait."""
    found = _STEP.fullmatch(step)
    if found is None or not found["share"]:
        return int(step)
    return max(1, math.ceil(waiting * float(found["share"]) / 100))


def said_of(name: str, wanted: int, done: Carried) -> str:
    """What a step carried, in words."""
    if done.broke is not None:
        return f"Step {name}: {done.broke}; what was not carried waits as before"
    if not done.ids:
        return f"Step {name}: nothing waits"
    ended = ", ".join(f"{count} {place}" for place, count in sorted(done.outcomes.items()))
    more = f" (the smallest batch holds more than {wanted})" if len(done.ids) > wanted else ""
    return f"Step {name}: {len(done.ids)} events{more}: {ended}"
