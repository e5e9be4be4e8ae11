"""The facts of a release on Sitevault's own database, as the judge reads them."""

from __future__ import annotations

from psycopg import sql

from sitevault.observe import ledger
from sitevault.observe.ledger import SQL as OBSERVED
from sitevault.release.gates.baseline import OfType
from sitevault.release.gates.facts import (
    SQL,
    Books,
    Facts,
    Outcomes,
    Owners,
    Reference,
    Tenants,
    Times,
    Waiting,
    counts,
    kind,
    of_types,
)
from sitevault.staging.rules import RULES


class House(Facts):
    """Landing, staging, vault and books of our own."""

    def read_outcomes(self) -> Outcomes:
        return self._one(SQL.house_outcomes, Outcomes)

    def read_types(self) -> dict[str, OfType]:
        rules: dict[str, object] = {
            "codes": [rule.reason.value for rule in RULES],
            "deductions": [rule.deduction for rule in RULES],
        }
        columns = self._columns()
        by = kind(sql.Identifier("e", "payload"))
        scores = sql.SQL(SQL.house_scores).format(kind=by)
        filled = sql.SQL(SQL.house_filled).format(kind=by, counts=counts(columns))
        return of_types(self._records(scores, rules), self._records(filled), columns)

    def times(self, limit_seconds: float) -> Times:
        return self._one(SQL.house_times, Times, {"limit_seconds": limit_seconds})

    def owners(self) -> Owners:
        looked_at = [
            self._one(query, Tenants)
            for query in (
                OBSERVED.landed_provenance,
                SQL.house_staged_tenants,
                OBSERVED.vault_provenance,
                OBSERVED.hub_provenance,
            )
        ]
        return Owners(Tenants(*(sum(column) for column in zip(*looked_at, strict=True))))

    def books(self) -> Books:
        found = ledger.read(self._snapshot.connection)
        lost = self.outcomes.lost
        broken = ledger.unbalanced(found.lines)
        if lost:
            broken.append(f"{lost} events of the window are in no place")
        return Books(found.total.landed, tuple(broken))

    def references(self) -> list[Reference]:
        return self._all(SQL.house_orphans, Reference)

    def waiting(self) -> Waiting:
        return self._one(SQL.house_waiting, Waiting)
