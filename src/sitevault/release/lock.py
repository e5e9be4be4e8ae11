"""One release at a time in one database: the lock, and who holds it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
from psycopg.rows import tuple_row

from sitevault.db import queries
from sitevault.release.model import ReleaseBlockedError
from sitevault.release.target import Target
from sitevault.tenancy.audit_log import acting

SQL = queries.load("release_run")

_NAME_BYTES = 63


@contextlib.contextmanager
def locked(target: Target, doing: str) -> Iterator[None]:
    """Hold the lock of the environment, saying what for; a killed process lets go of it with its session.

    Raises ReleaseBlockedError naming who holds it, what they do, and since when.
    """
    with contextlib.closing(target.session("release-lock")) as conn:
        name = f"sitevault-release {doing} by {acting()}".encode()[:_NAME_BYTES].decode("utf-8", "ignore")
        conn.execute(SQL.name_session, {"name": name})
        cursor = conn.cursor(row_factory=tuple_row)
        if cursor.execute(SQL.try_lock).fetchone() != (True,):
            who = holder(target) or "somebody"
            raise ReleaseBlockedError(
                f"Another release of {target.environment} is under way: {who}.",
                fix="Wait for it; if its process is dead, its lock is gone with it: then look.",
                command=f"sitevault release status --env {target.environment}",
            )
        try:
            yield
        finally:
            with contextlib.suppress(psycopg.Error):
                conn.execute(SQL.unlock)


def holder(target: Target) -> str | None:
    """Who holds the lock at this moment, and what they do; None: nobody."""
    found = target.ground.one(SQL.lock_holder)
    if found is None:
        return None
    # Since when, the server tells only those who have the rights of that session's role.
    since = f", since {found[2]:%H:%M:%S}" if found[2] else ""
    return f"{found[0]} (process {found[1]}{since})"
