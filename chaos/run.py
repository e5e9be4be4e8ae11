"""One run: a house of its own, the load, the faults in their order, the drain, the account."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from bench.house import Holder, temporary_home
from bench.machine import describe

from chaos import traffic
from chaos.disk import Disk, small_disk
from chaos.faults import ALL
from chaos.faults.fault import SQL, MissedError, SkippedError
from chaos.journal import Journal
from chaos.keeper import Keeper
from chaos.relay import Relay
from chaos.results import Happened, Outcome, Run
from chaos.schedule import Strike, draw
from chaos.sender import Sender
from chaos.site import OutOfReachError, Site
from chaos.turned import Clock
from chaos.verify import verify
from sitevault.config import Config
from sitevault.db import embedded
from sitevault.db.connect import Database, connect, open_embedded
from sitevault.db.migrate import migrate
from sitevault.demo.tenants import ensure_tenants
from sitevault.tenancy.keys import digest

DISK_MEGABYTES = 12_288
ANSWER_ALL_SECONDS = 60.0
DRAIN_SECONDS = 600.0
STUCK_SECONDS = 150.0
"""Without a batch less. One that was postponed often waits up to a minute for its next turn."""
_QUIET_SECONDS = 1.0

Tell = Callable[[str], None]


def run(
    seed: int, kills: int, minutes: float, rate: float, command: str, tell: Tell, kinds: Sequence[str] = tuple(ALL)
) -> Run:
    """Everything, within `minutes` and what draining and counting take. Nothing is left behind."""
    machine, started = describe(), datetime.now(UTC).replace(microsecond=0)
    schedule = draw(seed, kills, minutes * 60, kinds)
    with house() as (home, disk), ExitStack() as stack:
        clock = Clock(home / "clock")
        stack.callback(clock.close)
        server = stack.enter_context(embedded.attach(home))
        database = open_embedded(Config(home=home), server)
        migrate(database)
        holders = [
            Holder(one.tenant, one.tenant_hk, digest(one.key), one.key) for one in ensure_tenants(database, home)
        ]
        with connect(database.admin_conninfo, autocommit=True) as admin:
            refuse_poison(admin)
        keeper = Keeper(home, server, clock)
        stack.callback(keeper.stop)
        keeper.start()
        faults = sum(not strike.spare for strike in schedule)
        tell(
            f"Seed {seed}: {faults} faults, {kills} or more of them kill -9, in {minutes:g} minutes, {disk.kind}."
        )
        load = stack.enter_context(Load(keeper, holders, seed, rate))
        site = Site(database, holders, keeper, load.relays, load.call, clock, disk, load.refusals)
        happened = list(_strike_all(site, schedule, kills, minutes * 60 * 1.5, load, tell))
        outcome = _settle(site, load, tell)
        keeper.stop()
        tell("Counting every event ...")
        with connect(database.admin_conninfo) as admin:
            account = verify(admin, load.journal)
        return Run(
            machine, command, started, seed, minutes, rate, kills, disk.kind, disk.refused, happened, site.bitten,
            dict(sorted(load.journal.counts.items())), len(load.journal.sent), load.journal.acknowledged,
            dict(sorted(keeper.falls.items())), keeper.recoveries, load.sender.longest_silence, outcome, account,
            sorted(set(keeper.troubles)), dict(sorted(keeper.told().items())),
        )  # fmt: skip


@contextmanager
def house() -> Iterator[tuple[Path, Disk]]:
    """An empty home on a small filesystem where that can be had."""
    with (
        temporary_home("chaos") as home,
        tempfile.TemporaryDirectory(prefix="sitevault-chaos-disk-") as beside,
        small_disk(home, Path(beside) / "image", DISK_MEGABYTES) as disk,
    ):
        yield home, disk


def refuse_poison(admin: psycopg.Connection[Any]) -> None:
    """Let the vault of this database refuse one event type, as a rule of its owner's own would."""
    admin.execute(
        "ALTER TABLE business.site_event_nl ADD CONSTRAINT chaos_refuses_poison"
        f" CHECK (event_type <> '{traffic.POISON_TYPE}')"
    )


