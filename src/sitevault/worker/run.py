"""The worker's loop: lanes side by side, woken by NOTIFY and by a timer, stopped between claims."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time

import psycopg

from sitevault import __version__
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import SitevaultError
from sitevault.worker.housekeeping import Housekeeper
from sitevault.worker.lane import Lane
from sitevault.worker.tenants import Tenants

log = logging.getLogger(__name__)

_LONGEST_PAUSE_SECONDS = 5.0

_PACE_SECONDS = 0.1
_FULL_CLAIM = 1_000
"""A lane begins a claim at most once in _PACE_SECONDS, unless its last one held _FULL_CLAIM events: a
claim's fixed cost is some twenty statements, whatever it holds (ops.load shows seconds and events of each)."""


class Worker:
    """The lanes of one process, threads: what they do in Python, one does at a time. Several processes may run
    against one database."""

    def __init__(self, database: Database, config: Config, lanes: int = 1, *, keep_house: bool = True) -> None:
        self._database = database
        self._config = config
        self._tenants = Tenants(database)
        name = f"worker-{socket.gethostname()}-{os.getpid()}"
        self._lanes = [Lane(database, config, self._tenants, f"{name}-{lane}") for lane in range(lanes)]
        self._housekeeper = Housekeeper(database, config) if keep_house else None
        self._bell = threading.Condition()
        self._rung = 0

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; what is claimed by then is finished first."""
        threads = [threading.Thread(target=self._tend, args=(lane, stop), name=lane.name) for lane in self._lanes]
        if self._housekeeper is not None:
            threads.append(threading.Thread(target=self._housekeeper.run, args=(stop,), name="housekeeping"))
        for thread in threads:
            thread.start()
        try:
            self._listen(stop)
        finally:
            stop.set()
            self._ring()
            for thread in threads:
                thread.join()

    def drain(self) -> int:
        """Work in this thread until nothing is waiting; returns how many events were carried through.

        Batches that were postponed wait for their time and are not waited for here.
        """
        lane = self._lanes[0]
        self._tenants.mark_stale()
        carried = 0
        try:
            while events := lane.work_once():
                carried += events
        finally:
            lane.close()
        return carried

    def _tend(self, lane: Lane, stop: threading.Event) -> None:
        failures = 0
        while not stop.is_set():
            rung = self._rung
            began = time.monotonic()
            try:
                worked = lane.work_once()
                failures = 0
            except (psycopg.Error, SitevaultError) as error:
                failures += 1
                pause = min(0.1 * 2**failures, _LONGEST_PAUSE_SECONDS)
                log.warning("worker.pause", extra={"seconds": pause, "error_type": type(error).__name__})
                stop.wait(pause)
                continue
            except Exception:
                # A fault of ours: the claim was rolled back, and others may be able to carry it.
                failures += 1
                log.exception("worker.fault")
                lane.close()
                stop.wait(min(0.1 * 2**failures, _LONGEST_PAUSE_SECONDS))
                continue
            if 0 < worked < _FULL_CLAIM:
                stop.wait(max(0.0, began + _PACE_SECONDS - time.monotonic()))
            if not worked:
                with self._bell:
                    self._bell.wait_for(
                        lambda heard=rung: self._rung != heard or stop.is_set(),  # type: ignore[misc]
                        timeout=self._config.poll_seconds,
                    )
        lane.close()

    def _ring(self) -> None:
        with self._bell:
            self._rung += 1
            self._bell.notify_all()

    def _listen(self, stop: threading.Event) -> None:
        """Hear of new batches and changed tenants; the lanes can do without."""
        while not stop.is_set():
            try:
                name = f"worker-bell {__version__}"  # who asks which versions are at work reads it here
                with self._database.connect(Role.WORKER, autocommit=True, application_name=name) as conn:
                    conn.execute("LISTEN sitevault_landed")
                    conn.execute("LISTEN sitevault_keys")
                    self._tenants.mark_stale()
                    self._ring()
                    self._hear(conn, stop)
            except (psycopg.Error, SitevaultError) as error:
                log.warning("worker.deaf", extra={"error_type": type(error).__name__})
                stop.wait(1.0)

    def _hear(self, conn: psycopg.Connection, stop: threading.Event) -> None:
        while not stop.is_set():
            for notice in conn.notifies(timeout=0.25, stop_after=1):
                if notice.channel == "sitevault_keys":
                    self._tenants.mark_stale()
                self._ring()
