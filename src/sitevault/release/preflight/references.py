"""Do references hold?"""

from __future__ import annotations

from sitevault.doctor.model import Verdict
from sitevault.release.preflight.model import Found, Item, Look, ok, unknown, warning

CHECKS = ("catalog.unvalidated", "data.orphans")


def _look(look: Look) -> Found:
    examined = look.doctor(*CHECKS)
    findings = [finding for one in examined for finding in one.outcome.findings]
    bad = [one for one in findings if one.verdict in (Verdict.PROBLEM, Verdict.WARNING)]
    if bad:
        return warning("; ".join(f"{one.subject}: {one.message}" for one in bad), "sitevault repair plan")
    if any(one.verdict is Verdict.UNKNOWN for one in examined):
        return unknown("; ".join(one.message for one in findings) or "there was nothing to look at")
    return ok("no constraint waits to be validated, and no sampled row refers to nothing")


ITEM = Item(
    "references",
    "Constraints are validated, and what rows refer to is there",
    f"The doctor's checks {' and '.join(f'`{name}`' for name in CHECKS)}. Warning: what they find; a release "
    f"does not "
    "make it worse, but its figures will.",
    _look,
)
