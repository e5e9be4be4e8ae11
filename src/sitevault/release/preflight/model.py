"""What a preflight looks at, and what an item of it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, LiteralString, NamedTuple

import psycopg

from sitevault.db.roles import Role
from sitevault.doctor.model import Examined
from sitevault.doctor.run import choose, examine
from sitevault.doctor.snapshot import Options
from sitevault.doctor.snapshot import opened as doctor_opened
from sitevault.errors import SitevaultError
from sitevault.release import contention, plan, static
from sitevault.release.model import Bundle, ReleasePlan
from sitevault.release.plan import Tried
from sitevault.release.static import Fault
from sitevault.release.target import Target
from sitevault.repair.ground import LOCK_TIMEOUT
from sitevault.repair.ground import SQL as GROUND

Verdict = Literal["ok", "warning", "blocked", "unknown"]

JUDGE_TIMEOUT = "30s"
SAMPLE = 1000


class Checked(NamedTuple):
    """One item of the checklist: its verdict, the evidence for it, and what to do."""

    item: str
    verdict: Verdict
    evidence: str
    fix: str = ""


class Found(NamedTuple):
    """What an item's look came to."""

    verdict: Verdict
    evidence: str
    fix: str = ""


@dataclass(frozen=True)
class Item:
    """One item. `title` is what holds when all is well; `looks_at` is its page in the reference."""

    id: str
    title: str
    looks_at: str
    look: Callable[[Look], Found]


@dataclass
class Look:
    """The environment as the items see it; what several need is found out once."""

    target: Target
    bundle: Bundle
    plan: ReleasePlan
    faults: frozenset[Fault] = field(default=frozenset())
    """What the doctor says of the functions as they would be."""

    @cached_property
    def _tried(self) -> Tried | SitevaultError:
        def inside() -> None:
            self.faults = static.faults(self.target)

        try:
            with contention.bounded(self.target, "The trial"):
                return plan.attempt(self.target, self.bundle, self.plan.parameters, inside)
        except SitevaultError as error:
            return error

    @property
    def tried(self) -> Tried:
        """The bundle carried out and back, and rolled back. Raises what it raised, each time it is asked for."""
        if isinstance(self._tried, SitevaultError):
            raise self._tried
        return self._tried

    @property
    def failure(self) -> SitevaultError | None:
        """Why the trial failed."""
        return self._tried if isinstance(self._tried, SitevaultError) else None

    def rows(self, query: LiteralString, parameters: dict[str, object] | None = None) -> list[tuple[Any, ...]]:
        """A query as the judge, who sees every tenant and changes nothing; bounded."""
        with self._bounded() as judge:
            return judge.cursor(row_factory=psycopg.rows.tuple_row).execute(query, parameters).fetchall()

    def doctor(self, *checks: str) -> Sequence[Examined]:
        """What these checks of the doctor say of the database as it is."""
        target = self.target
        conninfo = target.conninfo if target.database is None else target.database.conninfo(Role.AUDITOR, "doctor")
        with doctor_opened(conninfo, Options(sample=SAMPLE)) as seen:
            return examine(seen, choose(checks)).examined

    @contextmanager
    def _bounded(self) -> Iterator[psycopg.Connection[Any]]:
        judge = self.target.judge
        with judge.transaction():
            judge.execute(GROUND.bound_waiting, {"lock_timeout": LOCK_TIMEOUT, "statement_timeout": JUDGE_TIMEOUT})
            yield judge


def ok(evidence: str) -> Found:
    """All is well."""
    return Found("ok", evidence)


def warning(evidence: str, fix: str = "") -> Found:
    """It may go on, and somebody should know."""
    return Found("warning", evidence, fix)


def blocked(evidence: str, fix: str = "") -> Found:
    """It must not go on."""
    return Found("blocked", evidence, fix)


def unknown(evidence: str, fix: str = "") -> Found:
    """Nobody could see; that is not ok."""
    return Found("unknown", evidence, fix)
