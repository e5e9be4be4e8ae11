"""What a maker of repairs is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg

from sitevault.doctor.model import Finding
from sitevault.repair.ground import Ground
from sitevault.repair.model import Action

MOST = 5_000
"""Events one plan moves at most: a plan is read by a person, and one transaction holds its locks."""


@dataclass(frozen=True)
class Case:
    """A check's findings, and what was asked for beyond what the evidence shows."""

    ground: Ground
    reader: psycopg.Connection[Any]
    """Sees every tenant and changes nothing."""
    check: str
    findings: tuple[Finding, ...]
    now: datetime
    since: timedelta = timedelta(days=3650)
    late_days: int = 30
    assign: Mapping[int, str] = field(default_factory=dict)
    """raw_event_id to the tenant's id: somebody's decision, where the evidence decides nothing."""
    reason: str = ""


@dataclass(frozen=True)
class NotMended:
    """A finding no repair is made for, and why."""

    subject: str
    why: str


Maker = Callable[[Case], Iterable[Action | NotMended]]
