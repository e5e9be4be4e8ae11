"""The same work again and again on a growing database: does an event cost at ten million what it did at first?"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from statistics import median
from types import FrameType
from typing import NamedTuple

from bench import landing, questions, traffic
from bench.figures import Bar, Figures, HarnessError, Point, Result, Spread, judge, spread
from bench.house import House, Service, open_house
from bench.settings import Row, Settings
from bench.watch import peak_megabytes, tree, watch
from sitevault import clock

SEED = 7
SPAN = timedelta(days=28)
"""Within `late_days`: an event older than that is taken to have happened when it came."""
SLICE = 20_000
"""Drained at a time: a full claim for each of the worker's lanes."""
SLICES_FIRST, SLICES_LAST = 5, 50
"""The first 100 thousand events after the warm-up, and the last million, of ten million."""
FLUSH = 500
BYTES_AN_EVENT = 6_000
"""Of the database and its log, with some room; measured: see the page."""
SPARE_BYTES = 4 << 30
WAIT_SECONDS = 300.0
_PENDING = "SELECT count(*) FROM (SELECT FROM raw.batch WHERE state = 'PENDING' LIMIT 1) AS waiting"
_VAULTED = "SELECT coalesce(sum(vaulted), 0) FROM ops.ledger_d"
_DATABASE = "SELECT pg_database_size(current_database())"
_PARENTS = (
    "raw.landed_event",
    "business.site_event_nl",
    "business.site_event_pii_ns",
)
BARS = {
    "rate at the end / rate at the beginning": Bar(0.85),
    "CPU per event at the beginning / at the end": Bar(0.85),
    "worker peak MB": Bar(300, at_least=False),
}


class Slice(NamedTuple):
    """What one slice showed, and how many events there were after it."""

    events: int
    figures: Figures


def measure(settings: Settings) -> Iterator[Result]:
    """Land and drain slices until the number is reached, time is up, or Ctrl-C; then ask questions of it."""
    _refuse_without_room(settings.events)
    with open_house() as house, _interruptible() as interrupted:
        growing = _Growing(house, settings, interrupted)
        with house.service("worker") as worker:
            growing.grow(worker)
        if not growing.slices:
            raise HarnessError("Stopped before the first slice was drained.")
        growing.check()
        yield _result(growing)
        yield questions.ask(house, growing.reached.date(), growing.events)


