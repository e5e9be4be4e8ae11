"""The tables that a release alters, locked all at once or not at all: nobody waits for us while we wait.

Whoever waits for one lock and holds another can end in a deadlock, and its victim may be the site's own call; and
behind whoever waits for a table, everybody else who wants it queues. So every lock is asked for without waiting,
and those that were given are given back before the next attempt.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from psycopg import errors, sql

from sitevault.db.catalog import CatalogSnapshot, Change, Object
from sitevault.release.events import Teller
from sitevault.release.lock import SQL
from sitevault.release.model import Bundle, ReleaseError
from sitevault.release.target import Target

PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between attempts to get the locks; each waits 3 s at most, so that traffic never queues for long."""
SECONDS = 2.0
_LOOK_SECONDS = 0.02

Result = TypeVar("Result")


def patiently(target: Target, teller: Teller, step: str, attempt: Callable[[], Result]) -> Result:
    """The attempt, a bounded number of times while somebody holds a lock; each is whole or nothing.

    Raises ReleaseError when that was in vain, and whatever else the attempt raises.
    """
    for number, wait in enumerate((*PAUSES_SECONDS, None), 1):
        try:
            return attempt()
        except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
            if wait is None:
                raise ReleaseError(
                    f"Somebody held a lock each of {number} times: {error.diag.message_primary}. "
                    "Nothing was changed.",
                    fix="See who, and try again when they are done.",
                    command=f"sitevault release preflight --env {target.environment}",
                ) from error
            teller(step, f"Somebody holds a lock; again in {wait:g} s", attempt=number)
            time.sleep(wait)
    raise AssertionError("unreachable")


def relations(bundle: Bundle, before: CatalogSnapshot) -> list[str]:
    """The tables that are there and that the bundle alters, as the catalog quotes their names."""
    names = [(Object(one.kind, one.identity), one.attributes) for one in bundle.expected]
    return _tables(((name, before.objects.get(name) or attributes) for name, attributes in names), before)


def altered(changes: Iterable[Change], now: CatalogSnapshot) -> list[str]:
    """The tables that are there and that these changes, or their way back, alter."""
    return _tables(((change.object, change.after or change.before) for change in changes), now)


def _tables(objects: Iterable[tuple[Object, str | None]], now: CatalogSnapshot) -> list[str]:
    found = set()
    for name, definition in objects:
        if name.kind == "table":
            found.add(name.identity)
        elif definition is not None:
            found.add(json.loads(definition).get("relation"))
    return sorted(name for name in found if name is not None and Object("table", name) in now.objects)


def take(target: Target, names: list[str], seconds: float = SECONDS) -> None:
    """Lock them in the open transaction, to its end. Raises LockNotAvailable when they are not to be had.

    The last attempt waits for the one that is missing, holding none: then it can be seen who is in the way.
    """
    conn, deadline = target.ground.conn, time.monotonic() + seconds
    while (missing := _attempt(target, names)) is not None:
        if time.monotonic() > deadline:
            with conn.transaction(force_rollback=True):
                conn.execute(SQL.wait_briefly)
                conn.execute(sql.SQL(SQL.lock_relation).format(relation=sql.SQL(missing)))
            if (missing := _attempt(target, names)) is not None:
                raise errors.LockNotAvailable(f"could not obtain lock on relation {missing}")
            return
        time.sleep(_LOOK_SECONDS)


def _attempt(target: Target, names: list[str]) -> str | None:
    """The first that is not to be had now; None: all of them are ours."""
    name = ""
    try:
        with target.ground.conn.transaction():
            for name in names:
                target.ground.conn.execute(sql.SQL(SQL.lock_relation_now).format(relation=sql.SQL(name)))
    except errors.LockNotAvailable:
        return name
    return None
