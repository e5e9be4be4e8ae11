"""Is there room for us?"""

from __future__ import annotations

from sitevault.db import queries
from sitevault.release.preflight.model import Found, Item, Look, blocked, unknown, warning

SQL = queries.load("release_preflight")

FREE_CONNECTIONS = 5
"""A deploy has four sessions: its own, its lock, the judge, and the one that sees who is in the way."""
BUSY_SHARE = 0.8


def _look(look: Look) -> Found:
    ((used, allowed, reserved, active, waiting, hidden),) = look.rows(SQL.load)
    free = allowed - reserved - used
    said = f"{used} of {allowed} connections are used, {active} sessions are at work, {waiting} wait for a lock"
    if free < FREE_CONNECTIONS:
        return blocked(said, "Close sessions that nobody needs, or raise max_connections.")
    if waiting:
        return warning(said, "See who waits for whom: sitevault doctor --check catalog.blocked")
    if used > BUSY_SHARE * (allowed - reserved):
        return warning(said, "Choose a quieter hour.")
    if hidden:
        return unknown(
            f"{used} of {allowed} connections are used; what {hidden} of them do is not shown to this user",
            "GRANT pg_monitor to it.",
        )
    return Found("ok", said)


ITEM = Item(
    "load",
    "There is room for a deploy beside the others",
    "Connections against max_connections, sessions at work, sessions that wait for a lock. Blocked: fewer than "
    f"{FREE_CONNECTIONS} connections free. Warning: more than 80 % used, or somebody waits. Unknown: this "
    f"user is not "
    "shown what others do.",
    _look,
)
