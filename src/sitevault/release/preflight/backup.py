"""Is there a way back?"""

from __future__ import annotations

from sitevault.db import queries
from sitevault.release.hazards import HazardName
from sitevault.release.preflight.model import Found, Item, Look, blocked, ok, unknown, warning

SQL = queries.load("release_preflight")

_LOST = (HazardName.IRREVERSIBLE, HazardName.DATA_LOSS)


def _look(look: Look) -> Found:
    if look.failure is not None:
        return unknown("the trial did not come far enough to be taken back", "See the item `trial`.")
    beside = _of_the_server(look)
    lost = [one for one in look.tried.hazards if one.name in _LOST]
    if any(one.name not in look.plan.accepted for one in lost):
        return blocked("; ".join(one.why for one in lost), "Write a revert file, or accept it by name.")
    if lost:
        return warning(
            f"accepted: {'; '.join(one.why for one in lost)}. {beside}", "Take a backup right before it."
        )
    return ok(f"{len(look.tried.changes)} objects were brought back, equal to the byte. {beside}")


def _of_the_server(look: Look) -> str:
    ((mode, archived),) = look.rows(SQL.archived)
    if mode == "off" or archived is None:
        return "Of a backup of the whole database nothing is known here."
    return f"The server archived its log last at {archived:%Y-%m-%d %H:%M}."


ITEM = Item(
    "backup",
    "The live backup was restored, and is equal to the byte",
    "The trial is taken back as `undo` would, and the catalog compared. What is known of a backup of the whole "
    "database is said beside it: only whether the server archives its log. Blocked: the way back does not "
    "lead back, "
    "and nobody accepted that. Warning: somebody did.",
    _look,
)
