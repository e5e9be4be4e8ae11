"""The state of the house in one report: what is fine, what is a finding, what could not be found out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import class_row, dict_row, scalar_row

from sitevault import clock
from sitevault.config import Config
from sitevault.errors import Exit
from sitevault.observe import kpis, ledger
from sitevault.observe.kpis import Kpi, Verdict, Window
from sitevault.observe.ledger import SQL, Ledger, Recount
from sitevault.reasons import EXPLAINED, Reason
from sitevault.tenancy.tenants import find_tenant

T = TypeVar("T")

DAYS_AHEAD = 2
"""Fewer partitions ahead than this is a finding: a worker keeps a week."""
KPI_SECONDS = 60.0
RECOUNT_SECONDS = 600.0


@dataclass(frozen=True)
class Counted:
    """How many events a reason code concerns."""

    code: str
    events: int
    meaning: str
    sqlstate: str = ""


@dataclass(frozen=True)
class Partitions:
    """A partitioned table: days ahead without a gap, and whether rows fell beside them."""

    table: str
    days_ahead: int
    default_in_use: bool


@dataclass(frozen=True)
class Load:
    """The newest load of any worker."""

    worker: str
    events: int
    seconds_ago: float


@dataclass(frozen=True)
class Connected:
    """Connections that each service holds right now."""

    collectors: int
    workers: int


@dataclass(frozen=True)
class Paused:
    """Whoever carries events stands still, and why; collectors go on landing."""

    by: str
    since: datetime
    message: str
    release_id: str | None
    environment: str | None
    seconds: float

    @property
    def command(self) -> str:
        return f"sitevault release resume --env {self.environment or 'NAME'}"

    @property
    def sentence(self) -> str:
        holder = f"{self.by}, for release {self.release_id[:12]}" if self.release_id else self.by
        return (
            f"The workers are paused by {holder} since {self.since:%Y-%m-%d %H:%M} UTC: {self.message}; "
            f"when it is done: {self.command}"
        )


@dataclass(frozen=True)
class _Clock:
    now: datetime


@dataclass(frozen=True)
class Health:
    """Everything `sitevault status` shows. Ages are in seconds; None where there is nothing or it is unknown."""

    ledger: Ledger
    recount: Recount | None
    pending_seconds: float | None
    last_received_seconds: float | None
    last_load: Load | None
    connected: Connected
    paused: Paused | None
    failures: tuple[Counted, ...]
    rules: tuple[Counted, ...]
    partitions: tuple[Partitions, ...]
    kpis: tuple[Kpi, ...]
    window_hours: float
    pending_limit_seconds: int
    unknown: tuple[str, ...] = field(default=())
    """What could not be found out, and why."""

    @property
    def findings(self) -> list[str]:
        """What somebody has to look at, one sentence each."""
        return list(_findings(self))

    @property
    def unknowns(self) -> list[str]:
        """What is not known, which is not the same as fine."""
        return [*self.unknown, *_unproven(self.kpis)]

    @property
    def exit_code(self) -> Exit:
        """0 healthy, 1 findings, 3 unknown."""
        if self.findings:
            return Exit.FINDINGS
        return Exit.UNKNOWN if self.unknowns else Exit.OK

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        recounted = self.recount
        return {
            "status": {Exit.OK: "ok", Exit.FINDINGS: "findings", Exit.UNKNOWN: "unknown"}[self.exit_code],
            "findings": self.findings,
            "unknown": self.unknowns,
            "ledger": self.ledger.as_dict(),
            "recount": recounted
            and {
                "confirmed": recounted.confirmed,
                "removed_by_retention": recounted.removed,
                "counted": recounted.counted.as_dict(),
                "disagreements": [found.as_dict() for found in recounted.disagreements],
            },
            "oldest_pending_seconds": self.pending_seconds,
            "last_event_seconds": self.last_received_seconds,
            "last_load": self.last_load and vars(self.last_load),
            "connections": vars(self.connected),
            "paused": self.paused and vars(self.paused),
            "errors": [vars(counted) for counted in self.failures],
            "rules": [vars(counted) for counted in self.rules],
            "partitions": [vars(partition) for partition in self.partitions],
            "window_hours": self.window_hours,
            "kpis": [kpi.as_dict() for kpi in self.kpis],
        }


def examine(
    judge: psycopg.Connection[Any],
    config: Config,
    *,
    tenant_bk: str | None = None,
    hours: float = 24.0,
    deep: bool = False,
) -> Health:
    """Read the whole state as sitevault_judge, of one instant; raises UnknownTenantError.

    `hours` is the window of KPIs and rules; `deep` recounts every event. What takes too long is unknown.
    """
    tenant_hk = None
    if tenant_bk is not None:
        with judge.transaction():
            tenant_hk = find_tenant(judge, tenant_bk).tenant_hk
    unknown: list[str] = []
    with ledger.snapshot(judge):
        until = _database_clock(judge)
        since = until - timedelta(hours=hours)
        of_tenant: dict[str, object] = {"tenant_hk": tenant_hk}
        windowed = of_tenant | {"since": since, "until": until}
        health = Health(
            ledger=ledger.read(judge, tenant_hk),
            recount=None,
            pending_seconds=_seconds(judge, SQL.lag, of_tenant),
            last_received_seconds=_seconds(judge, SQL.last_received, of_tenant),
            last_load=_last_load(judge),
            failures=tuple(_counted(judge, SQL.failures_by_reason, of_tenant)),
            rules=tuple(_counted(judge, SQL.rules_fired, windowed)),
            partitions=tuple(Partitions(*row) for row in judge.execute(SQL.partitions)),
            kpis=(),
            window_hours=hours,
            pending_limit_seconds=config.pending_limit_seconds,
            connected=_connected(judge),
            paused=_paused(judge),
        )
    window = Window(since, until, tenant_hk)
    measured = _unless_slow(
        judge,
        KPI_SECONDS,
        lambda: kpis.measure(judge, window, config.pending_limit_seconds),
        f"The KPIs took longer than {KPI_SECONDS:.0f} s; try a shorter window: sitevault status --hours 1",
        unknown,
    )
    recounted = None
    if deep:
        recounted = _unless_slow(
            judge,
            RECOUNT_SECONDS,
            lambda: ledger.recount(judge, tenant_hk),
            f"The recount took longer than {RECOUNT_SECONDS:.0f} s.",
            unknown,
        )
    return replace(health, kpis=tuple(measured or ()), recount=recounted, unknown=tuple(unknown))


def _findings(health: Health) -> Iterator[str]:
    yield from ledger.unbalanced(health.ledger.lines)
    if health.recount is not None:
        yield from (f"recount: {sentence}" for sentence in ledger.unbalanced(health.recount.counted.lines))
        for found in health.recount.disagreements:
            yield (
                f"{found.tenant_bk or ledger.UNKNOWN_TENANT}: the ledger says {found.ledger} {found.place}, "
                f"the events themselves are {found.counted}"
            )
    if health.paused is not None:
        yield health.paused.sentence
    if health.pending_seconds is not None and health.pending_seconds > health.pending_limit_seconds:
        waiting = f"Events have been pending for {health.pending_seconds:.0f} s"
        if health.paused is not None:
            yield f"{waiting}: they wait for the end of the pause"
        elif health.connected.workers:
            yield f"{waiting}: a worker is connected, see its log"
        else:
            yield f"{waiting} and no worker is connected: sitevault serve --only worker"
    for failure in health.failures:
        yield f"{failure.events} events in ERROR, {failure.code}: {failure.meaning}"
    for partition in health.partitions:
        if partition.days_ahead < DAYS_AHEAD:
            yield f"{partition.table} has partitions for {partition.days_ahead} days only; a worker makes them"
        if partition.default_in_use:
            yield (
                f"{partition.table} has rows in its default partition: a worker moves them into partitions of "
                "their days, and so does sitevault retention apply"
            )
    for kpi in health.kpis:
        if kpi.verdict is Verdict.FAIL:
            yield f"{kpi.name} is {kpi.shown}, target {kpi.target}" + (f" ({kpi.note})" if kpi.note else "")


def _unproven(table: tuple[Kpi, ...]) -> Iterator[str]:
    for kpi in table:
        if kpi.verdict in (Verdict.INCONCLUSIVE, Verdict.NO_DATA):
            yield f"{kpi.name}: {kpi.verdict}, {kpi.note}"


def _unless_slow(
    judge: psycopg.Connection[Any], seconds: float, work: Callable[[], T], too_slow: str, unknown: list[str]
) -> T | None:
    """The work's result; where its time ran out, None, and a line among the unknown."""
    try:
        with ledger.snapshot(judge, seconds):
            return work()
    except psycopg.errors.QueryCanceled:
        unknown.append(too_slow)
        return None


