"""A release tried on the target itself, there and back, in one transaction that is rolled back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sitevault.db.catalog import CatalogSnapshot
from sitevault.db.restore import CannotRestoreError
from sitevault.release import (
    agreement,
    apply,
    contention,
    locks,
    plan,
    probe,
    record,
    sessions,
    static,
    verify,
    way_back,
)
from sitevault.release.events import Teller
from sitevault.release.hazards import HazardName
from sitevault.release.model import (
    Bundle,
    PlannedChange,
    ReleaseBlockedError,
    ReleaseError,
    ReleasePlan,
)
from sitevault.release.probe import Compared, Verdict
from sitevault.release.static import Fault
from sitevault.release.target import Target

SECONDS_LOCKED = 1.0
"""How long events are tried while tables are locked: the site's calls wait for it."""

_NO_WAY_BACK = {HazardName.IRREVERSIBLE, HazardName.DATA_LOSS}


@dataclass
class Rehearsal:
    """What a release would do, as it was seen; `reasons` say why it must not."""

    plan_digest: str
    environment: str
    changes: tuple[PlannedChange, ...] = ()
    compared: Compared | None = None
    left_out: int = 0
    """Events for which there was no time."""
    brings: list[Fault] = field(default_factory=list)
    mends: list[Fault] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each step took; what follows `apply` goes on under the release's locks."""

    @property
    def ok(self) -> bool:
        return not self.reasons


def rehearse(target: Target, bundle: Bundle, made: ReleasePlan, teller: Teller) -> Rehearsal:
    """Carry the plan out on the target, look, and take it back; the target is as it was, whatever happens.

    Raises ReleaseBlockedError for another database, another bundle or a moved object, and for a lock that somebody
    holds; ReleaseError where the bundle fails. What was seen and speaks against the release is in `reasons`.
    """
    record.require_identity(target, made.identity)
    if bundle.digest != made.bundle_digest:
        raise ReleaseBlockedError(
            f"The plan is for the bundle {made.bundle_digest[:12]}; this is {bundle.digest[:12]}.",
            fix="Give the bundle that was planned, or plan this one.",
            command=f"sitevault release plan BUNDLE --env {target.environment}",
        )
    seen = Rehearsal(made.digest, target.environment, made.changes)
    seen.remarks += [one.shown for one in sessions.long(target)]
    with (
        contention.bounded(target, "The rehearsal"),
        target.ground.transaction(),
        target.ground.conn.transaction(force_rollback=True),
    ):
        _there_and_back(target, bundle, made, seen, teller)
    teller("rehearse", "Rolled back" if seen.ok else f"Refused, and rolled back: {'; '.join(seen.reasons)}")
    return seen


def _there_and_back(target: Target, bundle: Bundle, made: ReleasePlan, seen: Rehearsal, teller: Teller) -> None:
    with _step(seen, teller, "look", "Taking the catalog"):
        before = target.snapshot()
        if moved := plan.moved(made, before):
            raise ReleaseBlockedError(
                f"Changed since the plan was made: {', '.join(moved)}.",
                fix="Make the plan again.",
                command=f"sitevault release plan BUNDLE --env {target.environment}",
            )
        faults = static.faults(target)
    with _step(seen, teller, "probe before", "Trying real events as it is now"):
        old = probe.probe(target)
    with _step(seen, teller, "apply", f"Applying {len(made.migrations) + len(made.objects)} files"):
        locks.take(target, locks.relations(bundle, before))
        apply.whole(target, bundle, made.parameters)
        _compare_catalogs(target, bundle, made, before, seen)
    with _step(seen, teller, "check", "Reading the functions"):
        now = static.faults(target)
        seen.brings, seen.mends = static.new(faults, now), static.gone(faults, now)
        seen.reasons += [f"it brings {fault.shown}" for fault in seen.brings]
    with _step(seen, teller, "probe after", "Trying the same events as it would be"):
        altered = locks.relations(bundle, before)
        new = probe.probe(target, seconds=SECONDS_LOCKED if altered else probe.SECONDS, also=old.doors)
    _judge_events(old, new, made, seen)
    with _step(seen, teller, "verify", "Asking what its authors check"):
        seen.reasons += verify.not_true(target, bundle, made.parameters)
    with _step(seen, teller, "back", "Taking it back"):
        _back(target, bundle, made, before, seen)


def _compare_catalogs(
    target: Target, bundle: Bundle, made: ReleasePlan, before: CatalogSnapshot, seen: Rehearsal
) -> None:
    after = target.snapshot()
    changes = list(before.changes(after))
    seen.reasons += [f"{name} does not become what the plan says" for name in plan.different(made, changes)]
    server = target.ground.conn.info.server_version
    seen.reasons += agreement.disagreements(bundle, changes, before, after, server)


def _judge_events(old: probe.Probed, new: probe.Probed, made: ReleasePlan, seen: Rehearsal) -> None:
    compared = seen.compared = probe.compare(old, new)
    seen.left_out = max(old.left_out, new.left_out)
    if broken := [one for one in compared.events if one.verdict is Verdict.BROKEN]:
        doors = ", ".join(sorted({one.entry for one in broken}))
        seen.reasons.append(f"{len(broken)} events that went through do not any more: {doors}")
    for entry, columns in compared.lost.items():
        shown = ", ".join(f"{name} of {count}" for name, count in sorted(columns.items()))
        text = f"{entry} loses what it filled before: {shown} events"
        if HazardName.OUTPUT_LOST in made.accepted:
            seen.remarks.append(f"{text} (accepted)")
        else:
            seen.reasons.append(f"{text}; where that is meant, plan with --accept {HazardName.OUTPUT_LOST}")
    if worse := compared.count(Verdict.WORSE):
        seen.remarks.append(f"{worse} events are judged worse by their validation")
    if failing := compared.count(Verdict.STILL_FAILS):
        seen.remarks.append(f"{failing} times an event fails as it did before")
    for entry in sorted({one.entry for one in compared.events if one.verdict is Verdict.CLOSED}):
        seen.remarks.append(f"{entry} carries no events any more")
    if not compared.events:
        seen.remarks.append("no event was there to try it with")
    if seen.left_out:
        seen.remarks.append(f"{seen.left_out} events were left out: there was no time for them")


def _back(target: Target, bundle: Bundle, made: ReleasePlan, before: CatalogSnapshot, seen: Rehearsal) -> None:
    if accepted := _NO_WAY_BACK & set(made.accepted):
        seen.remarks.append(f"no way back was tried: {', '.join(sorted(accepted))} is accepted")
        return
    try:
        with target.ground.conn.transaction():
            way_back.lead(target, bundle, before, None, made.settings)
    except (CannotRestoreError, ReleaseError) as error:
        seen.reasons.append(f"there is no way back: {error.message}")


@contextmanager
def _step(seen: Rehearsal, teller: Teller, name: str, message: str) -> Iterator[None]:
    teller("rehearse", message)
    start = time.monotonic()
    yield
    seen.seconds[name] = round(time.monotonic() - start, 3)
