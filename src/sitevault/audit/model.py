"""What an audit says: checks with findings, probes with verdicts, and one verdict over all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from sitevault.errors import Exit


class Verdict(StrEnum):
    OK = "ok"
    PROBLEM = "problem"
    UNKNOWN = "unknown"  # could not be tried or seen: never shown as ok

    @property
    def exit_code(self) -> Exit:
        return {Verdict.OK: Exit.OK, Verdict.PROBLEM: Exit.FINDINGS, Verdict.UNKNOWN: Exit.UNKNOWN}[self]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """PROBLEM before UNKNOWN before OK; nothing at all is UNKNOWN."""
    found = set(verdicts)
    for verdict in (Verdict.PROBLEM, Verdict.UNKNOWN, Verdict.OK):
        if verdict in found:
            return verdict
    return Verdict.UNKNOWN


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be: where, what, and the statements that mend it."""

    check: str
    object: str
    message: str
    repair: str


@dataclass(frozen=True)
class Checked:
    """One check of the catalog: what it looked at, how many, and what it found."""

    id: str
    title: str
    looked_at: str
    count: int
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        if self.findings:
            return Verdict.PROBLEM
        # A check that found nothing to look at has proved nothing.
        return Verdict.OK if self.count else Verdict.UNKNOWN


@dataclass(frozen=True)
class Probed:
    """One thing that was really tried: as whom, what, what had to happen and what happened."""

    id: str
    role: str
    tried: str
    expected: str
    happened: str
    verdict: Verdict


@dataclass(frozen=True)
class Provenance:
    """A tenant's landed events by what their keys say of them."""

    tenant_bk: str
    consistent: int
    contradiction: int
    unverifiable: int

    @property
    def verdict(self) -> Verdict:
        if self.contradiction:
            return Verdict.PROBLEM
        return Verdict.UNKNOWN if self.unverifiable else Verdict.OK


@dataclass(frozen=True)
class Report:
    """A whole audit."""

    server_version: str
    seconds: float
    checks: tuple[Checked, ...] = ()
    probes: tuple[Probed, ...] = ()
    provenance: tuple[Provenance, ...] = field(default=())

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for check in self.checks for finding in check.findings)

    @property
    def verdict(self) -> Verdict:
        parts: list[Checked | Probed | Provenance] = [*self.checks, *self.probes, *self.provenance]
        return worst(part.verdict for part in parts)


Notify = Callable[[str], None]
