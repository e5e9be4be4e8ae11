"""Reading a body without ever holding more of it than the limit allows."""

from __future__ import annotations

import asyncio
import zlib

from sitevault.collector.answers import RefusedError
from sitevault.collector.request import Request
from sitevault.reasons import Reason

BODY_SECONDS = 30.0
"""How long a body may take to arrive: the server bounds only the time of the headers."""

_GZIP = (b"gzip", b"x-gzip")
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def read_body(request: Request, limit: int) -> bytes:
    """The unpacked body, at most `limit` bytes. Raises RefusedError; stops reading where the limit is passed."""
    encoding = request.headers.get(b"content-encoding", b"").strip().lower()
    if encoding and encoding != b"identity" and encoding not in _GZIP:
        raise RefusedError(Reason.ENCODING_UNSUPPORTED)
    declared = request.headers.get(b"content-length", b"")
    # The server has checked that it is a number; isdigit keeps us right under any other.
    if declared.isdigit() and (len(declared) > 18 or int(declared) > limit):
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
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise RefusedError(Reason.BODY_TOO_LARGE)
        if not message.get("more_body", False):
            return b"".join((*pieces, piece)) if pieces else piece
        pieces.append(piece)


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
