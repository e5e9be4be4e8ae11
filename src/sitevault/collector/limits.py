"""Reading a body without ever holding more of it than the limit allows, or everybody else up."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import suppress

from sitevault.collector.answers import RefusedError
from sitevault.collector.request import Request
from sitevault.config import Config
from sitevault.reasons import Reason

READING_OVERHEAD_BYTES = 16 * 1024
"""What a request that waits for its body costs beside it (measured, with its connection and task)."""
PIECE_OVERHEAD_BYTES = 64
"""What a piece of a body costs beside its bytes: a body may come byte by byte."""
DROPPED_SECONDS = 2.0
DROPPED_BYTES = 16 * 1024 * 1024
"""What is still read of a body nobody wants, for the sake of its sender."""

LONG_BODY_BYTES = 16 * 1024
"""From here on judging a body takes so long (some 20 us a kilobyte) that it waits for its turn."""

TOO_SLOW = (Reason.BODY_INCOMPLETE, Reason.OVERLOADED)
"""Why a body was not read to its end although it may have more: such a sender is not waited for again."""

_GZIP = (b"gzip", b"x-gzip")
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


class Turns:
    """Long work one piece at a time, with the event loop's other work in between: flushes, and short requests."""

    def __init__(self) -> None:
        self._next = asyncio.Lock()

    async def wait(self) -> None:
        """Return when it is one's turn; no two waits end in the same round of the event loop."""
        async with self._next:
            await asyncio.sleep(0)


class _Arriving:
    """A body on its way, and the task that waits for it and for nothing else."""

    __slots__ = ("deadline", "ended", "size", "task")

    def __init__(self, task: asyncio.Task[object], deadline: float) -> None:
        self.task = task
        self.deadline = deadline
        self.size = 0
        self.ended: Reason | None = None

    def end(self, reason: Reason) -> None:
        self.ended = reason
        self.task.cancel()


class Bodies:
    """All bodies that are still arriving, held to a time each and to a size together.

    Where they become too many, those that began first go: an honest body is there in milliseconds, and what is
    left over is mostly somebody who sends a byte a second. One timer serves all: whoever began first ends first.
    """

    def __init__(self, config: Config) -> None:
        self._seconds = config.body_timeout_seconds
        self._limit = config.max_body_bytes
        self._most = config.max_reading_bytes
        self._arriving: dict[_Arriving, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.bytes = 0

    async def read(self, request: Request) -> bytes:
        """The unpacked body, at most `max_body_bytes`. Raises RefusedError; stops reading where that is passed."""
        encoding = request.headers.get(b"content-encoding", b"").strip().lower()
        if encoding and encoding != b"identity" and encoding not in _GZIP:
            raise RefusedError(Reason.ENCODING_UNSUPPORTED)
        if _declares_more(request, self._limit):
            raise RefusedError(Reason.BODY_TOO_LARGE)
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is None:
            raise RuntimeError("A request is served in a task.")
        arriving = _Arriving(task, loop.time() + self._seconds)
        self._arriving[arriving] = None
        if self._timer is None:
            self._timer = loop.call_at(arriving.deadline, self._end_late)
        try:
            self._grow(arriving, READING_OVERHEAD_BYTES)
            body = await self._receive(request, arriving)
        except asyncio.CancelledError:
            if arriving.ended is None or task.uncancel():
                raise
            raise RefusedError(arriving.ended) from None
        finally:
            if self._arriving.pop(arriving, True) is None:
                self.bytes -= arriving.size
        return gunzip(body, self._limit) if encoding in _GZIP else body

    async def _receive(self, request: Request, arriving: _Arriving) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await request.receive()
            if message["type"] != "http.request":
                raise RefusedError(Reason.BODY_INCOMPLETE)
            request.unread = message.get("more_body", False)
            piece: bytes = message.get("body", b"")
            size += len(piece)
            if size > self._limit:
                raise RefusedError(Reason.BODY_TOO_LARGE)
            if not request.unread:
                return b"".join((*pieces, piece)) if pieces else piece
            pieces.append(piece)
            self._grow(arriving, len(piece) + PIECE_OVERHEAD_BYTES)

    def _grow(self, arriving: _Arriving, by: int) -> None:
        arriving.size += by
        self.bytes += by
        while self.bytes > self._most and self._arriving:
            oldest = next(iter(self._arriving))
            self._forget(oldest)
            if oldest is arriving:
                raise RefusedError(Reason.OVERLOADED)
            oldest.end(Reason.OVERLOADED)

    def _end_late(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        while self._arriving:
            oldest = next(iter(self._arriving))
            if oldest.deadline > loop.time():
                self._timer = loop.call_at(oldest.deadline, self._end_late)
                return
            self._forget(oldest)
            oldest.end(Reason.BODY_INCOMPLETE)

    def _forget(self, arriving: _Arriving) -> None:
        del self._arriving[arriving]
        self.bytes -= arriving.size


async def drop_rest(request: Request) -> None:
    """Read on to the end of a body nobody wants, where that is near.

    A connection closed upon unread data is reset by the system, and a reset may take the answer from a client
    that still sends. Who waits to be told to send (Expect) is told no instead.
    """
    if b"expect" in request.headers or _declares_more(request, DROPPED_BYTES):
        return
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DROPPED_SECONDS):
            while request.unread and size <= DROPPED_BYTES:
                message = await request.receive()
                request.unread = message.get("more_body", False)
                size += len(message.get("body", b""))


def _declares_more(request: Request, limit: int) -> bool:
    declared = request.headers.get(b"content-length", b"")
    # The server has checked that it is a number; isdigit keeps us right under any other.
    return declared.isdigit() and (len(declared) > 18 or int(declared) > limit)


def gunzip(body: bytes, limit: int) -> bytes:
    """One gzip member unpacked to at most `limit` bytes, and nothing behind it. Raises RefusedError."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise RefusedError(Reason.GZIP_MALFORMED) from None
    if len(unpacked) > limit:
        raise RefusedError(Reason.GZIP_TOO_LARGE)
    if not unpacker.eof or unpacker.unused_data:
        raise RefusedError(Reason.GZIP_MALFORMED)
    return unpacked
