"""The same work again and again on a growing database: does an event cost at ten million what it did at first?"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import FrameType
from typing import NamedTuple

from bench import beforehand, beside, landing, questions
from bench.beforehand import Ahead
from bench.beside import FRESH, GROWN
from bench.figures import Bar, Figures, HarnessError, Point, Result, Spread, judge, ratio, summarise
from bench.house import House, open_house
from bench.settings import Row, Settings
from bench.slices import FLUSH, WAIT_SECONDS, halted, wait_for_worker
from bench.watch import peak_megabytes, watch
from sitevault import clock
from sitevault.db.roles import Role
from sitevault.landing.flush import LandingRow
from sitevault.marts import rollup

SPAN = timedelta(days=28)
"""Within `late_days`: an event older than that is taken to have happened when it came."""
SLICE = 10_000
"""Drained at a time where it is compared: a full claim."""
WORKERS = 2
"""On the way from mark to mark."""
BACKLOG = 100
"""Batches that may wait on the way."""
MARKS = 10
BYTES_AN_EVENT = 4_000
"""Of the database, with some room; measured: see the page."""
SPARE_BYTES = 8 << 30
"""For the server's log, and for whoever else lives on that disk."""
_VAULTED = "SELECT coalesce(sum(vaulted), 0) FROM ops.ledger_d"
_DATABASE = "SELECT pg_database_size(current_database())"
_PARENTS = (
    "raw.landed_event",
    "business.site_event_nl",
    "business.site_event_pii_ns",
)
RATE, CPU, WAL = "events/s", "CPU us/event", "WAL bytes/event"
RATE_RATIO, CPU_RATIO = "rate, grown / fresh", "CPU per event, fresh / grown"
BARS = {RATE_RATIO: Bar(0.85), CPU_RATIO: Bar(0.85), "worker peak MB": Bar(300, at_least=False)}


class Walked(NamedTuple):
    """What a part of the way took, everything the server did included."""

    events: int
    seconds: float
    cpu_seconds: float
    wal_bytes: float


class Mark(NamedTuple):
    """A comparison with the fresh database, and how large the grown one was."""

    events: int
    on_the_way: Figures
    """Of all events since the last mark, everything the server does included; compared with nothing."""
    measured: dict[str, list[Figures]]
    database_bytes: int

    @property
    def ratios(self) -> dict[str, Spread]:
        """Round by round."""
        return {
            RATE_RATIO: ratio(self.measured, RATE, GROWN, FRESH),
            CPU_RATIO: ratio(self.measured, CPU, FRESH, GROWN),
        }


def measure(settings: Settings) -> Iterator[Result]:
    """Grow until the number is reached, time or disk is used up, or Ctrl-C; then ask questions of it."""
    _refuse_without_room(settings)
    with open_house(settings.home) as house, _interruptible() as interrupted:
        growing = _Growing(house, settings, interrupted)
        with beforehand.made_ahead(
            house.holders, growing.until, SPAN, growing.wanted, growing.size, growing.events
        ) as made:
            growing.grow(made)
        growing.check()
        yield _result(growing)
        yield questions.ask(house)


