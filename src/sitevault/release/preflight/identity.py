"""Is it the right database?"""

from __future__ import annotations

from sitevault.release import record
from sitevault.release.preflight.model import Found, Item, Look, ok


def _look(look: Look) -> Found:
    identity = record.require_identity(look.target, look.plan.identity)
    return ok(f"{identity.database} is {identity.environment}, fingerprint {identity.fingerprint[:16]}")


ITEM = Item(
    "identity",
    "It is the enrolled database of this environment, at its place",
    "What the database says it was enrolled as, what the server says it is, and where it was reached. "
    "Blocked: never "
    "enrolled, a copy, another environment's, another host, or another than the plan was made for.",
    _look,
)
