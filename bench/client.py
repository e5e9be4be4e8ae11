"""Our own load: raw HTTP/1.1 over asyncio, which knows of every single request what was answered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from bench.figures import HarnessError


class Reply(NamedTuple):
    """An answer, and when it was there (time.monotonic)."""

    status: int
    body: bytes
    at: float


class Outcome(NamedTuple):
    """What came of a load."""

    answered: int
    """Requests answered 200."""
    seconds: float
    p50_ms: float
    p99_ms: float
    cut_off: int
    """Requests whose answer nobody waited for: stored or not, they are not counted as answered."""


def request(path: str, key: str, body: bytes) -> bytes:
    """A POST as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._waiting: asyncio.Future[Reply] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect to the host and port of a URL."""
        where = urlsplit(url)
        _, protocol = await asyncio.get_running_loop().create_connection(
            cls, where.hostname or "127.0.0.1", where.port or 80
        )
        return protocol

    async def post(self, wire: bytes) -> Reply:
        """Send a request and wait for its answer."""
        if self._transport is None or self._waiting is not None:
            raise HarnessError("A connection carries one request at a time.")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(wire)
        return await self._waiting

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's call."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """asyncio's call."""
        self._received += data
        head, blank, rest = self._received.partition(b"\r\n\r\n")
        if not blank:
            return
        length = _content_length(bytes(head))
        if len(rest) < length or self._waiting is None:
            return
        reply = Reply(int(head[9:12]), bytes(rest[:length]), monotonic())
        self._received = rest[length:]
        waiting, self._waiting = self._waiting, None
        waiting.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        """asyncio's call."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionResetError("closed before the answer"))


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise HarnessError("An answer without a Content-Length.")


def closed_loop(url: str, requests: Iterator[bytes], connections: int, seconds: float) -> Outcome:
    """Each connection sends its next request when the last is answered; every answer is waited for.

    Raises HarnessError when anything but 200 is answered.
    """
    return asyncio.run(_closed_loop(url, requests, connections, seconds))


async def _closed_loop(url: str, requests: Iterator[bytes], connections: int, seconds: float) -> Outcome:
    lines = [await Connection.open(url) for _ in range(connections)]
    taken: list[float] = []
    began = monotonic()

    async def send(line: Connection) -> None:
        while (now := monotonic()) < began + seconds:
            wire = next(requests, None)
            if wire is None:
                return
            reply = await line.post(wire)
            if reply.status != 200:
                raise HarnessError(f"Answered {reply.status}: {reply.body.decode('utf-8', 'replace')}")
            taken.append(reply.at - now)

    try:
        await asyncio.gather(*map(send, lines))
    finally:
        for line in lines:
            line.close()
    return Outcome(len(taken), monotonic() - began, _at(taken, 0.50) * 1e3, _at(taken, 0.99) * 1e3, 0)


def _at(values: list[float], share: float) -> float:
    """The value below which `share` of all lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0