class _Growing:
    """A run under way, with all it has measured so far."""

    def __init__(self, house: House, settings: Settings, interrupted: list[int]) -> None:
        self._house = house
        self._interrupted = interrupted
        self._began = time.monotonic()
        self._ends = self._began + settings.minutes * 60
        self.wanted = settings.events
        self.size = max(20, min(SLICE, self.wanted // 100))
        self.rounds = settings.rounds
        self.until = clock.now() - timedelta(hours=1)
        self.marks: list[Mark] = []
        self.events = self.began_with = house.count(_VAULTED)
        """More than none where --home names a database that an earlier run grew: this one goes on."""
        self.peak_mb = 0.0
        self.stopped_early = ""
        self.control = min(beside.EVENTS, self.wanted // 4)
        """Where both databases have as many events: what the comparison says there is its own error."""

    def grow(self, made: Ahead) -> None:
        """From mark to mark; a slice that began is finished, and the last mark is where it ends."""
        self._ahead = made
        self._make_partitions(self._house)
        small = self._small_database()
        every = max(self.wanted // MARKS, min(self.wanted // 2, beside.EVENTS))
        targets = (self.control + self.size * len(small), *range(every, self.wanted + 1, every))
        for target in (one for one in targets if one - self.size * len(small) > self.events):
            with beside.fresh_copy(self._house, iter(small)) as pair:
                mark = self._approach(target, pair)
            if mark is not None:
                self.marks.append(mark)
                self._tell_mark()
            if self.stopped_early:
                return

    def _approach(self, target: int, pair: beside.Pairing) -> Mark | None:
        """Up to the target, with a pair of slices after every part of the way: no checkpoint falls on all of them.

        The control's are together, where both databases hold as many events. None where there was no time for any.
        """
        begin, is_control = self.events, not self.marks and not self.began_with
        measured: dict[str, list[Figures]] = {GROWN: [], FRESH: []}
        walked: list[Walked] = []
        for number in range(self.rounds):
            ahead = (target - begin) * (number + 1) // self.rounds
            end = begin + ahead - ahead % self.size
            if is_control:
                end = target - self.size * (self.rounds - 1 - number)
            goal = end - self.size * (1 if number else 2)  # the first slice warms up
            if goal > self.events:
                walked.append(self._walk(goal))
                if self.stopped_early and (self.marks or number):
                    break
                if is_control:
                    # As the model was: without statistics the planner would make the difference.
                    self._house.admin.execute("VACUUM (ANALYZE)")
                self._roll_days()
            slices = [self._next_slice() for _ in range(1 if number else 2)]  # while they are still made
            with halted(self._ahead.service):
                *_, one = [pair(rows, fresh_first=number % 2 == 1) for rows in slices]
            for side, figures in one.items():
                measured[side].append(figures)
            if self.stopped_early:
                break
        return Mark(self.events, _sum(walked), measured, self._house.count(_DATABASE)) if measured[GROWN] else None

    def _walk(self, target: int) -> Walked:
        """All stages at once, until so many events are there or it is time to stop."""
        first = self.events
        with ExitStack() as at_work:
            workers = [at_work.enter_context(self._house.service("worker", number)) for number in range(WORKERS)]
            trees = {"postgres": self._house.server_pid} | {f"worker {one.pid}": one.pid for one in workers}
            with watch(self._house.admin, trees) as cost:
                while self.events < target and not self.stopped_early:
                    landing.land(self._house, self._next_slice(), FLUSH)
                    wait_for_worker(self._house, BACKLOG)
                    self.stopped_early = self._reason_to_stop()
                wait_for_worker(self._house)
            self.peak_mb = max(self.peak_mb, *(peak_megabytes(one.pid) for one in workers))
        return Walked(self.events - first, cost.seconds, sum(cost.cpu.values()), cost.wal_bytes)

    def _roll_days(self) -> None:
        """What the walk left to be rolled up is its own, not that of the slices after it."""
        with self._house.database.connect(Role.WORKER, autocommit=True) as conn:
            rollup.roll_days(conn, seconds=WAIT_SECONDS, again_seconds=0)

    def _small_database(self) -> list[list[LandingRow]]:
        """Made ready; returns the slices that are carried into each of its copies."""
        if fresh := not beside.has_model(self._house):
            beside.make_model(self._house)
        with beside.small_house(self._house) as small:
            rows = beforehand.rows(small.holders, self.until, SPAN, self.wanted, 0 if fresh else self.control)
            if fresh:
                self._make_partitions(small)
                beside.fill(small, rows, self.control, self.size)
            return [list(itertools.islice(rows, self.size)) for _ in range(self.rounds + 1)]

    def _next_slice(self) -> list[LandingRow]:
        rows = self._ahead.take()
        self.events += len(rows)
        return rows

    @staticmethod
    def _make_partitions(house: House) -> None:
        """Of the days this run pretends to have lived through; the worker only makes those ahead."""
        for parent, back in itertools.product(_PARENTS, range(SPAN.days + 2)):
            day = (clock.now() - timedelta(days=back)).date()
            house.admin.execute("SELECT ops.ensure_partition(%s::regclass, %s)", (parent, day))

    def _reason_to_stop(self) -> str:
        if self._interrupted:
            return "interrupted"
        if shutil.disk_usage(self._house.home).free < SPARE_BYTES:
            return "the disk was nearly full"
        return "its time was up" if time.monotonic() > self._ends else ""

    def _tell_mark(self) -> None:
        mark, spent = self.marks[-1], time.monotonic() - self._began
        told = ", ".join(f"{name} {over.median:.2f}" for name, over in mark.ratios.items())
        print(
            f"  {self.events:>12,} of {self.wanted:,}  {told}  {spent / 60:.1f} min, "
            f"{spent / (self.events - self.began_with) * (self.wanted - self.events) / 60:.1f} min to go",
            file=sys.stderr,
            flush=True,
        )

    @property
    def notes(self) -> list[str]:
        """Where this run began, if not with an empty database."""
        return [f"An earlier run had grown it to {self.began_with:,} events."] if self.began_with else []

    def check(self) -> None:
        """Every event is in the vault: what was lost would have been quick."""
        vaulted = self._house.count(_VAULTED)
        if vaulted != self.events:
            raise HarnessError(f"{self.events} events were landed, {vaulted} are in the vault.")


def _result(growing: _Growing) -> Result:
    last = growing.marks[-1]
    figures = summarise(last.measured)
    got = dict(
        zip(BARS, (last.ratios[RATE_RATIO].median, last.ratios[CPU_RATIO].median, growing.peak_mb), strict=True)
    )
    stopped = growing.stopped_early
    return Result(
        ROW.name,
        f"Growth to {growing.events:,} events",
        {f"grown, {last.events:,} events": figures[GROWN], "fresh, 100 thousand events": figures[FRESH]},
        last.ratios,
        [judge(what, got[what], bar) for what, bar in BARS.items()],
        ["Every landed event is in the vault."],
        [
            *growing.notes,
            "On the way to each mark, evenly apart, the grown database and a fresh one, made anew and holding the "
            f"first hundred thousand events of the same traffic, take {growing.rounds} slices of {growing.size:,} "
            f"events each, in turn, on one server: landed by the collector's writer ({FLUSH} to a flush) while "
            "the worker is halted, then drained by one worker. CPU is the worker's and that of its lanes' "
            "backends. Before that, days that are over are rolled up: that work is counted on the way.",
            "The first mark is the control: both databases hold as many events, what differs is the harness.",
            f"On the way all stages are at work at once, with {WORKERS} workers; CPU and WAL there include all "
            "that the server does, landing, checkpoints and vacuum too; the rate is that of a machine in use.",
            f"The events lie in {SPAN.days} days, in order; visitors come back, new visitors and new pages come.",
        ],
        [_point(mark) for mark in growing.marks],
        stopped and f"Stopped at {growing.events:,} of {growing.wanted:,} events: {stopped}.",
    )


def _sum(walked: list[Walked]) -> Figures:
    events = sum(part.events for part in walked)
    return {
        "events/s": events / sum(part.seconds for part in walked),
        "CPU us/event": sum(part.cpu_seconds for part in walked) * 1e6 / events,
        "WAL bytes/event": sum(part.wal_bytes for part in walked) / events,
    }


def _point(mark: Mark) -> Point:
    sides = summarise(mark.measured)
    compared = {
        f"{figure}, {side}": sides[side][figure].median for figure in (RATE, CPU) for side in (GROWN, FRESH)
    }
    ratios = {name: over.median for name, over in mark.ratios.items()}
    on_the_way = {f"{name}, on the way": value for name, value in mark.on_the_way.items()}
    return Point(
        mark.events,
        {**ratios, **compared, **on_the_way, "database bytes/event": mark.database_bytes / mark.events},
    )


def _refuse_without_room(settings: Settings) -> None:
    home = settings.home.parent if settings.home else os.environ.get("TMPDIR", "/tmp")  # noqa: S108 -- temporary_home()
    needed = settings.events * BYTES_AN_EVENT + SPARE_BYTES * (settings.events > SLICE)
    free = shutil.disk_usage(home).free
    if free < needed:
        raise HarnessError(
            f"{settings.events:,} events take some {needed / 1e9:.0f} GB; {home} has {free / 1e9:.0f} GB free. "
            "Name another place by TMPDIR or --home, or fewer --events."
        )


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
