"""What a lint is, and what it says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sitevault.release.model import Allowance, BundleError


class Severity(StrEnum):
    """What a finding does to the bundle."""

    ERROR = "error"  # refuses it
    WARNING = "warning"  # is shown
    UNKNOWN = "unknown"  # could not be looked at: shown, never as ok


@dataclass(frozen=True)
class Lint:
    """One thing that is looked for. The texts make its entry in the reference."""

    id: str
    severity: Severity
    looks_for: str
    why: str
    mend: str


class Finding(NamedTuple):
    """What a lint found: where, in which line (0: in no one line), and what it is."""

    lint: str
    severity: Severity
    where: str
    line: int
    message: str
    because: str | None = None
    """Why it was allowed all the same."""

    def __str__(self) -> str:
        place = f"{self.where}:{self.line}" if self.line else self.where
        meant = f" (allowed: {self.because})" if self.because else ""
        return f"{self.severity}  {self.lint}  {place}: {self.message}{meant}"


def found(lint: Lint, where: str, line: int, message: str, severity: Severity | None = None) -> Finding:
    """A finding of this lint."""
    return Finding(lint.id, severity or lint.severity, where, line, message)


def judge(findings: Iterable[Finding], allowed: Iterable[Allowance]) -> list[Finding]:
    """The findings, those that are allowed as warnings, worst first. Raises BundleError where an error is left."""
    meant = {(one.lint, one.where): one.because for one in allowed}
    judged = []
    for finding in findings:
        because = meant.get((finding.lint, finding.where))
        if finding.severity is Severity.ERROR and because:
            finding = finding._replace(severity=Severity.WARNING, because=because)
        judged.append(finding)
    judged.sort(key=lambda one: (list(Severity).index(one.severity), one.where, one.line, one.lint, one.message))
    refusing = [one for one in judged if one.severity is Severity.ERROR]
    if refusing:
        raise BundleError(
            "The bundle is refused:\n" + "\n".join(f"- {one}" for one in refusing),
            fix="docs/reference/lints.md says why, and how each is mended. What is meant is allowed by name, with "
            "a reason: [[allow]] in release.toml.",
        )
    return judged


def require_used(allowed: Iterable[Allowance], judged: Iterable[Finding]) -> None:
    """Raises BundleError for an allowance of something that was not found: it would hide a later finding."""
    seen = {(one.lint, one.where) for one in judged if one.because}
    idle = [f"{one.lint} in {one.where}" for one in allowed if (one.lint, one.where) not in seen]
    if idle:
        raise BundleError(
            f"release.toml allows what no lint found: {'; '.join(idle)}.", fix="Take it out of [[allow]]."
        )
