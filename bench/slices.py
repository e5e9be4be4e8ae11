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

FLUSH = 500
WAIT_SECONDS = 300.0
_PENDING = "SELECT count(*) FROM (SELECT FROM raw.batch WHERE state = 'PENDING' LIMIT {}) AS waiting"
_BACKENDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'sitevault_worker'"
    " AND backend_type = 'client backend'"
)


def carry(house: House, worker: Service, rows: Sequence[landing.LandingRow]) -> Figures:
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


@contextmanager
def halted(worker: Service) -> Iterator[None]:
    """The worker holds nothing when its queue is empty; halted it also takes nothing."""
    pids = tree(worker.pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def wait_for_worker(house: House, batches: int = 0) -> None:
    """Until no more than so many batches wait."""
    deadline = time.monotonic() + WAIT_SECONDS
    query = _PENDING.format(batches + 1)
    while house.count(query) > batches:
        if time.monotonic() > deadline:
            raise HarnessError(f"The worker left batches pending for {WAIT_SECONDS:.0f} seconds.")
        time.sleep(0.01)
