"""Who would be in the way?"""

from __future__ import annotations

from sitevault.release import sessions
from sitevault.release.preflight.model import Found, Item, Look, ok, unknown, warning

LONG_SECONDS = 30.0


def _look(look: Look) -> Found:
    long = {one.pid: one for one in sessions.long(look.target, LONG_SECONDS)}
    error = look.failure
    if error is not None and "gave up" not in error.message:
        return unknown("the trial did not come far enough to tell what it locks", "See the item `trial`.")
    locked = look.tried.locked  # raises what the trial was blocked by
    holders = [one for one in sessions.holding(look.target, locked) if one.pid in long]
    if holders:
        return warning(
            "; ".join(one.shown for one in holders),
            "A deploy waits 3 s at a time, and gives up after a few; better when they are done.",
        )
    if long:
        return warning("; ".join(one.shown for one in long.values()), "They hold nothing that the release locks.")
    return ok(f"nobody holds on to {', '.join(locked) or 'anything it touches'}")


ITEM = Item(
    "conflicts",
    "No long transaction is on the relations that it locks",
    "What the trial locks, against who holds a lock on it, and every transaction that has lasted for more than "
    f"{LONG_SECONDS:g} s. Blocked: the trial itself waited for its locks in vain. Warning: a long transaction.",
    _look,
)
