"""One adapter per file: how a client's way of sending becomes a list of events."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from sitevault.reasons import Reason

Entry: TypeAlias = bytes | Reason
"""An event that may land, byte for byte as it was sent; or why it may not."""


class Delivery(NamedTuple):
    """What one request brought, in its order."""

    protocol: str
    entries: list[Entry]
