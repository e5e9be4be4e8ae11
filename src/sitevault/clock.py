"""The one place that reads the wall clock, so that a test can turn it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, with time zone UTC."""
    return datetime.now(UTC)
