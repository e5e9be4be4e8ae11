"""What the record of an environment means: what is wrong, what nobody knows yet, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from sitevault.errors import Exit
from sitevault.release.attest import Approval, Statement
from sitevault.release.record import Observation, Pause, Released


class Health(StrEnum):
    """Only `healthy` is green."""

    HEALTHY = "healthy"
    FINDINGS = "findings"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> Exit:
        return {"healthy": Exit.OK, "findings": Exit.FINDINGS, "unknown": Exit.UNKNOWN}[self.value]


def worst(found: Iterable[Health]) -> Health:
    """The gravest of several."""
    there = set(found)
    return next((one for one in (Health.FINDINGS, Health.UNKNOWN) if one in there), Health.HEALTHY)


class Finding(NamedTuple):
    """What is so, what it means, and the command to go on with; `health` is what it makes of the environment."""

    health: Health
    says: str
    command: str


@dataclass(frozen=True)
class Sight:
    """Everything on record that an outlook is made from; releases are the newest first."""

    environment: str
    next_environment: str | None
    releases: list[Released]
    pause: Pause | None
    at_work: str | None
    """Who holds the lock of releases, at this moment."""
    observations: list[Observation] = field(default_factory=list)
    """Of the release in force, the oldest first."""
    last_step: str | None = None
    """What the journal says last of the release that the pause names, or of the one in force."""
    statements: list[Statement] = field(default_factory=list)
    """The genuine attestations."""
    approvals: int = 0
    """How many the environment demands of a plan."""

    @property
    def current(self) -> Released | None:
        return next((one for one in self.releases if one.in_force), None)

    def command(self, what: str, rest: str = "") -> str:
        return f"sitevault release {what} --env {self.environment}{rest}"


def findings(sight: Sight) -> Iterator[Finding]:
    """What keeps an environment from being healthy, the gravest first."""
    if sight.at_work is not None:
        yield Finding(Health.UNKNOWN, f"A release is under way: {sight.at_work}.", sight.command("history"))
        return
    if sight.pause is not None and sight.pause.paused:
        yield _paused(sight, sight.pause)
    current = sight.current
    if current is not None:
        yield from _of_current(sight, current)


def next_step(sight: Sight) -> str | None:
    """The command that goes on from a healthy environment; None where there is nothing to do."""
    if (waiting := _waiting_plan(sight)) is not None:
        if len(_approvers(sight, waiting)) < sight.approvals:
            return sight.command("approve PLAN", " --as PERSON --key FILE")
        return sight.command("deploy BUNDLE PLAN")
    known = {one.bundle_digest for one in sight.releases}
    if any(one.kind == "PASSED" and one.bundle_digest not in known for one in sight.statements):
        return sight.command("plan BUNDLE")
    current = sight.current
    if current is None:
        return sight.command("plan BUNDLE")
    if sight.next_environment is not None:
        return f"sitevault release promote --env {sight.next_environment}"
    return None


def _waiting_plan(sight: Sight) -> str | None:
    """A plan that was approved and not deployed, of a bundle that is not in force."""
    deployed = {one.release_id for one in sight.releases}
    here = sight.current.bundle_digest if sight.current else None
    for one in reversed(sight.statements):
        said = one.predicate
        if not isinstance(said, Approval) or said.environment != sight.environment:
            continue
        if said.plan not in deployed and one.bundle_digest != here:
            return said.plan
    return None


def _approvers(sight: Sight, plan: str) -> set[str]:
    return {one.signer for one in sight.statements if one.kind == "APPROVED" and one.predicate.plan == plan}


def _paused(sight: Sight, pause: Pause) -> Finding:
    since = f"The workers are paused since {pause.since:%Y-%m-%d %H:%M} UTC by {pause.by} ({pause.message})"
    resume = sight.command("resume")
    if pause.release_id is None:
        return Finding(
            Health.FINDINGS, f"{since}: a person's pause. Events land and wait; nothing is processed.", resume
        )
    plan = pause.release_id[:12]
    release = next((one for one in sight.releases if one.release_id == pause.release_id), None)
    if release is None:
        return Finding(
            Health.FINDINGS,
            f"{since}, and nobody is at it. The deploy of plan {plan} did not happen; nothing was changed. Run "
            "that deploy again, or let the workers go on as before: resume.",
            resume,
        )
    if not release.in_force:
        return Finding(
            Health.FINDINGS,
            f"{since}, and nobody is at it. Release {plan} was taken back; the workers were to go on and did not. "
            "What is in force is what was before it: resume.",
            resume,
        )
    last = f" The journal's last line: {sight.last_step}" if sight.last_step else ""
    return Finding(
        Health.FINDINGS,
        f"{since}, and nobody is at it. The deploy of plan {plan} happened, whole, and ended before the workers "
        f"went on: run the same deploy again and it goes on by canary, or undo it.{last}",
        sight.command("deploy BUNDLE PLAN"),
    )


def _of_current(sight: Sight, current: Released) -> Iterator[Finding]:
    what = f"{current.name} {current.version}"
    last = sight.observations[-1] if sight.observations else None
    if current.state == "HELD":
        yield Finding(
            Health.FINDINGS,
            f"{what} failed and is held in force{_because(current)}: undo it, or let it pass.",
            sight.command("undo"),
        )
    elif current.state == "DEPLOYED" and last is not None and last.verdict == "FAIL":
        yield Finding(
            Health.FINDINGS,
            f"{what} was judged FAIL at {last.observed_at:%H:%M} UTC and is still in force: whoever observed it "
            "ended before it was undone.",
            sight.command("undo"),
        )
    elif current.state == "DEPLOYED":
        judged = (
            "nobody judged it yet" if last is None else f"so far {last.verdict}, at {last.observed_at:%H:%M} UTC"
        )
        yield Finding(
            Health.UNKNOWN, f"{what} is deployed and under observation: {judged}.", sight.command("observe")
        )


def _because(release: Released) -> str:
    return f" ({release.note})" if release.note else ""
