"""Who holds the lock that a release waits for: seen from beside it while it waits, and said when it gives up."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

import psycopg
from psycopg import errors
from psycopg.rows import tuple_row

from sitevault.db import queries
from sitevault.errors import DatabaseUnavailableError
from sitevault.release.model import ReleaseBlockedError
from sitevault.release.target import Target
from sitevault.repair.ground import LOCK_TIMEOUT

SQL = queries.load("release_plan")

LOOK_EVERY_SECONDS = 0.2


class Holder(NamedTuple):
    """A session that held what we waited for. Times and names are None where this user is not shown them."""

    pid: int
    user: str | None
    application: str | None
    state: str | None
    transaction_since: datetime | None
    statement_since: datetime | None
    wanted: str | None
    """The relation that we waited for."""

    @property
    def shown(self) -> str:
        """One line for a person; never what the session runs, which may hold values."""
        parts = [
            f"process {self.pid}",
            self.user or "",
            self.application or "",
            self.state or "",
            f"in a transaction since {self.transaction_since:%H:%M:%S}" if self.transaction_since else "",
            f"its statement since {self.statement_since:%H:%M:%S}" if self.statement_since else "",
        ]
        said = ", ".join(part for part in parts if part)
        return f"{said} holds {self.wanted}" if self.wanted else said


class Watch:
    """Looks, from a session of its own, at who holds up a waiting one."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._waiting = target.ground.conn.info.backend_pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="release-locks", daemon=True)
        self._seen: dict[int, Holder] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def holders(self) -> tuple[Holder, ...]:
        """Who held us up last."""
        with self._lock:
            return tuple(self._seen.values())

    def _look(self) -> None:
        quiet = (
            psycopg.OperationalError,
            DatabaseUnavailableError,
        )  # then nobody is named, and nothing else is lost
        with contextlib.suppress(*quiet), contextlib.closing(self._target.session("release-locks")) as conn:
            cursor = conn.cursor(row_factory=tuple_row)
            while not self._done.wait(LOOK_EVERY_SECONDS):
                rows = cursor.execute(SQL.holders, {"pid": self._waiting}).fetchall()
                if rows:
                    with self._lock:
                        self._seen = {row[0]: Holder(*row) for row in rows}


@contextlib.contextmanager
def bounded(target: Target, doing: str) -> Iterator[Watch]:
    """Work whose waits for locks are bounded. Raises ReleaseBlockedError naming the holders when they ran out."""
    with Watch(target) as watch:
        try:
            yield watch
        except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
            who = "; ".join(holder.shown for holder in watch.holders) or str(error.diag.message_primary)
            raise ReleaseBlockedError(
                f"{doing} waited {LOCK_TIMEOUT} for a lock and gave up: {who}. Nothing was changed.",
                fix="Wait until that session is done, or have its owner end it; then try again.",
                command="sitevault doctor --check catalog.blocked",
            ) from error