class Load:
    """The sender and its relays in a thread with an event loop of its own."""

    def __init__(self, keeper: Keeper, holders: list[Holder], seed: int, rate: float) -> None:
        self.journal = Journal()
        self._keeper = keeper
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="load")
        chance = Random(f"{seed} relays")
        self.relays = [Relay(port, chance) for port in keeper.ports]
        self._source = traffic.parcels(seed, holders)
        self._rate, self._seed = rate, seed

    def __enter__(self) -> Load:
        self._thread.start()
        self._wait(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._wait(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def finish(self, seconds: float) -> None:
        """Begin nothing new, and wait until everything is answered, or for so long."""
        self._wait(self.sender.finish(seconds))

    def call(self, what: Callable[[], object]) -> object:
        """Run something in the loop."""

        async def there() -> object:
            return what()

        return self._wait(there())

    def refusals(self) -> int:
        """How often somebody was not served so far."""
        counts = self.journal.counts
        return sum(number for name, number in list(counts.items()) if name not in ("answered 200", "answered 400"))

    async def _start(self) -> None:
        urls = [*self._keeper.urls, *[await relay.start() for relay in self.relays]]
        self.sender = Sender(urls, self._source, self.journal, self._rate, self._seed)
        self.sender.start()

    async def _stop(self) -> None:
        await self.sender.finish(0.0)
        for relay in self.relays:
            await relay.stop()
        self.journal.counts["cut by the relays"] = sum(relay.cuts for relay in self.relays)

    def _wait(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()


def _strike_all(
    site: Site, schedule: list[Strike], wanted: int, longest: float, load: Load, tell: Tell
) -> Iterator[Happened]:
    began = time.monotonic()
    kills = 0
    planned = sum(not strike.spare for strike in schedule)
    for number, strike in enumerate(schedule, 1):
        passed = time.monotonic() - began
        if passed > longest or (strike.spare and kills >= wanted):
            tell("Time is up." if passed > longest else "All faults are made.")
            return
        time.sleep(max(0.0, strike.at - passed))
        at = time.monotonic() - began
        fault = ALL[strike.fault]
        try:
            said, done = fault.strike(site, Random(strike.seed)), True
        except SkippedError as skipped:
            said, done = str(skipped), False
        except (MissedError, OutOfReachError) as missed:
            said, done = f"missed: {missed}", False
        except psycopg.Error as error:
            said, done = f"PostgreSQL went away: {type(error).__name__}", False
        kills += fault.kills and done
        tell(
            f"{at:6.0f} s  {number:>4}/{planned}  {kills:>3} kills"
            f"  {load.journal.acknowledged:>8} answered  {fault.name}: {said}"
        )
        yield Happened(round(at, 1), fault.name, fault.kills and done, done, said)


def _settle(site: Site, load: Load, tell: Tell) -> Outcome:
    """The faults are over: everything is answered, then everything is carried through."""
    site.clock.turn(timedelta())
    site.disk.free()
    for child in site.keeper.workers:
        site.keeper.wake(child)
    began = time.monotonic()
    site.wait_for_lasting()
    tell("The faults are over. Waiting for the last answers ...")
    time.sleep(_QUIET_SECONDS)
    load.finish(ANSWER_ALL_SECONDS)
    answered = time.monotonic() - began
    drained = _drain(site.database, tell)
    return Outcome(round(answered, 1), round(time.monotonic() - began - answered, 1), drained)


def _drain(database: Database, tell: Tell) -> bool:
    """Whether nothing waits in the end; given up when it does not become less, or takes too long."""
    began = progressed = time.monotonic()
    fewest = None
    with connect(database.admin_conninfo, autocommit=True) as admin:
        while time.monotonic() < min(began + DRAIN_SECONDS, progressed + STUCK_SECONDS):
            (waiting,) = admin.execute(SQL.count_waiting).fetchone() or (0,)
            if not waiting:
                return True
            if fewest is None or waiting < fewest:
                fewest, progressed = waiting, time.monotonic()
            time.sleep(0.25)
    tell(f"{fewest} batches are still waiting after {time.monotonic() - began:.0f} s.")
    return False
