"""How gates put figures into words; never rounded in their own favour."""

from __future__ import annotations

import math


def at_least(value: float) -> str:
    """A lower bound, rounded down."""
    return f"{math.floor(value * 10_000) / 100:.2f} %"


def at_most(value: float) -> str:
    """An upper bound, rounded up."""
    return f"{math.ceil(value * 10_000) / 100:.2f} %"


def percent(value: float) -> str:
    """A threshold, as it was written."""
    return f"{value * 100:.10g} %"


def counted(*parts: tuple[int, str]) -> str:
    """`2 in ERROR, 1 overdue`, without what is nought."""
    return ", ".join(f"{count} {what}" for count, what in parts if count)


def joined(*notes: str) -> str:
    """Notes that say something."""
    return "; ".join(note for note in notes if note)


def name(text: str) -> str:
    """An event type as it may be shown: whoever sends events chose it."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown if len(shown) <= 40 else shown[:39] + "…"
