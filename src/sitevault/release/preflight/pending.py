"""What waits, and since when?"""

from __future__ import annotations

from sitevault.db import queries
from sitevault.release.preflight.model import Found, Item, Look, ok, warning

SQL = queries.load("release_preflight")

OLD_SECONDS = 3600


def _look(look: Look) -> Found:
    query = SQL.waiting_of_the_house if look.target.house else SQL.waiting_of_the_guide
    ((pending, failed, seconds),) = look.rows(query)
    said = f"{pending} events are pending" + (f", the oldest for {_age(seconds)}" if pending else "")
    said += f"; {failed} have failed"
    if pending and seconds > OLD_SECONDS:
        return warning(said, "They are what the rehearsal is tried with; see why they wait: sitevault doctor")
    return ok(said)


def _age(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= OLD_SECONDS else f"{seconds:.0f} s"


ITEM = Item(
    "pending",
    "It is known what waits",
    "Events that are PENDING, how old the oldest is, and events in ERROR. Warning: one has waited for over an "
    "hour.",
    _look,
)
