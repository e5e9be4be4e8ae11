"""Grants, policies, switches and settings that are not as the isolation of tenants needs them."""

from __future__ import annotations

from collections.abc import Iterable

from sitevault.audit.catalog import CHECKS
from sitevault.audit.catalog.snapshot import read_within
from sitevault.repair.makers.case import Case, NotMended
from sitevault.repair.model import Action, Statement


def make(case: Case) -> Iterable[Action | NotMended]:
    """An action per finding of the audit's catalog checks: its own repair, as the owner of the tables."""
    if not case.ground.house:
        yield NotMended("grants and policies", "Who may see what in a foreign database is its owner's decision.")
        return
    snapshot = read_within(case.reader)
    for check in CHECKS:
        for finding in check.run(snapshot).findings:
            yield Action(
                check=case.check,
                subject=f"{finding.check}  {finding.object}",
                reason=finding.message,
                steps=(Statement(finding.repair.rstrip(";")),),
            )
