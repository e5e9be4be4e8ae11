"""The verdict on a release while it is observed: every gate, of one instant, from raw data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
import psycopg
from psycopg.rows import tuple_row

from sitevault.doctor.snapshot import SQL as DOCTOR
from sitevault.doctor.snapshot import Options, Shape, Snapshot, Unreadable
from sitevault.observe.kpis import Verdict, Window
from sitevault.observe.ledger import SQL as OBSERVED
from sitevault.observe.statistics import ALPHA
from sitevault.release.gates import GATES
from sitevault.release.gates.baseline import Baseline
from sitevault.release.gates.bounds import worst
from sitevault.release.gates.facts import Facts
from sitevault.release.gates.guide import Guide
from sitevault.release.gates.house import House
from sitevault.release.gates.model import (
    TESTING,
    CannotJudge,
    Drift,
    Gate,
    GateResult,
    Probe,
    Risk,
    Sight,
    Thresholds,
    longest,
)

STATEMENT_SECONDS = 60
"""What takes longer is NO_DATA, not a burden."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What the gates say of a window. Only PASS is green."""

    verdict: Verdict
    results: tuple[GateResult, ...]
    since: datetime
    until: datetime
    not_asked: tuple[str, ...] = ()
    """Gates that this environment's thresholds leave out."""

    @property
    def seconds(self) -> float:
        """The window's length: for PASS and FAIL, the time to the decision."""
        return (self.until - self.since).total_seconds()

    @property
    def seconds_needed(self) -> float | None:
        """How long until all undecided gates could pass at the rates so far; None: nobody can say."""
        if self.verdict is not Verdict.INCONCLUSIVE:
            return None
        return longest(one.seconds_needed for one in self.of(Verdict.INCONCLUSIVE))

    def of(self, verdict: Verdict) -> tuple[GateResult, ...]:
        """The gates with this verdict."""
        return tuple(one for one in self.results if one.verdict is verdict)

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "verdict": self.verdict.value,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "seconds": self.seconds,
            "seconds_needed": self.seconds_needed,
            "gates": [one.as_dict() for one in self.results],
            "not_asked": list(self.not_asked),
        }


def judge(
    conn: psycopg.Connection[Any],
    shape: str,
    since: datetime,
    until: datetime | None = None,
    *,
    thresholds: Thresholds = TESTING,
    baseline: Baseline | None = None,
    probes: Sequence[Probe] | None = None,
    drift: Callable[[], Drift] | None = None,
    timings: Sequence[float] | None = None,
    alpha: float = ALPHA,
) -> Judgement:
    """Judge what came since the deploy, as often as you like: the bounds hold at every look.

    `conn` is the judge's, outside a transaction; `until` is the database's clock unless given. A gate whose facts
    cannot be read is NO_DATA with the reason, and the others are judged all the same.
    """
    with _reading(conn, since) as snapshot:
        window = Window(since, until or _now(conn))
        asked = [gate for gate in GATES if gate.asked(thresholds)]
        sight = Sight(
            facts=facts(snapshot, shape, window, thresholds.pending_limit_seconds),
            thresholds=thresholds,
            risk=risk(asked, alpha),
            seconds=(window.until - window.since).total_seconds(),
            baseline=baseline,
            probes=probes,
            drift=drift,
            timings=timings,
        )
        results = tuple(_result(conn, gate, sight) for gate in asked)
    return Judgement(
        verdict=worst([one.verdict for one in results]),
        results=results,
        since=window.since,
        until=window.until,
        not_asked=tuple(gate.name for gate in GATES if gate not in asked),
    )


def freeze(conn: psycopg.Connection[Any], shape: str, since: datetime, until: datetime | None = None) -> Baseline:
    """The window before the deploy, to be kept with the release and given to every judge() of it.

    Raises psycopg.Error where it cannot be read; a database without the columns has an empty baseline.
    """
    with _reading(conn, since) as snapshot:
        window = Window(since, until or _now(conn))
        try:
            types = facts(snapshot, shape, window, 0).types
        except CannotJudge:
            types = {}
        return Baseline(window.since, window.until, types)


def risk(asked: Sequence[Gate], alpha: float = ALPHA) -> Risk:
    """A wrong PASS needs every gate to be wrong at once, a wrong FAIL just one: so they share that risk."""
    deciding = sum(gate.statistical for gate in asked)
    return Risk(wrong_pass=alpha, wrong_fail=alpha / max(1, deciding))


def facts(snapshot: Snapshot, shape: str, window: Window, pending_limit_seconds: float) -> Facts:
    """The reader of this shape of database."""
    reader = House if Shape(shape) is Shape.HOUSE else Guide
    return reader(snapshot, window, pending_limit_seconds)


def _result(conn: psycopg.Connection[Any], gate: Gate, sight: Sight) -> GateResult:
    try:
        with conn.transaction():  # a savepoint: what is refused costs its own gate only
            return gate.result(sight)
    except psycopg.errors.QueryCanceled:
        return gate.no_data(sight, f"it took longer than {STATEMENT_SECONDS} s")
    except Unreadable as reason:
        return gate.no_data(sight, str(reason))
    except psycopg.Error as error:
        if conn.broken:
            raise
        # The server's words may quote a value.
        return gate.no_data(sight, f"could not be read: {type(error).__name__} (SQLSTATE {error.sqlstate})")


@contextmanager
def _reading(conn: psycopg.Connection[Any], since: datetime) -> Iterator[Snapshot]:
    """One read-only transaction of one instant, in which names mean what they say."""
    with conn.transaction():
        conn.execute(OBSERVED.read_only_snapshot)
        conn.execute(DOCTOR.limits, {"milliseconds": f"{STATEMENT_SECONDS}s"})
        yield Snapshot(conn, "", Options(since=_now(conn) - since))


def _now(conn: psycopg.Connection[Any]) -> datetime:
    row = conn.cursor(row_factory=tuple_row).execute(OBSERVED.database_clock).fetchone()
    assert row is not None  # noqa: S101 -- a query without FROM has a row
    now: datetime = row[0]
    return now
