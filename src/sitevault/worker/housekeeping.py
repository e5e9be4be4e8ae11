"""What a worker does beside its work: partitions ahead, days that are over rolled up, what retention asks for."""

from __future__ import annotations

import logging
import threading
import time

import psycopg

from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import SitevaultError
from sitevault.landing import retention, retention_run
from sitevault.landing.partitions import keep_in_order
from sitevault.marts.rollup import roll_days

log = logging.getLogger(__name__)

KEEP_AHEAD_SECONDS = 600
ROLL_SECONDS = 60
RETRY_SECONDS = 30
RETENTION_SECONDS = 86_400
FIRST_RETENTION_SECONDS = 60
"""A worker that has just started has a queue to see to."""


class Housekeeper:
    """A thread's work; several workers' housekeepers do no harm to each other."""

    def __init__(self, database: Database, config: Config) -> None:
        self._database = database
        self._config = config

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set. Whatever fails is tried again; the lanes never wait for it."""
        keep_at = time.monotonic()
        drop_at = keep_at + FIRST_RETENTION_SECONDS
        while not stop.is_set():
            pause: float = ROLL_SECONDS
            try:
                if time.monotonic() >= keep_at:
                    self.keep_partitions()
                    keep_at = time.monotonic() + KEEP_AHEAD_SECONDS
                self.roll_up()
                if time.monotonic() >= drop_at:
                    self.drop_what_is_old(stop)
                    drop_at = time.monotonic() + RETENTION_SECONDS
                pause = min(pause, max(1.0, drop_at - time.monotonic()))
            except (psycopg.Error, SitevaultError) as error:
                log.warning("housekeeping.postponed", extra={"error_type": type(error).__name__})
                pause = RETRY_SECONDS
            stop.wait(pause)

    def keep_partitions(self) -> None:
        """Rows beside their partitions into partitions, and a week of them ahead."""
        with self._database.connect(Role.WORKER, autocommit=True, application_name="partitions") as conn:
            kept = keep_in_order(conn)
        if kept.moved:
            log.warning("partitions.default_emptied", extra={"rows": kept.moved})

    def roll_up(self) -> None:
        """Days that are over and not rolled up; where loads leave no room for it, another time."""
        with self._database.connect(Role.WORKER, autocommit=True, application_name="rollup") as conn:
            try:
                rolled = roll_days(conn)
            except psycopg.errors.LockNotAvailable:
                log.info("rollup.postponed")
                return
        if rolled:
            log.info("rollup.done", extra={"days": rolled})

    def drop_what_is_old(self, stop: threading.Event) -> None:
        """Nothing where retention is not configured, or another worker is at it."""
        if not retention.configured(self._config):
            return
        try:
            done = retention_run.apply(self._database, self._config, stopped=stop.is_set)
        except retention_run.RetentionRunsAlreadyError:
            return
        for one in done.held:
            log.warning(
                "retention.held",
                extra={
                    "table_name": one.partition.table_name,
                    "day": one.partition.day.isoformat(),
                    "why": "; ".join(held.sentence for held in one.held),
                },
            )
        log.info("retention.done", extra={"dropped": len(done.dropped), "held": len(done.held)})