def _database_clock(judge: psycopg.Connection[Any]) -> datetime:
    """The database's own time: what it stamped is compared with nothing else."""
    with judge.cursor(row_factory=class_row(_Clock)) as cursor:
        return (cursor.execute(SQL.database_clock).fetchone() or _Clock(clock.now())).now


def _seconds(judge: psycopg.Connection[Any], query: LiteralString, parameters: dict[str, object]) -> float | None:
    with judge.cursor(row_factory=scalar_row) as cursor:
        found: float | None = cursor.execute(query, parameters).fetchone()
        return found


def _last_load(judge: psycopg.Connection[Any]) -> Load | None:
    row = judge.execute(SQL.last_load).fetchone()
    return None if row is None else Load(*row)


def _connected(judge: psycopg.Connection[Any]) -> Connected:
    with judge.cursor(row_factory=class_row(Connected)) as cursor:
        return cursor.execute(SQL.connected).fetchone() or Connected(0, 0)


def _paused(judge: psycopg.Connection[Any]) -> Paused | None:
    with judge.cursor(row_factory=class_row(Paused)) as cursor:
        return cursor.execute(SQL.paused).fetchone()


def _counted(
    judge: psycopg.Connection[Any], query: LiteralString, parameters: dict[str, object]
) -> Iterator[Counted]:
    with judge.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(query, parameters):
            yield Counted(meaning=meaning_of(row["code"]), **row)


def meaning_of(code: str) -> str:
    """What a reason code means, in one sentence; a code of another version is named as unknown."""
    try:
        return EXPLAINED[Reason(code)].meaning
    except ValueError:
        return "(a code this version does not know)"
