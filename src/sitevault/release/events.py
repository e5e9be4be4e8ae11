"""What a release tells while it goes on: one event a step, for the terminal, for programs, and for a webhook."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A step that was taken or is under way. `details` are figures and names, never a payload or a secret."""

    at: str
    environment: str
    step: str
    message: str
    release_id: str | None = None
    details: dict[str, Any] = {}


Listener = Callable[[Event], None]


def silent(_: Event) -> None:
    """Nobody listens."""


class Teller:
    """Tells listeners about one release in one environment."""

    def __init__(self, listener: Listener, environment: str, release_id: str | None = None) -> None:
        self._listener = listener
        self.environment = environment
        self.release_id = release_id

    def __call__(self, step: str, message: str, **details: Any) -> None:
        self._listener(
            Event(
                at=datetime.now(UTC).isoformat(timespec="milliseconds"),
                environment=self.environment,
                step=step,
                message=message,
                release_id=self.release_id,
                details=details,
            )
        )
