"""A TCP relay before a collector that cuts connections: some after so many bytes, all of them when told to."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random

from chaos.wire import reset

_SHORTEST, _LONGEST = 2_000, 400_000
_PIECE = 65_536


class Relay:
    """Listens on a port of its own; the collector behind it may come and go."""

    def __init__(self, port: int, chance: Random) -> None:
        self._port = port
        self._chance = chance
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.cuts = 0

    async def start(self) -> str:
        """Returns the URL."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def stop(self) -> None:
        """Take no more connections, and cut what is open."""
        if self._server is not None:
            self._server.close()
            self.cut_all()

    def cut_all(self) -> int:
        """Reset both sides of every connection; returns how many sides."""
        sides = list(self._open)
        for side in sides:
            reset(side.transport)
        self.cuts += len(sides) // 2
        return len(sides)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            reset(writer.transport)
            return
        self._open |= {writer, to_writer}
        # Either direction's last byte may be in the middle of a request, or of an answer.
        lives = [self._chance.randint(_SHORTEST, _LONGEST) for _ in range(2)]
        try:
            pumps = [
                asyncio.create_task(_pump(reader, to_writer, lives[0])),
                asyncio.create_task(_pump(to_reader, writer, lives[1])),
            ]
            done, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pending:
                pump.cancel()
            self.cuts += any(not pump.cancelled() and pump.exception() is None and pump.result() for pump in done)
        finally:
            self._open -= {writer, to_writer}
            reset(writer.transport)
            reset(to_writer.transport)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, life: int) -> bool:
    """Carry at most `life` bytes; True when they were used up."""
    with suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece[:life])
            life -= len(piece)
            if life <= 0:
                await asyncio.sleep(0)  # let the last bytes out, then cut
                return True
            await writer.drain()
    return False
