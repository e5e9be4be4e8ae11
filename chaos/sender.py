"""The verified load: clients that are cut off, lose patience and send again, and remember every answer."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from random import Random
from time import monotonic
from typing import Any, NamedTuple

import msgspec
from bench import client
from bench.client import Reply

from chaos.journal import Journal, Sent
from chaos.traffic import Parcel
from chaos.wire import Line

CLIENTS = 24
ANSWER_SECONDS = 6.0
LAST_ANSWER_SECONDS = 15.0
"""For what can be sent once only: longer than the collector's own time-out."""
CONNECT_SECONDS = 2.0
LARGEST_BATCH = 40
MANNERS = {"plain": 0.86, "impatient": 0.06, "cut": 0.04, "deaf": 0.04}
"""How a request is sent the first time: as it should be; sent again while the first is under way; cut in the
middle; cut after the last byte, without hearing the answer."""
_NO_CONNECTION = (OSError, asyncio.TimeoutError)


class Post(NamedTuple):
    """One request: the wire's bytes, and the events in it."""

    path: str
    wire: bytes
    events: list[Sent]

    @property
    def repeatable(self) -> bool:
        return all(one.repeatable for one in self.events)


class Sender:
    """Sends at a rate until `finish`; lives in one event loop."""

    def __init__(
        self, urls: list[str], source: Iterator[Parcel], journal: Journal, rate: float, seed: int
    ) -> None:
        self._urls = urls
        self._source = source
        self._journal = journal
        self._rate = rate
        self._chance = Random(f"{seed} manners")
        self._finishing = asyncio.Event()
        self._give_up_at = float("inf")
        self._hanging: set[asyncio.Task[None]] = set()
        self._clients: list[asyncio.Task[None]] = []
        self._due = 0.0
        self.last_answer = monotonic()
        self.longest_silence = 0.0

    def start(self) -> None:
        """Begin; returns at once."""
        self._due = self.last_answer = monotonic()
        self._clients = [asyncio.create_task(self._be_a_client()) for _ in range(CLIENTS)]

    async def finish(self, seconds: float) -> None:
        """Begin nothing new; repeat what has no answer yet for so long at most, and return."""
        self._give_up_at = monotonic() + seconds
        self._finishing.set()
        await asyncio.gather(*self._clients)
        if self._hanging:
            await asyncio.wait(self._hanging, timeout=LAST_ANSWER_SECONDS)

    async def _be_a_client(self) -> None:
        lines: dict[str, Line] = {}
        try:
            while not self._finishing.is_set():
                post = self._next_post()
                await self._wait_for_turn(len(post.events))
                await self._deliver(lines, post)
        finally:
            for line in lines.values():
                line.close()

    async def _wait_for_turn(self, events: int) -> None:
        now = monotonic()
        # What could not be sent in time is not made up for: a client that was stuck goes on from now.
        self._due = max(self._due, now - 1.0) + events / self._rate
        if self._due > now:
            await asyncio.sleep(self._due - now)

    def _next_post(self) -> Post:
        first = next(self._source)
        if not first.repeatable or self._chance.random() < 0.5:
            return self._single(first)
        parcels = [first]
        for parcel in itertools.islice(self._source, self._chance.randrange(LARGEST_BATCH)):
            # A request has one key, and is sent again as a whole.
            parcels.append(parcel._replace(holder=first.holder))
        return self._batch(parcels)

    def _single(self, parcel: Parcel) -> Post:
        one = self._journal.note(parcel.holder, parcel.body, parcel.fate, repeatable=parcel.repeatable)
        path = "/api/v1/track"
        return Post(path, client.request(path, parcel.holder.key, parcel.body), [one])

    def _batch(self, parcels: list[Parcel]) -> Post:
        holder, path = parcels[0].holder, "/api/v1/track/batch"
        kept = [parcel for parcel in parcels if parcel.repeatable]
        events = [self._journal.note(holder, parcel.body, parcel.fate) for parcel in kept]
        body = b"[" + b",".join(parcel.body for parcel in kept) + b"]"
        return Post(path, client.request(path, holder.key, body), events)

    async def _deliver(self, lines: dict[str, Line], post: Post) -> None:
        manner = next(iter(self._chance.choices(list(MANNERS), list(MANNERS.values()))))
        if not post.repeatable:
            await self._try(lines, post, LAST_ANSWER_SECONDS)
            return
        for attempt in itertools.count(1):
            if await self._attempt(lines, post, manner if attempt == 1 else "plain"):
                return
            if monotonic() > self._give_up_at:
                return
            self._journal.counts["sent again"] += 1
            await asyncio.sleep(self._chance.uniform(0.02, min(0.05 * 2**attempt, 1.0)))

    async def _attempt(self, lines: dict[str, Line], post: Post, manner: str) -> bool:
        """Whether every event of it is settled."""
        if manner == "plain":
            return await self._try(lines, post, ANSWER_SECONDS)
        try:
            line = await self._open(self._chance.choice(self._urls))
        except _NO_CONNECTION:
            self._journal.counts["no connection"] += 1
            return False
        self._journal.counts[manner] += 1
        if manner == "impatient":
            hanging = asyncio.create_task(self._hear_later(line, post))
            self._hanging.add(hanging)
            hanging.add_done_callback(self._hanging.discard)
            await asyncio.sleep(self._chance.uniform(0.0, 0.05))
            return False
        whole = len(post.wire) if manner == "deaf" else self._chance.randrange(1, len(post.wire))
        line.begin(post.wire[:whole])
        await asyncio.sleep(self._chance.uniform(0.0, 0.02))
        line.reset()
        return False

    async def _hear_later(self, line: Line, post: Post) -> None:
        """The answer to the first copy, while the second is under way: it must say the same."""
        try:
            async with asyncio.timeout(LAST_ANSWER_SECONDS):
                self._read(post, await line.post(post.wire))
        except _NO_CONNECTION:
            self._journal.counts["no answer"] += 1
        finally:
            line.close()

    async def _try(self, lines: dict[str, Line], post: Post, seconds: float) -> bool:
        url = self._chance.choice(self._urls)
        line = lines.pop(url, None)
        try:
            if line is None or not line.usable:
                line = await self._open(url)
        except _NO_CONNECTION:
            self._journal.counts["no connection"] += 1
            return False
        try:
            async with asyncio.timeout(seconds):
                reply = await line.post(post.wire)
        except _NO_CONNECTION as error:
            self._journal.counts["timed out" if isinstance(error, TimeoutError) else "no answer"] += 1
            line.reset()
            return False
        lines[url] = line
        return self._read(post, reply)

    async def _open(self, url: str) -> Line:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await Line.open(url)

    def _read(self, post: Post, reply: Reply) -> bool:
        self._journal.counts[f"answered {reply.status}"] += 1
        if reply.status not in (200, 400):
            return False
        now = monotonic()
        self.longest_silence = max(self.longest_silence, now - self.last_answer)
        self.last_answer = now
        content = msgspec.json.decode(reply.body)
        # A request that is refused as a whole says so once.
        whole = [content] * (len(post.events) if "code" in content else 1)
        results: list[dict[str, Any]] = content.get("results") or whole
        if len(results) != len(post.events):
            self._journal.contradictions.append("a batch was answered with another number of results")
            return True
        for one, result in zip(post.events, results, strict=True):
            if "event_id" in result:
                self._journal.acknowledge(one, result["event_id"])
            else:
                self._journal.refuse(one, result["code"])
        return True
