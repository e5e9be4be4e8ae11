"""The queue as the checks see it: who waits, what failed and why, and how often events come."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sitevault.db import queries
from sitevault.observe import ledger
from sitevault.reasons import EXPLAINED, Reason

if TYPE_CHECKING:
    from sitevault.doctor.snapshot import Snapshot

SQL = queries.load("doctor")

_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_IN_PARENTHESES = re.compile(r"\([^()]*\)")
_NUMBER = re.compile(r"\b[0-9a-f]{16,}\b|\d+")
_LONGEST = 160


class Waiting(NamedTuple):
    """A tenant's events that are not done, and since when the oldest of them waits."""

    tenant_hk: bytes | None
    events: int
    seconds: float
    attempts: int
    """The most that any of them was tried."""


class FailureRow(NamedTuple):
    tenant_hk: bytes | None
    code: str | None
    sqlstate: str | None
    constraint: str | None
    message: str | None
    events: int
    attempts: int
    oldest: datetime | None


class Rhythm(NamedTuple):
    """When a tenant's events came: minutes with events, over how long, and the pauses between them."""

    tenant_hk: bytes | None
    minutes: int
    span_seconds: float
    longest_pause_seconds: float | None
    silent_seconds: float


class Workers(NamedTuple):
    """Who works on the queue, as far as can be told."""

    connected: int | None
    """Sessions of workers; None where a worker cannot be told from anybody else."""
    last_done_seconds: float | None


@dataclass
class Cause:
    """Failed events with one root cause."""

    code: str
    says: str
    sqlstate: str | None
    constraint: str | None
    events: int = 0
    attempts: int = 0
    tenants: Counter[bytes | None] = field(default_factory=Counter)


def read_waiting(snapshot: Snapshot) -> list[Waiting]:
    """Who waits, of either shape."""
    if snapshot.is_house:
        return snapshot.rows(SQL.waiting_in_the_house, Waiting)
    if snapshot.event_table.status is None:
        return []
    return snapshot.rows_of_events(SQL.waiting_in_a_table, Waiting)


def read_failures(snapshot: Snapshot) -> list[FailureRow]:
    """What failed, by what was said of it."""
    if snapshot.is_house:
        return snapshot.rows(SQL.failures_in_the_house, FailureRow)
    if snapshot.event_table.status is None:
        return []
    return snapshot.rows_of_events(SQL.failures_in_a_table, FailureRow)


def read_workers(snapshot: Snapshot) -> Workers:
    """Who is at work."""
    if snapshot.is_house:
        return snapshot.rows(SQL.workers_in_the_house, Workers)[0]
    staged = snapshot.columns_of.get(("staging", "site_tracking_events_s"), {})
    if "processed_timestamp" not in staged:
        return Workers(None, None)
    return snapshot.rows(SQL.workers_by_their_work, Workers)[0]


def read_rhythms(snapshot: Snapshot) -> list[Rhythm]:
    """When events came; of the guide's tables only the newest are looked at."""
    if snapshot.is_house:
        return snapshot.rows(SQL.rhythms_in_the_house, Rhythm)
    if snapshot.event_table.order is None:
        return []
    return snapshot.rows_of_events(SQL.rhythms_in_a_table, Rhythm)


def read_ledger(snapshot: Snapshot) -> ledger.Ledger:
    """The house's own books."""
    return ledger.read(snapshot.connection)


def causes(rows: Iterable[FailureRow], known: Collection[str]) -> list[Cause]:
    """Failures by root cause, the most frequent first: messages that differ in their values only are one."""
    found: dict[tuple[str, str | None, str | None, str], Cause] = {}
    for row in rows:
        says = _meaning(row.code) if row.code else anonymous(row.message, known)
        key = (row.code or "", row.sqlstate, row.constraint, says)
        cause = found.setdefault(key, Cause(row.code or says, says, row.sqlstate, row.constraint))
        cause.events += row.events
        cause.attempts = max(cause.attempts, row.attempts)
        cause.tenants[row.tenant_hk] += row.events
    return sorted(found.values(), key=lambda cause: -cause.events)


def anonymous(message: str | None, known: Collection[str]) -> str:
    """A database's message without what it quotes of the data: names of the catalog stay, the rest goes."""
    if not message or not message.strip():
        return "no message was kept"

    def keep(quoted: re.Match[str]) -> str:
        name = quoted[1] if quoted[1] is not None else quoted[2]
        return f'"{name}"' if name in known else '"..."'

    text = " ".join(message.split())
    text = _IN_PARENTHESES.sub("(...)", text)
    text = _QUOTED.sub(keep, text)
    text = _NUMBER.sub("#", text)
    return text[:_LONGEST]


def _meaning(code: str) -> str:
    try:
        return EXPLAINED[Reason(code)].meaning
    except ValueError:
        return "(a code this version does not know)"
