"""How long and how often to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.figures import Result


class Settings(NamedTuple):
    """What a row may spend."""

    rounds: int = 5
    seconds: float = 5.0
    """Of one side in one round; what is drained is sized by it."""
    events: int = 10_000_000
    """How many the growing database is to reach."""
    minutes: float = 30.0
    """How long it may grow; what was measured by then is kept."""
    home: Path | None = None
    """Where the grown database is kept; None: nowhere."""
    exact: bool = False
    """Load by our own client even where wrk is there: every answer is accounted for."""


class Row(NamedTuple):
    """One row of the table of bars."""

    name: str
    title: str
    measure: Callable[[Settings], Result | Iterator[Result]]
    on_its_own: bool = False
    """Takes so long that it only runs when it is named."""
