"""Is what we replace what was left there?"""

from __future__ import annotations

from sitevault.release import plan, record
from sitevault.release.model import definition_digest
from sitevault.release.preflight.model import Found, Item, Look, blocked, ok, warning


def _look(look: Look) -> Found:
    target = look.target
    with target.ground.transaction():
        now = target.snapshot()
    if moved := plan.moved(look.plan, now):
        return blocked(f"changed since the plan was made: {', '.join(moved)}", "Make the plan again.")
    by_hand = []
    left = _left_by_releases(look)
    for change in look.plan.changes:
        name = (change.kind, change.identity)
        if name in left and left[name][0] != change.before:
            by_hand.append(f"{' '.join(name)} (not as {left[name][1]} left it)")
    if by_hand:
        return warning(
            f"changed by somebody since: {', '.join(by_hand)}",
            "Find out who and why; the release replaces it, and `undo` brings back what is there now.",
        )
    known = sum((change.kind, change.identity) in left for change in look.plan.changes)
    return ok(f"{len(look.plan.changes)} objects are as planned, {known} of them as a release left them")


def _left_by_releases(look: Look) -> dict[tuple[str, str], tuple[str | None, str]]:
    """What each object was made by the newest release in force that touched it."""
    found: dict[tuple[str, str], tuple[str | None, str]] = {}
    for released in reversed(record.releases(look.target.ground)):
        if released.in_force:
            for change in record.recorded_objects(look.target.ground, released.release_id):
                found[change.object.kind, change.object.identity] = (
                    definition_digest(change.after),
                    f"{released.name} {released.version}",
                )
    return found


ITEM = Item(
    "drift",
    "What it replaces is what was there when it was planned, and what the last release left",
    "Each object of the plan against the catalog now, and against what the newest release in force made of it. "
    "Blocked: it moved since the plan was made. Warning: somebody changed it by hand after a release.",
    _look,
)
