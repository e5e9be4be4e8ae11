"""The report as SARIF 2.1.0: a rule per check that was run, a result per finding."""

from __future__ import annotations

from typing import Any

from sitevault.audit import frame
from sitevault.doctor.model import Finding, Verdict
from sitevault.doctor.run import Report

_LEVELS = {Verdict.PROBLEM: "error", Verdict.WARNING: "warning", Verdict.UNKNOWN: "warning"}


def as_sarif(report: Report) -> dict[str, Any]:
    """A SARIF log with one run."""
    rules = {one.check.id: one.check.title for one in report.examined}
    results = [frame.result(one.check, _LEVELS[one.verdict], _text(one), one.subject) for one in report.findings]
    results += [
        frame.result(
            one.check.id, "warning", f"found no {one.outcome.looked_at} to look at", one.outcome.looked_at
        )
        for one in report.examined
        if one.verdict is Verdict.UNKNOWN and not one.outcome.findings
    ]
    complete = all(one.verdict is not Verdict.UNKNOWN for one in report.examined)
    return frame.log("sitevault doctor", rules, results, complete=complete)


def _text(finding: Finding) -> str:
    repair = f" Repair: {finding.repair}" if finding.repair else ""
    return f"{finding.subject}: {finding.message}.{repair}"
