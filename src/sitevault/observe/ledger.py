"""The ledger: per tenant, every landed event is in exactly one place, or the difference is shown.

Three witnesses that share no code path: the manifests the collector committed with its rows, the totals the
worker keeps, and the dead letters. The recount believes none of them and counts the events where they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row

from sitevault.db import queries

SQL = queries.load("observe")

_PLACES = ("landed", "pending", "vaulted", "duplicate", "invalid", "error")
UNKNOWN_TENANT = "(no such tenant)"


@dataclass(frozen=True)
class Line:
    """What is known of one tenant's events; `tenant_bk` is None for events under a key that is no tenant's."""

    tenant_hk: bytes
    tenant_bk: str | None
    landed: int
    pending: int
    vaulted: int
    duplicate: int
    invalid: int
    error: int

    @property
    def accounted(self) -> int:
        """The events whose place is known."""
        return self.pending + self.vaulted + self.duplicate + self.invalid + self.error

    @property
    def difference(self) -> int:
        """Events missing from the account (positive) or counted twice (negative)."""
        return self.landed - self.accounted

    @property
    def balanced(self) -> bool:
        """Landed events and their places agree, and no tenant is unknown."""
        return self.difference == 0 and (self.tenant_bk is not None or self.landed == 0)

    def minus(self, before: Line) -> Line:
        """What came since an earlier reading of the same line."""
        places = (getattr(self, place) - getattr(before, place) for place in _PLACES)
        return Line(self.tenant_hk, self.tenant_bk, *places)

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return {
            "tenant": self.tenant_bk,
            "tenant_hk": self.tenant_hk.hex(),
            **{place: getattr(self, place) for place in _PLACES},
            "difference": self.difference,
            "balanced": self.balanced,
        }


@dataclass(frozen=True)
class Recounted(Line):
    """A line counted from the events themselves; `announced` is what all their manifests together promise."""

    announced: int
    without_manifest: int
    removed: int
    """Landed events that retention removed, counted when it did."""

    @property
    def balanced(self) -> bool:
        """As for a line; and every landed event was announced by a manifest that exists."""
        return super().balanced and self.landed == self.announced and self.without_manifest == 0


@dataclass(frozen=True)
class Ledger:
    """Every tenant's line, by tenant id."""

    lines: tuple[Line, ...]

    @property
    def total(self) -> Line:
        """The sum of the lines."""
        return Line(b"", "total", *(sum(getattr(line, place) for line in self.lines) for place in _PLACES))

    @property
    def balanced(self) -> bool:
        """Every line balances: two errors in opposite directions do not cancel out."""
        return all(line.balanced for line in self.lines)

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return {
            "balanced": self.balanced,
            "tenants": [line.as_dict() for line in self.lines],
            "total": {place: getattr(self.total, place) for place in _PLACES},
        }


@dataclass(frozen=True)
class Disagreement:
    """A figure on which the ledger and the events themselves differ."""

    tenant_bk: str | None
    place: str
    ledger: int
    counted: int

    def as_dict(self) -> dict[str, object]:
        """For --json."""
        return asdict(self)


@dataclass(frozen=True)
class Recount:
    """The ledger beside the events themselves, of one instant."""

    ledger: Ledger
    counted: Ledger
    disagreements: tuple[Disagreement, ...]

    @property
    def removed(self) -> int:
        """Landed events that retention removed: counted when it did, which nobody can repeat."""
        return sum(line.removed for line in self.counted.lines if isinstance(line, Recounted))

    @property
    def confirmed(self) -> bool:
        """The counted events balance, and the ledger says the same of every figure."""
        return self.ledger.balanced and self.counted.balanced and not self.disagreements


@contextmanager
def snapshot(judge: psycopg.Connection[Any], seconds: float | None = None) -> Iterator[None]:
    """One read-only transaction that sees one instant; each statement may take `seconds` at most.

    `judge` is sitevault_judge's connection, outside a transaction. psycopg.errors.QueryCanceled says that
    the time was up.
    """
    with judge.transaction():
        judge.execute(SQL.read_only_snapshot)
        if seconds is not None:
            judge.execute(SQL.limit_statement, {"milliseconds": str(int(seconds * 1000))})
        yield


def read(judge: psycopg.Connection[Any], tenant_hk: bytes | None = None) -> Ledger:
    """The ledger as the three witnesses tell it, of one tenant or of all. Cheap: reads no event."""
    with judge.cursor(row_factory=class_row(Line)) as cursor:
        return Ledger(tuple(cursor.execute(SQL.ledger, {"tenant_hk": tenant_hk})))


def recount(judge: psycopg.Connection[Any], tenant_hk: bytes | None = None) -> Recount:
    """Count the events themselves beside the ledger; within `snapshot`, so that both see the same instant."""
    ledger = read(judge, tenant_hk)
    with judge.cursor(row_factory=class_row(Recounted)) as cursor:
        counted = Ledger(tuple(cursor.execute(SQL.recount, {"tenant_hk": tenant_hk})))
    return Recount(ledger, counted, tuple(_compare(ledger, counted)))


def _compare(ledger: Ledger, counted: Ledger) -> Iterator[Disagreement]:
    kept = {line.tenant_hk: line for line in ledger.lines}
    found = {line.tenant_hk: line for line in counted.lines}
    for tenant_hk in sorted(kept.keys() | found.keys()):
        one, other = kept.get(tenant_hk), found.get(tenant_hk)
        name = (one or other or _nobody(tenant_hk)).tenant_bk
        for place in _PLACES:
            said, seen = getattr(one, place, 0), getattr(other, place, 0)
            if said != seen:
                yield Disagreement(name, place, said, seen)


def _nobody(tenant_hk: bytes) -> Line:
    return Line(tenant_hk, None, 0, 0, 0, 0, 0, 0)


def unbalanced(lines: Iterable[Line]) -> list[str]:
    """A sentence per tenant whose line does not balance."""
    return [
        f"{line.tenant_bk or UNKNOWN_TENANT}: {line.landed} landed, {line.accounted} accounted for "
        f"({line.difference:+d})"
        for line in lines
        if not line.balanced
    ]