class _Growing:
    """A run under way, with all it has measured so far."""

    def __init__(self, house: House, settings: Settings, interrupted: list[int]) -> None:
        self._house = house
        self._interrupted = interrupted
        self.wanted = settings.events
        self.size = max(20, min(SLICE, settings.events // 20))
        self._ends = time.monotonic() + settings.minutes * 60
        self.until = clock.now() - timedelta(hours=1)
        self.slices: list[Slice] = []
        self.events = 0
        self.peak_mb = 0.0
        self.stopped_early = ""
        times = (self.until - SPAN * ((self.wanted - number) / self.wanted) for number in range(self.wanted))
        self._events = traffic.endless(SEED, house.holders, times)
        self._times = (self.until - SPAN * ((self.wanted - number) / self.wanted) for number in range(self.wanted))

    def grow(self, worker: Service) -> None:
        """Slice by slice; a slice that began is finished."""
        self._make_partitions()
        began = time.monotonic()
        while self.events < self.wanted:
            count = min(self.size, self.wanted - self.events)
            figures = self._slice(worker, count)
            self.events += count
            self.slices.append(Slice(self.events, figures))
            self._tell(began, figures)
            if reason := self._reason_to_stop():
                self.stopped_early = reason
                return

    def _slice(self, worker: Service, count: int) -> Figures:
        """The worker is halted while events land, so that each rate is of one thing alone."""
        with _halted(worker), watch(self._house.admin, {"postgres": self._house.server_pid}) as landed:
            landing.land(self._house, itertools.islice(self._rows(), count), FLUSH)
        with watch(self._house.admin, {"worker": worker.pid, "postgres": self._house.server_pid}) as cost:
            self._house.admin.execute("NOTIFY sitevault_landed")
            self._wait_until_drained()
        self.peak_mb = max(self.peak_mb, peak_megabytes(worker.pid))
        figures = cost.per_event(count)
        return {
            "events/s": count / cost.seconds,
            **figures,
            "CPU us/event": figures["worker CPU us/event"] + figures["postgres CPU us/event"],
            "WAL bytes/event, all stages": figures["WAL bytes/event"] + landed.wal_bytes / count,
            "landing postgres CPU us/event": landed.cpu["postgres"] * 1e6 / count,
            "database bytes/event": self._house.count(_DATABASE) / (self.events + count),
        }

    @property
    def reached(self) -> datetime:
        """The time of the last event so far."""
        return self.until - SPAN * ((self.wanted - self.events + 1) / self.wanted)

    def _rows(self) -> Iterator[landing.LandingRow]:
        for event, at in zip(self._events, self._times, strict=False):
            yield landing.row(event, at + timedelta(seconds=1))

    def _make_partitions(self) -> None:
        """Of the days this run pretends to have lived through; the worker only makes those ahead."""
        for parent, back in itertools.product(_PARENTS, range(SPAN.days + 2)):
            day: datetime = self.until - timedelta(days=back)
            self._house.admin.execute("SELECT ops.ensure_partition(%s::regclass, %s)", (parent, day.date()))

    def _wait_until_drained(self) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while self._house.count(_PENDING):
            if time.monotonic() > deadline:
                raise HarnessError(f"The worker left batches pending for {WAIT_SECONDS:.0f} seconds.")
            time.sleep(0.01)

    def _reason_to_stop(self) -> str:
        if self.events >= self.wanted:
            return ""
        if self._interrupted:
            return "interrupted"
        return "its time was up" if time.monotonic() > self._ends else ""

    def _tell(self, began: float, figures: Figures) -> None:
        if len(self.slices) % 10 and self.events < self.wanted:
            return
        spent = time.monotonic() - began
        left = spent / self.events * (self.wanted - self.events)
        print(
            f"  {self.events:>12,} of {self.wanted:,}  {figures['events/s']:>7,.0f}/s  "
            f"{figures['CPU us/event']:.0f} us CPU/event  {spent / 60:.1f} min, {left / 60:.1f} min to go",
            file=sys.stderr,
            flush=True,
        )

    def check(self) -> None:
        """Every event is in the vault: what was lost would have been quick."""
        vaulted = self._house.count(_VAULTED)
        if vaulted != self.events:
            raise HarnessError(f"{self.events} events were landed, {vaulted} are in the vault.")


def _result(growing: _Growing) -> Result:
    warm = growing.slices[1:] or growing.slices
    first = warm[:SLICES_FIRST]
    last = warm[-max(1, len(growing.slices) * SLICES_LAST // 500) :]
    sides = {f"first {_range(first)}": _over(first), f"last {_range(last)}": _over(last)}
    began, ended = sides.values()
    rate = _relation(ended, began, "events/s")
    cpu = _relation(began, ended, "CPU us/event")
    got = dict(zip(BARS, (rate.median, cpu.median, growing.peak_mb), strict=True))
    stopped = growing.stopped_early
    return Result(
        ROW.name,
        f"Growth to {growing.events:,} events",
        sides,
        {"rate, end / beginning": rate, "CPU per event, beginning / end": cpu},
        [judge(what, got[what], bar) for what, bar in BARS.items()],
        ["Every landed event is in the vault."],
        [
            f"Slices of {growing.size:,} events, landed by the collector's writer ({FLUSH} to a flush) while the "
            "worker is halted, then drained by one worker process; medians of slices, the first slice left out.",
            f"The events lie in {SPAN.days} days, in order; visitors come back, new visitors and new pages come.",
        ],
        _way(growing.slices),
        stopped and f"Stopped at {growing.events:,} of {growing.wanted:,} events: {stopped}.",
    )


def _range(slices: list[Slice]) -> str:
    return f"{len(slices)} slices, to {slices[-1].events:,} events"


def _over(slices: list[Slice]) -> dict[str, Spread]:
    return {figure: spread([one.figures[figure] for one in slices]) for figure in slices[0].figures}


def _relation(above: dict[str, Spread], below: dict[str, Spread], figure: str) -> Spread:
    """Of the medians; its extremes are those of the slices above against the median below."""
    return spread([value / below[figure].median for value in _trimmed(above[figure])])


def _trimmed(over: Spread) -> list[float]:
    """The middle half around the median: one checkpoint is not a trend."""
    ordered = sorted(over.rounds)
    cut = len(ordered) // 4
    return ordered[cut : len(ordered) - cut]


def _way(slices: list[Slice]) -> list[Point]:
    """Twenty points, each the medians of the slices since the last."""
    size = max(1, len(slices) // 20)
    parts = [slices[place : place + size] for place in range(0, len(slices), size)]
    return [
        Point(part[-1].events, {name: median(one.figures[name] for one in part) for name in part[0].figures})
        for part in parts
        if len(part) == size
    ]


def _refuse_without_room(events: int) -> None:
    home = os.environ.get("TMPDIR", "/tmp")  # noqa: S108 -- where temporary_home() makes it
    needed, free = events * BYTES_AN_EVENT + SPARE_BYTES * (events > SLICE), shutil.disk_usage(home).free
    if free < needed:
        raise HarnessError(
            f"{events:,} events take about {needed / 1e9:.0f} GB, {free / 1e9:.0f} GB are free below {home}. "
            "Name another place by TMPDIR, or fewer --events."
        )


@contextmanager
def _halted(worker: Service) -> Iterator[None]:
    """The worker holds nothing when its queue is empty; halted it also takes nothing."""
    pids = tree(worker.pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Ctrl-C ends the run after its slice; a second one ends it at once."""
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:
        if heard:
            raise KeyboardInterrupt
        heard.append(number)
        print("  Stopping after this slice; Ctrl-C again to drop everything.", file=sys.stderr, flush=True)

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, before)


ROW = Row("growth", "Growth: ten million events, then the console's questions", measure, on_its_own=True)
