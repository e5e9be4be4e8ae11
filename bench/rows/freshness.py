"""How soon an event is in the vault after its answer, while 2,000 a second come in."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from time import monotonic
from typing import Any

import msgspec
import psycopg

from bench import client, traffic
from bench.client import Connection
from bench.figures import Bar, Figures, HarnessError, Result, interleave, judge, summarise
from bench.house import House, open_house
from bench.settings import Row, Settings
from bench.traffic import Event
from bench.watch import watch
from sitevault.db.connect import connect

EVENTS_PER_SECOND = 2_000
CONNECTIONS = 32
TICK_SECONDS = 0.01
SETTLE_SECONDS = 30.0
BARS = {"p99 s": Bar(1, at_least=False), "events/s": Bar(0.97 * EVENTS_PER_SECOND)}
"""A pace that was not kept proves nothing."""

Heard = list[tuple[float, list[range]]]
"""When a worker was heard to have committed which batches (time.monotonic)."""


def measure(settings: Settings) -> Result:
    """Rounds of a paced load, collector and worker at work."""
    with open_house() as house, house.service("collector") as collector, house.service("worker") as worker:
        seeds = itertools.count(1)
        count = int(EVENTS_PER_SECOND * settings.seconds)
        trees = {"collector": collector.pid, "worker": worker.pid, "postgres": house.server_pid}

        def send() -> Figures:
            events = list(traffic.events(next(seeds), house.holders, count))
            with watch(house.admin, trees) as cost:
                answered, heard = asyncio.run(_send_and_listen(house, collector.url, events))
            return _delays(house, answered, heard) | cost.per_event(count)

        send()
        sides = summarise(interleave(settings.rounds, {"collector and worker": send}))
    ours = sides["collector and worker"]
    return Result(
        ROW.name,
        ROW.title,
        sides,
        {},
        [judge(what, ours[what].median, bar) for what, bar in BARS.items()],
        ["Every event was answered 200 and found in a batch that a worker announced after its commit."],
        [f"Single posts over {CONNECTIONS} connections by our client; from the answer to the worker's notice."],
    )


async def _send_and_listen(house: House, url: str, events: list[Event]) -> tuple[dict[str, float], Heard]:
    """(event id -> when it was answered, what the workers announced)."""
    async with await psycopg.AsyncConnection.connect(house.database.admin_conninfo, autocommit=True) as conn:
        await conn.execute("LISTEN sitevault_loaded")
        heard: Heard = []
        listening = asyncio.create_task(_listen(conn, heard))
        answered = await _send(url, events)
        await asyncio.to_thread(_settle, house)
        await asyncio.sleep(0.5)  # the last notice is on its way
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
    return answered, heard


async def _listen(conn: psycopg.AsyncConnection[Any], heard: Heard) -> None:
    async for notice in conn.notifies():
        ranges = [part.split("-") for part in notice.payload.split(",")]
        heard.append((monotonic(), [range(int(first), int(last) + 1) for first, last in ranges]))


async def _send(url: str, events: list[Event]) -> dict[str, float]:
    """Each event at its time, on whichever connection is free; late when none is."""
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await Connection.open(url))
    answered: dict[str, float] = {}

    async def post(line: Connection, event: Event) -> None:
        reply = await line.post(client.request("/api/v1/track", event.holder.key, event.body))
        if reply.status != 200:
            raise HarnessError(f"Answered {reply.status}: {reply.body.decode('utf-8', 'replace')}")
        answered[msgspec.json.decode(reply.body)["event_id"]] = reply.at
        free.put_nowait(line)

    async with asyncio.TaskGroup() as group:
        async for event in _paced(events):
            group.create_task(post(await free.get(), event))
    while not free.empty():
        free.get_nowait().close()
    return answered


async def _paced(events: list[Event]) -> AsyncIterator[Event]:
    """The events in their time; sleeping at least a tick means that a few follow at once."""
    began = monotonic()
    for number, event in enumerate(events):
        if number > (monotonic() - began) * EVENTS_PER_SECOND:
            await asyncio.sleep(TICK_SECONDS)
        yield event


def _settle(house: House) -> None:
    deadline = monotonic() + SETTLE_SECONDS
    with connect(house.database.admin_conninfo, autocommit=True) as conn:
        while conn.execute("SELECT FROM raw.batch WHERE state = 'PENDING' LIMIT 1").fetchone() is not None:
            if monotonic() > deadline:
                raise HarnessError(f"Batches were pending {SETTLE_SECONDS:.0f} seconds after the last event.")


def _delays(house: House, answered: dict[str, float], heard: Heard) -> Figures:
    when = {batch_id: at for at, ranges in heard for batch_id in itertools.chain.from_iterable(ranges)}
    delays = sorted(_each_delay(house, answered, when))
    if len(delays) != len(answered):
        raise HarnessError(f"{len(answered)} events were answered 200, {len(delays)} were found in the vault.")
    return {
        "p50 s": delays[len(delays) // 2],
        "p99 s": delays[int(len(delays) * 0.99)],
        "longest s": delays[-1],
        "events/s": len(delays) / (max(answered.values()) - min(answered.values())),
    }


def _each_delay(house: House, answered: dict[str, float], when: dict[int, float]) -> Iterator[float]:
    rows = house.admin.execute(
        "SELECT event_id::text, raw_event_id / 65536 FROM business.site_event_nl WHERE event_id = ANY(%s::uuid[])",
        (list(answered),),
    )
    for event_id, batch_id in rows:
        if batch_id not in when:
            raise HarnessError(f"Nobody announced batch {batch_id}.")
        yield max(0.0, when[batch_id] - answered[event_id])


ROW = Row("freshness", "Freshness at 2,000 events/s: from the answer to the vault", measure)
