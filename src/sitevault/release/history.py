"""What was released to an environment, how it stands there, and which environment is ahead of which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sitevault.errors import SitevaultError
from sitevault.release import attest, lock, outlook, record
from sitevault.release.attest import Statement
from sitevault.release.environments import Environments
from sitevault.release.outlook import Finding, Health, Sight, worst
from sitevault.release.record import Observation, Pause, Released
from sitevault.release.target import Target


@dataclass(frozen=True)
class Standing:
    """How an environment stands."""

    environment: str
    findings: tuple[Finding, ...]
    location: str | None = None
    shape: str | None = None
    fingerprint: str | None = None
    releases: tuple[Released, ...] = ()
    """The newest first."""
    observation: Observation | None = None
    """The last one of the release in force."""
    pause: Pause | None = None
    statements: tuple[Statement, ...] = ()
    not_genuine: tuple[str, ...] = ()
    next_step: str | None = None

    @property
    def health(self) -> Health:
        return worst(one.health for one in self.findings)

    @property
    def current(self) -> Released | None:
        return next((one for one in self.releases if one.in_force), None)

    @property
    def undone(self) -> Released | None:
        """The newest release, if it was taken back."""
        return self.releases[0] if self.releases and not self.releases[0].in_force else None

    @property
    def command(self) -> str | None:
        """What to do next."""
        return self.findings[0].command if self.findings else self.next_step


def standing(target: Target, settings: Environments) -> Standing:
    """How the environment stands that this database is; what is wrong is a finding, never raised."""
    name = target.environment
    try:
        identity = record.require_identity(target)
    except SitevaultError as error:
        return Standing(name, (_from(error, Health.FINDINGS),), target.location, target.shape)
    ground = target.ground
    releases = record.releases(ground)
    pause = record.paused(ground)
    statements, wrong = attest.genuine(
        (row.envelope for row in record.attestations(ground)), attest.distinct(settings.people)
    )
    current = next((one for one in releases if one.in_force), None)
    observed = record.observations(ground, current.release_id) if current else []
    sight = Sight(
        environment=name,
        next_environment=after(settings, name),
        releases=releases,
        pause=pause,
        at_work=lock.holder(target),
        observations=observed,
        last_step=_last_step(target, pause),
        statements=statements,
        approvals=settings[name].approvals,
    )
    return Standing(
        environment=name,
        findings=tuple(outlook.findings(sight)),
        location=target.location,
        shape=target.shape,
        fingerprint=identity.fingerprint,
        releases=tuple(releases),
        observation=observed[-1] if observed else None,
        pause=pause if pause and pause.paused else None,
        statements=tuple(statements),
        not_genuine=tuple(wrong),
        next_step=outlook.next_step(sight),
    )


def everywhere(settings: Environments, opened: Callable[[str], AbstractContextManager[Target]]) -> list[Standing]:
    """How each environment stands, in their order; one that cannot be reached is unknown, with the reason."""
    found = []
    for name in settings.of:
        try:
            with opened(name) as target:
                found.append(standing(target, settings))
        except SitevaultError as error:
            found.append(Standing(name, (_from(error, Health.UNKNOWN),)))
    return found


def ahead(standings: Sequence[Standing], settings: Environments) -> list[Finding]:
    """Which environment is ahead of the next; one that has what the one before never had is a finding."""
    by_name = {one.environment: one for one in standings}
    pairs = ((by_name.get(settings.before(one.environment) or ""), one) for one in standings)
    return [
        _compared(before, one)
        for before, one in pairs
        if before is not None and before.fingerprint and one.fingerprint and _digest(before) != _digest(one)
    ]


def _compared(before: Standing, one: Standing) -> Finding:
    """What two environments with different bundles in force are to one another."""
    had = {None, *(released.bundle_digest for released in before.releases)}
    if _digest(one) not in had:
        return Finding(
            Health.FINDINGS,
            f"{one.environment} has {_called(one.current)}, which {before.environment} never had.",
            f"sitevault release history --env {one.environment}",
        )
    return Finding(
        Health.HEALTHY,
        f"{before.environment} is ahead of {one.environment}: {_called(before.current)} there, "
        f"{_called(one.current)} here.",
        f"sitevault release promote --env {one.environment}",
    )


def _digest(one: Standing) -> str | None:
    return one.current.bundle_digest if one.current else None


def after(settings: Environments, name: str) -> str | None:
    """The first environment that takes what passed in this one."""
    return next((other for other in settings.of if settings.before(other) == name), None)


def _called(released: Released | None) -> str:
    if released is None:
        return "nothing"
    return f"{released.name} {released.version} ({released.bundle_digest[:12]})"


def _last_step(target: Target, pause: Pause | None) -> str | None:
    if pause is None or pause.release_id is None:
        return None
    lines = record.journal(target.ground, pause.release_id)
    return f"{lines[-1].step}: {lines[-1].message}" if lines else None


def _from(error: SitevaultError, health: Health) -> Finding:
    says = error.message + (f" {error.fix}" if error.fix else "")
    return Finding(health, says, error.command or "sitevault release status")
