"""From places in functions to findings: each with the same pattern elsewhere, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sitevault.doctor.code.library import Code, Library
from sitevault.doctor.model import Evidence, Finding, Outcome, Verdict


@dataclass(frozen=True)
class Spot:
    """A place where a function does what it should not."""

    code: Code
    line: int
    message: str
    says: str
    verdict: Verdict = Verdict.PROBLEM
    sqlstate: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    more: tuple[Evidence, ...] = ()
    repair: str | None = None

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.code.name, self.says, self.line, self.counts, self.sqlstate)


@dataclass(frozen=True)
class Blind:
    """A place that hides from the check what it asks about."""

    code: Code
    line: int
    says: str


def outcome(
    check: str, library: Library, spots: Iterable[Spot], blind: Iterable[Blind], notes: Iterable[str] = ()
) -> Outcome:
    """What the check found, and one finding of all that it could not see."""
    found = list(spots)
    findings = [_finding(check, spot, found) for spot in found]
    hidden = [*_unread(library), *blind]
    if hidden:
        findings.append(_unknown(check, hidden))
    return Outcome("functions", len(library), tuple(findings), nothing_is_fine=True, notes=tuple(notes))


def run_time(library: Library, concerns: Callable[[Code], bool] = lambda code: True) -> list[Blind]:
    """SQL that is built at run time, in functions that concern the check: it is not known what it does."""
    return [
        Blind(code, sql.line, "SQL is built here at run time; what it does is not known from the text")
        for code in library
        if concerns(code)
        for sql in code.dynamic
    ]


def _finding(check: str, spot: Spot, all_of_them: list[Spot]) -> Finding:
    siblings = tuple(other.evidence for other in all_of_them if other is not spot)
    return Finding(
        check, spot.verdict, spot.code.name, spot.message, (spot.evidence, *spot.more), spot.repair, siblings
    )


def _unread(library: Library) -> list[Blind]:
    hidden = []
    for code in library.unread:
        if code.body.why:
            hidden.append(Blind(code, code.body.line, f"it could not be read: {code.body.why}"))
        hidden.extend(Blind(code, line, f"this could not be read: {why}") for line, why in code.body.problems)
    return hidden


def _unknown(check: str, hidden: list[Blind]) -> Finding:
    names = sorted({one.code.name for one in hidden})
    evidence = tuple(Evidence(one.code.name, one.says, one.line or None) for one in hidden)
    subject = names[0] if len(names) == 1 else f"{len(names)} functions"
    return Finding(
        check, Verdict.UNKNOWN, subject, f"could not be looked at in full: {', '.join(names[:5])}"
        + (" and others" if len(names) > 5 else ""), evidence,
    )  # fmt: skip
