"""Which days are old enough to go, and what keeps one: an event that is not in its one place yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, LiteralString

import psycopg
from psycopg.rows import class_row, scalar_row

from sitevault.config import Config, retention_problems
from sitevault.db import queries
from sitevault.errors import ConfigurationError
from sitevault.landing.partitions import TABLES

SQL = queries.load("retention")

LANDING, STAGING, EVENTS, PERSONAL = TABLES
ORDER = (LANDING, STAGING, PERSONAL, EVENTS)
"""What is made of an event goes after what it is made of."""

_COUNTS: dict[str, LiteralString] = {
    LANDING: SQL.landing_of_day,
    STAGING: SQL.staging_of_day,
    EVENTS: SQL.vault_of_day,
    PERSONAL: SQL.personal_of_day,
}
COUNT_SECONDS = 3600


class Holds(StrEnum):
    """Why a partition stays although its time is over."""

    PENDING = "pending"  # waits for a worker
    REQUEUED = "requeued"  # a dead letter that was sent back
    ERROR = "error"  # a dead letter nobody has mended
    LOST = "lost"  # accounted for, and in no place: must never happen
    LANDED = "landed"  # its landing is still kept, which would then explain nothing
    BUSY = "busy"  # somebody used the table all the time


MEANING = {
    Holds.PENDING: "wait for a worker",
    Holds.REQUEUED: "were requeued and wait for a worker",
    Holds.ERROR: "failed and are not mended (requeue them, or give them up with --give-up-failed)",
    Holds.LOST: "are in no place: please report this",
    Holds.LANDED: "are still kept in landing",
    Holds.BUSY: "the table was in use all the time: try again",
}
_GIVEN_UP = (Holds.ERROR, Holds.REQUEUED)


@dataclass(frozen=True)
class DayPartition:
    """One day of one table."""

    table_name: str
    day: date
    bytes: int

    @property
    def name(self) -> tuple[str, str]:
        """Schema and name of the partition."""
        schema, _, table = self.table_name.partition(".")
        return schema, f"{table}_p{self.day:%Y%m%d}"


@dataclass(frozen=True)
class Share:
    """One tenant's part of a partition."""

    tenant_hk: bytes
    tenant_bk: str | None
    events: int
    invalid: int
    pending: int
    requeued: int
    error: int
    lost: int
    landed: int


@dataclass(frozen=True)
class Held:
    """What keeps a partition, of one tenant."""

    tenant_bk: str | None
    why: Holds
    events: int

    @property
    def sentence(self) -> str:
        """For people."""
        if self.why is Holds.BUSY:
            return MEANING[self.why]
        return f"{self.events} events of {self.tenant_bk or '(no such tenant)'} {MEANING[self.why]}"


@dataclass(frozen=True)
class Due:
    """A partition whose time is over, what is in it, and what keeps it."""

    partition: DayPartition
    shares: tuple[Share, ...]
    held: tuple[Held, ...]

    @property
    def events(self) -> int:
        """Rows over all tenants."""
        return sum(share.events for share in self.shares)

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return {
            "table": self.partition.table_name,
            "day": self.partition.day.isoformat(),
            "bytes": self.partition.bytes,
            "events": self.events,
            "held_by": [
                {"tenant": one.tenant_bk, "why": one.why.value, "events": one.events} for one in self.held
            ],
        }


def days_kept(config: Config, table: str) -> int:
    """The full days a table is kept beside today; 0: for ever."""
    if table == LANDING:
        return config.retention_raw_days
    return config.retention_staging_days if table == STAGING else config.retention_vault_days


def configured(config: Config) -> bool:
    """Whether anything is ever to be dropped. Raises ConfigurationError where the settings contradict."""
    if problems := retention_problems(config):
        raise ConfigurationError(
            "The retention settings contradict each other:\n" + "\n".join(f"- {one}" for one in problems),
            fix="What is made of an event is kept at least as long as what it is made of.",
            command="sitevault config check",
        )
    return any(days_kept(config, table) for table in TABLES)


def partitions(judge: psycopg.Connection[Any]) -> list[DayPartition]:
    """Every day partition, oldest first."""
    with judge.cursor(row_factory=class_row(DayPartition)) as cursor, judge.transaction():
        return cursor.execute(SQL.day_partitions, {"tables": list(TABLES)}).fetchall()


def old_partitions(judge: psycopg.Connection[Any], config: Config) -> list[DayPartition]:
    """Those whose time is over, in the order in which they go."""
    with judge.cursor(row_factory=scalar_row) as cursor, judge.transaction():
        today: date = cursor.execute(SQL.database_day).fetchone()  # type: ignore[assignment]
    return sorted(
        (
            one
            for one in partitions(judge)
            if (days := days_kept(config, one.table_name)) and one.day < today - timedelta(days=days)
        ),
        key=lambda one: (ORDER.index(one.table_name), one.day),
    )


def look_into(
    judge: psycopg.Connection[Any],
    partition: DayPartition,
    *,
    give_up_failed: bool,
    gone: Sequence[date] = (),
) -> Due:
    """Count a partition and find what keeps it; psycopg.errors.QueryCanceled when that takes over an hour.

    `gone` are days of landing to be seen as dropped already.
    """
    with judge.cursor(row_factory=class_row(Share)) as cursor, judge.transaction():
        judge.execute(SQL.count_at_most, {"milliseconds": str(COUNT_SECONDS * 1000)})
        shares = tuple(cursor.execute(_COUNTS[partition.table_name], {"day": partition.day, "gone": list(gone)}))
    return Due(partition, shares, tuple(_held(shares, give_up_failed)))


def _held(shares: tuple[Share, ...], give_up_failed: bool) -> Iterator[Held]:
    for share in shares:
        for why in Holds:
            events = 0 if why is Holds.BUSY else getattr(share, why)
            if events and not (give_up_failed and why in _GIVEN_UP):
                yield Held(share.tenant_bk, why, events)


def plan(judge: psycopg.Connection[Any], config: Config, *, give_up_failed: bool = False) -> list[Due]:
    """What would go now, in order, and what would stay and why."""
    configured(config)
    found: list[Due] = []
    gone: list[date] = []
    for partition in old_partitions(judge, config):
        found.append(look_into(judge, partition, give_up_failed=give_up_failed, gone=gone))
        if partition.table_name == LANDING and not found[-1].held:
            gone.append(partition.day)
    return found


def default_rows(judge: psycopg.Connection[Any]) -> dict[str, int]:
    """Default partitions that hold something, with their size in bytes."""
    with judge.transaction():
        return dict(judge.execute(SQL.default_rows, {"tables": list(TABLES)}).fetchall())
