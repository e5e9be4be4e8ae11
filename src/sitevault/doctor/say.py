"""Figures as findings say them."""

from __future__ import annotations


def age(seconds: float) -> str:
    """A length of time, in the unit a person would take."""
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def events(count: int) -> str:
    """So many events."""
    return "1 event" if count == 1 else f"{count:,} events"


def share(part: int, whole: int) -> str:
    """k of n."""
    return f"{part:,} of {whole:,}"
