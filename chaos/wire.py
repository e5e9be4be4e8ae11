"""A client's connection that can be treated badly: cut in the middle, or left hanging."""

from __future__ import annotations

import asyncio
import socket
import struct

from bench.client import Connection

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time to linger: closing sends RST, not FIN


class Line(Connection):
    """One keep-alive connection that can also be reset."""

    @property
    def usable(self) -> bool:
        """Whether another request can go over it."""
        return self._transport is not None and not self._transport.is_closing() and self._waiting is None

    def begin(self, wire: bytes) -> None:
        """Send bytes and wait for nothing."""
        if self._transport is not None:
            self._transport.write(wire)

    def reset(self) -> None:
        """Cut it: what is under way is lost, and the other side sees a reset."""
        if self._transport is not None:
            reset(self._transport)


def reset(transport: asyncio.BaseTransport) -> None:
    """Close with RST."""
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is not None and peer.fileno() >= 0:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    if isinstance(transport, asyncio.Transport):
        transport.abort()
