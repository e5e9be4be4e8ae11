"""May we do it?"""

from __future__ import annotations

import psycopg

from sitevault.release.preflight.model import Found, Item, Look, blocked, ok, unknown


def _look(look: Look) -> Found:
    error = look.failure
    if error is None:
        return ok(f"everything was done as {look.target.ground.acting}, and rolled back")
    if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
        return blocked(error.message, "Connect as the owner of what the release changes, or have it granted.")
    return unknown("the trial did not come far enough to tell", "See the item `trial`.")


ITEM = Item(
    "rights",
    "The connected user may do all of it",
    "The trial: the bundle is carried out in a transaction that is rolled back. Blocked: the server refused "
    "something "
    "to this user (SQLSTATE 42501).",
    _look,
)
