"""The report as SARIF 2.1.0 (OASIS), which code-scanning pages and editors read."""

from __future__ import annotations

from typing import Any

from sitevault.audit import frame
from sitevault.audit.catalog import CHECKS
from sitevault.audit.model import Report, Verdict

_LEVELS = {Verdict.PROBLEM: "error", Verdict.UNKNOWN: "warning"}


def as_sarif(report: Report) -> dict[str, Any]:
    """A SARIF log with one run: a rule per check and probe, a result for each that is not ok."""
    rules = {check.id: check.title for check in CHECKS} | {probe.id: probe.tried for probe in report.probes}
    rules["provenance"] = "Every landed event is the tenant's whose key brought it"
    results = [*_of_checks(report), *_of_probes(report), *_of_provenance(report)]
    complete = report.verdict is not Verdict.UNKNOWN
    return frame.log("sitevault audit isolation", rules, results, complete=complete)


def _of_checks(report: Report) -> list[dict[str, Any]]:
    results = [
        _result(one.check, Verdict.PROBLEM, f"{one.object}: {one.message}. Repair: {one.repair}", one.object)
        for one in report.findings
    ]
    results += [
        _result(one.id, Verdict.UNKNOWN, f"{one.title}: found no {one.looked_at} to look at", one.looked_at)
        for one in report.checks
        if one.verdict is Verdict.UNKNOWN
    ]
    return results


def _of_probes(report: Report) -> list[dict[str, Any]]:
    return [
        _result(
            one.id,
            one.verdict,
            f"{one.role} tried {one.tried}: {one.happened} (expected: {one.expected})",
            one.role,
        )
        for one in report.probes
        if one.verdict is not Verdict.OK
    ]


def _of_provenance(report: Report) -> list[dict[str, Any]]:
    return [
        _result(
            "provenance", one.verdict,
            f"{one.tenant_bk}: {one.contradiction} events contradict their key, {one.unverifiable} cannot tell",
            one.tenant_bk,
        )
        for one in report.provenance
        if one.verdict is not Verdict.OK
    ]  # fmt: skip


def _result(rule: str, verdict: Verdict, text: str, place: str) -> dict[str, Any]:
    return frame.result(rule, _LEVELS[verdict], text, place)
