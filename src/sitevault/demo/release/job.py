"""The site's own scheduler: it runs the guide's loop over the queue, again and again, while it is on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from sitevault.db import queries
from sitevault.db.connect import connect
from sitevault.errors import SitevaultError

SQL = queries.load("demo_release")

EVERY_SECONDS = 0.05
IDLE_SECONDS = 0.5
"""After a run in which nothing succeeded, or that did not take place."""
MOST = 100


class Job:
    """One scheduler with a connection of its own; it comes back when the database does."""

    def __init__(self, url: str) -> None:
        self.failures = 0
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="demo-job", daemon=True)

    @contextmanager
    def running(self) -> Iterator[Job]:
        """It runs while the context is open."""
        self._thread.start()
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """No more runs; the one under way is finished. Idempotent."""
        self._stop.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._stop.is_set():
            try:
                with connect(self._url) as conn:
                    conn.execute("SET client_min_messages = error")
                    conn.commit()
                    while not self._stop.wait(EVERY_SECONDS if self._run(conn) else IDLE_SECONDS):
                        pass
            except (psycopg.Error, SitevaultError):
                self.failures += 1
                self._stop.wait(IDLE_SECONDS)

    def _run(self, conn: psycopg.Connection[Any]) -> bool:
        """One run, in one transaction; whether it went well."""
        with conn.transaction():
            conn.execute(SQL.take_turn)
            if conn.execute(SQL.job_is_active).fetchone() != (True,):
                return False
            done, failed = conn.cursor(row_factory=tuple_row).execute(SQL.run_job, {"limit": MOST}).fetchone() or (
                0,
                0,
            )
        return not failed or done > 0
