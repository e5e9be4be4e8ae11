"""What the doctor says: checks, what each looked at, and findings with their evidence and repair."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sitevault.errors import Exit

if TYPE_CHECKING:
    from sitevault.doctor.snapshot import Snapshot


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"  # could not be determined: never shown as ok

    @property
    def exit_code(self) -> Exit:
        return _EXIT[self]


_EXIT = {
    Verdict.OK: Exit.OK,
    Verdict.WARNING: Exit.FINDINGS,
    Verdict.PROBLEM: Exit.FINDINGS,
    Verdict.UNKNOWN: Exit.UNKNOWN,
}
_WORST_FIRST = (Verdict.PROBLEM, Verdict.UNKNOWN, Verdict.WARNING)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """PROBLEM before UNKNOWN before WARNING before OK."""
    found = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.OK)


@dataclass(frozen=True)
class Evidence:
    """Something anybody can look up: an object, a line of its source, counts; never a payload's value."""

    object: str
    says: str
    line: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    sqlstate: str | None = None
    context: str | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be, or that could not be determined."""

    check: str
    verdict: Verdict
    subject: str
    """What is affected: an object, a tenant, a kind of event."""
    message: str
    """One line: what is wrong, with its effect where it is known."""
    evidence: tuple[Evidence, ...] = ()
    repair: str | None = None
    """The command that mends it, or that plans the mending."""
    siblings: tuple[Evidence, ...] = ()
    """The same pattern elsewhere in the database."""


@dataclass(frozen=True)
class Outcome:
    """What one check looked at, how many of it, and what it found. Looking at nothing is not a proof."""

    looked_at: str
    """A noun in the plural: functions, tables, events."""
    count: int
    findings: tuple[Finding, ...] = ()
    nothing_is_fine: bool = False
    """There may rightly be nothing to look at (no PL/pgSQL function, no failed event)."""
    notes: tuple[str, ...] = ()
    """What was left out and why, or how it was chosen: said on request, changes no verdict."""

    @property
    def verdict(self) -> Verdict:
        if not self.findings and not self.count and not self.nothing_is_fine:
            return Verdict.UNKNOWN
        return worst(finding.verdict for finding in self.findings)


@dataclass(frozen=True)
class Check:
    """One check. The texts are its page in the documentation and what `--explain` shows."""

    id: str
    """Stable: room.what, e.g. functions.lost_error_write."""
    title: str
    """What holds when all is well: "Error handlers keep what they write"."""
    why: str
    """Why it matters, in a few sentences."""
    looks_at: str
    """How it decides: what it reads, what it flags, what it leaves alone, and what it cannot see."""
    mend: str
    """What to do about a finding."""
    look: Callable[[Snapshot], Outcome]
    alias: str | None = None
    """The short name of the fault class it finds: F1 to F8."""


@dataclass(frozen=True)
class Examined:
    """A check that was run."""

    check: Check
    outcome: Outcome
    seconds: float

    @property
    def verdict(self) -> Verdict:
        return self.outcome.verdict
