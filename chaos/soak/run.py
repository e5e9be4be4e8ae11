"""One soak: a collector and a worker as operators run them, a steady load, samples, verdicts."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from bench import client, traffic
from bench.client import Connection
from bench.figures import HarnessError
from bench.house import House, open_house
from bench.machine import describe

from chaos.run import Tell
from chaos.soak.results import Soak
from chaos.soak.watch import sample

CONNECTIONS = 16
EVENTS_PER_POST = 10
PROBE_SECONDS = 10.0
AUTOVACUUM_PERCENT = 20.0
_CHUNK = 5_000


def soak(minutes: float, rate: float | None, every: float, command: str, tell: Tell) -> Soak:
    """Raises HarnessError when an event is refused, or lost."""
    machine, started = describe(), datetime.now(UTC).replace(microsecond=0)
    with open_house() as house, house.service("collector") as collector, house.service("worker") as worker:
        why = "as asked for"
        if rate is None:
            fastest = _probe(house, collector.url)
            rate, why = (
                fastest / 2,
                f"half of the {fastest:,.0f} events/s it held for {PROBE_SECONDS:.0f} s before",
            )
        tell(f"{minutes:g} minutes at {rate:,.0f} events/s ({why}).")
        before = house.settled("SELECT count(*) FROM raw.landed_event")
        load = _Load(house, collector.url, rate)
        load.start()
        samples: dict[str, list[float]] = {}
        services = {"collector": collector.pid, "worker": worker.pid}
        for seconds in _moments(minutes * 60, every):
            figures = {"seconds": seconds} | sample(house.admin, services)
            for table in ("raw.batch", "mart"):
                figures[f"{table} dead % above 20"] = max(0.0, figures[f"{table} dead %"] - AUTOVACUUM_PERCENT)
            figures["KB per event"] = figures["database MB"] * 1024 / max(figures["events"], 1.0)
            for name, value in figures.items():
                samples.setdefault(name, []).append(round(value, 4))
            if len(samples["seconds"]) % 20 == 1:
                tell(
                    f"{seconds:6.0f} s  {load.answered:>9} answered"
                    f"  collector {figures['collector RSS MB']:.0f} MB  worker {figures['worker RSS MB']:.0f} MB"
                    f"  pending {figures['pending batches']:.0f}"
                )
            if load.error is not None:
                raise HarnessError(f"The load ended: {load.error}")
        load.stop()
        notes = _prove(house, load, before)
    return Soak(machine, command, started, minutes, rate, why, every, load.sent, load.answered, samples, notes)


def _moments(seconds: float, every: float) -> Iterator[float]:
    began = time.monotonic()
    for number in itertools.count():
        now = time.monotonic() - began
        if number * every > seconds:
            return
        time.sleep(max(0.0, number * every - now))
        yield round(time.monotonic() - began, 1)


class _Load(threading.Thread):
    """Batches at a rate; each answer is waited for, and what was answered 503 is sent again."""

    def __init__(self, house: House, url: str, rate: float) -> None:
        super().__init__(name="load")
        self._house, self._url, self._rate = house, url, rate
        self._ending = threading.Event()
        self.sent = self.answered = self.refused = 0
        self.error: str | None = None

    def run(self) -> None:
        """The thread."""
        try:
            asyncio.run(self._send())
        except Exception as error:
            self.error = f"{type(error).__name__}: {error}"

    def stop(self) -> None:
        """Wait for what is under way."""
        self._ending.set()
        self.join()
        if self.error is not None:
            raise HarnessError(f"The load ended: {self.error}")

    async def _send(self) -> None:
        posts = _posts(self._house)
        due = time.monotonic()

        async def be_a_client() -> None:
            nonlocal due
            line = await Connection.open(self._url)
            while not self._ending.is_set():
                due = max(due, time.monotonic() - 1.0) + EVENTS_PER_POST / self._rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                wire = next(posts)
                self.sent += EVENTS_PER_POST
                while (reply := await line.post(wire)).status != 200:
                    if reply.status != 503:
                        raise HarnessError(f"Answered {reply.status}: {reply.body.decode('utf-8', 'replace')}")
                    self.refused += EVENTS_PER_POST
                    await asyncio.sleep(1.0)
                self.answered += EVENTS_PER_POST
            line.close()

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(be_a_client())


def _posts(house: House) -> Iterator[bytes]:
    """Batches without end; the visitors and sessions come back, as on real sites."""
    for seed in itertools.count(1):
        waiting: dict[str, list[bytes]] = {holder.key: [] for holder in house.holders}
        for event in traffic.events(seed, house.holders, _CHUNK):
            bodies = waiting[event.holder.key]
            bodies.append(event.body)
            if len(bodies) == EVENTS_PER_POST:
                yield client.request("/api/v1/track/batch", event.holder.key, b"[" + b",".join(bodies) + b"]")
                bodies.clear()


def _probe(house: House, url: str) -> float:
    """Events per second through the whole pipeline: sent as fast as they are answered, until they are vaulted."""
    load = _Load(house, url, rate=1e9)
    load.start()
    began = time.monotonic()
    time.sleep(PROBE_SECONDS)
    load.stop()
    _drain(house)
    return load.answered / (time.monotonic() - began)


def _drain(house: House) -> None:
    deadline = time.monotonic() + 120
    while house.count("SELECT count(*) FROM raw.batch WHERE state = 'PENDING'"):
        if time.monotonic() > deadline:
            raise HarnessError("Batches are still waiting after two minutes.")
        time.sleep(0.1)


def _prove(house: House, load: _Load, before: int) -> list[str]:
    _drain(house)
    landed = house.count("SELECT count(*) FROM raw.landed_event") - before
    # What was answered 503 may be there all the same: nobody knew, then.
    if not load.answered <= landed <= load.answered + load.refused:
        raise HarnessError(f"{load.answered} events were answered 200, {landed} landed.")
    unbalanced = house.count(
        "SELECT count(*) FROM (SELECT FROM ops.ledger_d GROUP BY tenant_hk"
        " HAVING sum(landed) <> sum(vaulted) + sum(duplicate) + sum(invalid)) AS tenant"
    )
    if unbalanced:
        raise HarnessError(f"The ledger of {unbalanced} tenants does not balance.")
    again = f" {load.refused:,} were answered 503 and sent again." if load.refused else ""
    return [f"All {load.answered:,} events answered 200 were found in landing, and the ledger balances.{again}"]
