"""A slice of events: landed while the worker is halted, then drained; each figure is of one thing alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench import landing
from bench.figures import Figures, HarnessError
from bench.house import House, Service
from bench.watch import LEAST_SECONDS, tree, watch
from sitevault.landing.flush import LandingRow

FLUSH = 500
WAIT_SECONDS = 300.0
_PENDING = "SELECT count(*) FROM (SELECT FROM raw.batch WHERE state = 'PENDING' LIMIT {}) AS waiting"
_BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'sitevault_worker'"
    " AND backend_type = 'client backend' AND application_name LIKE 'sitevault-worker-%'"
)
"""Of its lanes, which stay; what keeps house comes and goes."""
_AT_WORK = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'sitevault_worker'"
    " AND xact_start IS NOT NULL"
)


def carry(house: House, worker: Service, rows: Sequence[LandingRow]) -> Figures:
    """Carry the rows through the worker, and say what that cost it and the backends that serve it.

    Not the whole server: what it does in the background, for all its databases, falls on whoever is measured then.
    """
    count = len(rows)
    with halted(worker):
        landing.land(house, rows, FLUSH)
    backends = [pid for (pid,) in house.admin.execute(_BACKENDS).fetchall()]
    trees = {"worker": worker.pid} | {f"backend {pid}": pid for pid in backends}
    with watch(house.admin, trees) as cost:
        house.admin.execute("NOTIFY sitevault_landed")
        wait_for_worker(house)
    of_worker = cost.cpu.pop("worker")
    of_backends = sum(cost.cpu.values())
    return {
        "events/s": count / cost.seconds,
        "worker CPU us/event": of_worker * 1e6 / count,
        "backends CPU us/event": of_backends * 1e6 / count,
        "CPU us/event": max(of_worker + of_backends, LEAST_SECONDS) * 1e6 / count,
        "WAL bytes/event": cost.wal_bytes / count,
    }


def halt(house: House, worker: Service) -> None:
    """Stop the worker of that database at a moment when it has no transaction open; `woken_at_last` ends it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        _signal(worker, signal.SIGSTOP)
        if not house.count(_AT_WORK):
            return
        _signal(worker, signal.SIGCONT)
        if time.monotonic() > deadline:
            raise HarnessError(f"The worker did not come to rest in {WAIT_SECONDS:.0f} seconds.")
        time.sleep(0.05)


@contextmanager
def woken_at_last(*workers: Service) -> Iterator[None]:
    """Whoever was halted can end in order."""
    try:
        yield
    finally:
        for worker in workers:
            _signal(worker, signal.SIGCONT)


def _signal(worker: Service, number: int) -> None:
    for pid in tree(worker.pid):
        os.kill(pid, number)


@contextmanager
def halted(worker: Service) -> Iterator[None]:
    """The worker holds nothing when its queue is empty; halted it also takes nothing."""
    _signal(worker, signal.SIGSTOP)
    with woken_at_last(worker):
        yield


def wait_for_worker(house: House, batches: int = 0) -> None:
    """Until no more than so many batches wait."""
    deadline = time.monotonic() + WAIT_SECONDS
    query = _PENDING.format(batches + 1)
    while house.count(query) > batches:
        if time.monotonic() > deadline:
            raise HarnessError(f"The worker left batches pending for {WAIT_SECONDS:.0f} seconds.")
        time.sleep(0.01)
