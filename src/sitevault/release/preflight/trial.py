"""Does it work here, and do what the plan says?"""

from __future__ import annotations

from sitevault.release import plan
from sitevault.release.preflight.model import Found, Item, Look, blocked, ok


def _look(look: Look) -> Found:
    error = look.failure
    if error is not None:
        return blocked(error.message, error.fix or "")
    different = plan.different(look.plan, look.tried.changes)
    if different:
        return blocked(f"not what was planned: {', '.join(different)}", "Make the plan again.")
    left = [
        one
        for one in look.tried.hazards
        if one.name not in look.plan.accepted and one.name not in {known.name for known in look.plan.hazards}
    ]
    if left:
        return blocked(
            "hazards that the plan does not know: " + "; ".join(f"{one.name}: {one.why}" for one in left),
            "Make the plan again.",
        )
    return ok(f"{len(look.tried.changes)} objects became what the plan says")


ITEM = Item(
    "trial",
    "It can be carried out here, and does what the plan says",
    "The bundle carried out in a transaction that is rolled back; each object against the plan, each hazard "
    "against "
    "those of the plan. Blocked: it fails, does something else, or has a hazard the plan does not name.",
    _look,
)
