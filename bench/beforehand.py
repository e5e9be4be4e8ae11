"""The growing database's traffic, made ahead by a process of its own while earlier events are carried."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from multiprocessing.queues import Queue

from bench import landing, traffic
from bench.house import Holder, Service
from sitevault.landing.flush import LandingRow

SLICES = 6
"""Kept ready: enough for a comparison, during which nothing is made."""
_PATIENCE_SECONDS = 5.0
SEED = 7


class Ahead:
    """Slices in their order; `service` is who makes them, to be halted."""

    def __init__(self, process_id: int, ready: Queue[list[LandingRow]]) -> None:
        self.service = Service(process_id, "")
        self._ready = ready

    def take(self) -> list[LandingRow]:
        """The next slice."""
        return self._ready.get()


@contextmanager
def made_ahead(
    holders: list[Holder], until: datetime, span: timedelta, events: int, size: int, skipped: int
) -> Iterator[Ahead]:
    """Slices of so many events, without end; the process ends with the context."""
    spawning = multiprocessing.get_context("spawn")
    ready: Queue[list[LandingRow]] = spawning.Queue(SLICES)
    process = spawning.Process(
        target=_make, args=(ready, os.getpid(), holders, until, span, events, size, skipped), daemon=True
    )
    process.start()
    try:
        yield Ahead(process.pid or 0, ready)
    finally:
        process.kill()
        process.join()


def rows(
    holders: list[Holder], until: datetime, span: timedelta, events: int, skipped: int = 0, seed: int = SEED
) -> Iterator[LandingRow]:
    """Endless, over the days of the span as if they had been lived through; `events` of them end it."""
    ours, theirs = itertools.tee(until - span * (1 - number / events) for number in itertools.count(skipped + 1))
    for event, at in zip(traffic.endless(seed, holders, ours, skipped), theirs, strict=False):
        yield landing.row(event, at + timedelta(seconds=1))


def _make(
    ready: Queue[list[LandingRow]],
    parent: int,
    holders: list[Holder],
    until: datetime,
    span: timedelta,
    events: int,
    size: int,
    skipped: int,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Sessions and ids of a run that goes on must not be those of the run before.
    made = rows(holders, until, span, events, skipped, SEED + skipped)
    while True:
        slice_of_rows = list(itertools.islice(made, size))
        while os.getppid() == parent:
            try:
                ready.put(slice_of_rows, timeout=_PATIENCE_SECONDS)
                break
            except queue.Full:
                continue
        else:
            return
