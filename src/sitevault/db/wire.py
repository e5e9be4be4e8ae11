"""Values in PostgreSQL's binary form, where the driver's own conversion costs more than the rest of the row."""

from __future__ import annotations

import socket
from functools import lru_cache

# inet on the wire: family, prefix length, is it a cidr, address length, address.
_INET4 = b"\x02\x20\x00\x04"
_INET6 = b"\x03\x80\x00\x10"


@lru_cache(maxsize=4096)
def wire_address(text: str) -> bytes | None:
    """An IP address as binary inet; None for anything else."""
    for family, head in ((socket.AF_INET, _INET4), (socket.AF_INET6, _INET6)):
        try:
            return head + socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
    return None
