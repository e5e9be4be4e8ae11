"""Reading a body without ever holding more of it than the limit allows."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import suppress

from sitevault.collector.answers import RefusedError
from sitevault.collector.request import Request
from sitevault.reasons import Reason

BODY_SECONDS = 30.0
"""How long a body may take to arrive: the server bounds only the time of the headers."""
DROPPED_SECONDS = 2.0
DROPPED_BYTES = 16 * 1024 * 1024
"""What is still read of a body nobody wants, for the sake of its sender."""

_GZIP = (b"gzip", b"x-gzip")
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def read_body(request: Request, limit: int) -> bytes:
    """The unpacked body, at most `limit` bytes. Raises RefusedError; stops reading where the limit is passed."""
    encoding = request.headers.get(b"content-encoding", b"").strip().lower()
    if encoding and encoding != b"identity" and encoding not in _GZIP:
        raise RefusedError(Reason.ENCODING_UNSUPPORTED)
    if _declares_more(request, limit):
        raise RefusedError(Reason.BODY_TOO_LARGE)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _receive(request, limit)
    except TimeoutError:
        raise RefusedError(Reason.BODY_INCOMPLETE) from None
    return gunzip(body, limit) if encoding in _GZIP else body


async def _receive(request: Request, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise RefusedError(Reason.BODY_INCOMPLETE)
        request.unread = message.get("more_body", False)
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise RefusedError(Reason.BODY_TOO_LARGE)
        if not request.unread:
            return b"".join((*pieces, piece)) if pieces else piece
        pieces.append(piece)


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
