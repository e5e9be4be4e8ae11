"""The facts of a release on a database of the guide's shape; what it has no column for cannot be judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import LiteralString

from psycopg import sql

from sitevault.doctor import sample
from sitevault.doctor.provenance import Evidence, Provenance, judge
from sitevault.release.gates.baseline import OfType
from sitevault.release.gates.facts import (
    SQL,
    STAGING,
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
from sitevault.release.gates.model import CannotJudge

MOST_EVENTS = 50_000
"""Events of a window whose evidence is looked at, the newest; more than that are said not to be."""
_PROCESSED = ("processed_timestamp", "processed_at", "staged_at", "load_date", "created_at")
_DESERVING = ("event_type", "session_id", "page_url")


class Guide(Facts):
    """raw.site_tracking_events_r and staging.site_tracking_events_s, by their own columns."""

    times_hold_waiting = True

    def read_outcomes(self) -> Outcomes:
        self._needs_status()
        return self._one(self._compose(SQL.guide_outcomes), Outcomes)

    def read_types(self) -> dict[str, OfType]:
        own = self._staging()
        deserving = [
            sql.SQL("nullif(s.{}::text, '')").format(sql.Identifier(one)) for one in _DESERVING if one in own
        ]
        if not deserving and "quality_score" not in own:
            raise CannotJudge("staging has neither a score nor a column that a score could be about")
        lacking = sql.SQL("num_nulls({})").format(sql.SQL(", ").join(deserving)) if deserving else sql.SQL("0")
        claimed = sql.Identifier("s", "quality_score") if "quality_score" in own else sql.SQL("NULL")
        payload = sql.SQL("{}::jsonb").format(sql.Identifier("r", self._snapshot.event_table.payload))
        by = kind(payload)
        scores = self._compose(SQL.guide_scores, kind=by, claimed=claimed, lacking=lacking)
        columns = self._columns()
        filled = self._compose(SQL.guide_filled, kind=by, counts=counts(columns))
        return of_types(self._records(scores), self._records(filled), columns)

    def times(self, limit_seconds: float) -> Times:
        if self._processed() is None:
            raise CannotJudge("staging does not say when an event was processed")
        return self._one(self._compose(SQL.guide_times), Times, {"limit_seconds": limit_seconds})

    def owners(self) -> Owners:
        table = self._snapshot.event_table
        if table.tenant is None:
            raise CannotJudge(f"{table.full_name} has no column tenant_hk")
        staged = self._one(self._compose(SQL.guide_staged_tenants), Tenants) if self._names_tenant() else Tenants()
        events = self._events(SQL.guide_events)
        looked_at = events[:MOST_EVENTS]
        known = Evidence(self._snapshot.key_owners, self._snapshot.tenants, keys_are_binding=False)
        found = Counter(one.verdict for one in judge(looked_at, known))
        before = Counter(one.verdict for one in judge(self._events(SQL.guide_events_from_before), known))
        rows = Tenants(
            staged.checked + len(looked_at),
            staged.contradictions + found[Provenance.CONTRADICTION],
            found[Provenance.UNVERIFIABLE],
        )
        return Owners(
            rows,
            found[Provenance.SUSPECT],
            len(events) - len(looked_at),
            tuple(self._gaps()),
            before[Provenance.CONTRADICTION] + before[Provenance.UNVERIFIABLE],
        )

    def _events(self, query: LiteralString) -> list[sample.SampledEvent]:
        parameters = {**self._parameters, "most": MOST_EVENTS + 1}
        return sample.read_events(self._snapshot.connection, self._compose(query), parameters)

    def books(self) -> Books:
        found = self.outcomes
        if not found.lost:
            return Books(found.received)
        return Books(found.received, (f"{found.lost} events are marked as done and have no staging row",))

    def references(self) -> list[Reference]:
        if self._snapshot.event_table.tenant is None:
            raise CannotJudge("events have no column tenant_hk, so nothing tells whose they claim to be")
        return self._all(self._compose(SQL.guide_orphans), Reference)

    def waiting(self) -> Waiting:
        self._needs_status()
        return self._one(self._compose(SQL.guide_waiting), Waiting)

    def _compose(self, query: LiteralString, **parts: sql.Composable) -> sql.Composed:
        """The query with this database's names. Raises CannotJudge where staging does not name its events."""
        self._staging()
        table = self._snapshot.event_table
        processed = self._processed()
        moment = sql.Identifier("s", processed) if processed else sql.Identifier("r", table.received)
        named: dict[str, sql.Composable] = {
            part: sql.Identifier("r", name) if (name := getattr(table, part)) else sql.SQL("NULL")
            for part in ("status", "api_key", "origin")
        }
        bare = {
            part: sql.Identifier(getattr(table, part) or "tenant_hk")
            for part in ("id", "tenant", "payload", "received")
        }
        where = sql.Identifier(table.schema, table.name)
        return sql.SQL(query).format(**{**named, **bare, "table": where, "moment": moment, **parts})

    def _staging(self) -> frozenset[str]:
        own = frozenset(self._snapshot.columns_of.get(STAGING, {}))
        if self._snapshot.event_table.id not in own:
            raise CannotJudge(
                "staging.site_tracking_events_s does not name the raw event a row was made from "
                f"(no column {self._snapshot.event_table.id})"
            )
        return own

    def _processed(self) -> str | None:
        own = self._snapshot.columns_of.get(STAGING, {})
        return next((one for one in _PROCESSED if one in own and own[one].type.startswith("timestamp")), None)

    def _names_tenant(self) -> bool:
        return "tenant_hk" in self._staging()

    def _needs_status(self) -> None:
        if self._snapshot.event_table.status is None:
            raise CannotJudge(
                f"{self._snapshot.event_table.full_name} has no column that says how an event stands"
            )

    def _gaps(self) -> Iterator[str]:
        if not self._names_tenant():
            yield "staging has no column tenant_hk to compare"
        if self._snapshot.event_table.api_key is None:
            yield "no column records the API key of an event"
