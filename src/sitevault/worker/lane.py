"""One lane of a worker: a connection that carries one claim at a time through the pipeline."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import psycopg
from psycopg.types.json import set_json_dumps, set_json_loads

from sitevault import pipeline
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.pipeline import Load
from sitevault.reasons import Reason
from sitevault.staging.model import LandedEvent, StagedBatch, StagedEvent
from sitevault.staging.stage import Stager
from sitevault.vault import load as vault
from sitevault.worker.bisect import load_what_can_be
from sitevault.worker.claim import SQL, Claim, claim_batches, claim_requeued
from sitevault.worker.tenants import Tenants

log = logging.getLogger(__name__)


class Failure(NamedTuple):
    """One event on its way to raw.dead_letter."""

    event: LandedEvent | StagedEvent
    reason: Reason
    message: str
    sqlstate: str | None = None
    constraint: str | None = None


class Lane:
    """Not shared between threads; several lanes, in one process or many, work side by side."""

    def __init__(self, database: Database, config: Config, tenants: Tenants, name: str) -> None:
        self.name = name
        self._database = database
        self._config = config
        self.tenants = tenants
        self._stager = Stager(late_days=config.late_days, geo_database=config.geo_database)
        self._conn: psycopg.Connection | None = None
        self._days: set[date] = set()
        self._claim: Claim | None = None

    def close(self) -> None:
        """Close the connection; a claim in flight is rolled back and somebody else's again."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def work_once(self) -> int:
        """Carry one claim through; returns how many events it held (0: nothing is waiting).

        Raises DatabaseUnavailableError, or psycopg.Error when the claim has to wait: it is postponed then.
        """
        conn = self.connected()
        self._claim = None
        try:
            with conn.transaction():
                self._claim = claim_batches(conn, self._config.claim_events) or claim_requeued(
                    conn, self._config.claim_events
                )
                if self._claim is None:
                    return 0
                self.carry(conn, self._claim)
        except psycopg.Error as error:
            self._postpone(error)
            raise
        return len(self._claim.events)

    def connected(self) -> psycopg.Connection:
        """This lane's connection, prepared for loading; made where there is none."""
        if self._conn is None or self._conn.broken or self._conn.closed:
            conn = self._database.connect(Role.WORKER, autocommit=True, application_name=self.name)
            prepare(conn)
            self._conn = conn
        return self._conn

    def carry(self, conn: psycopg.Connection, claim: Claim) -> None:
        """A claim from landing to the ledger, within the caller's transaction; every event ends somewhere."""
        entitled, foreign = self.tenants.sort_out(conn, claim.events)
        batch = self._stager.stage_batch(entitled, self.tenants.rules)
        failures = [Failure(event, Reason.KEY_NOT_OF_TENANT, "no such key of this tenant") for event in foreign]
        failures += [Failure(event, Reason.STAGING_FAILED, message) for event, message in batch.failed]
        self._ensure_days({event.event_day for event in batch.staged})
        pipeline.remember_mapping_paths(conn, batch)
        loads, refused = self._load(conn, batch)
        failures += refused
        if failures:
            loads.append(self._bury(conn, failures))
        self._account(conn, claim, failures, loads[0])

    def _load(self, conn: psycopg.Connection, batch: StagedBatch) -> tuple[list[Load], list[Failure]]:
        def load(events: Sequence[StagedEvent]) -> Load:
            return pipeline.load(conn, events, self.name, batch.step_seconds)

        loads, culprits = load_what_can_be(conn, batch.staged, load)
        for done in loads:
            log.info("load.done", extra=_loggable(done))
        return loads, [
            Failure(
                culprit.event, Reason.REJECTED_BY_DATABASE, culprit.message, culprit.sqlstate, culprit.constraint
            )
            for culprit in culprits
        ]

    def _bury(self, conn: psycopg.Connection, failures: Sequence[Failure]) -> Load:
        load_id, load_date = pipeline.open_load(conn)
        for failure in failures:
            event = failure.event
            conn.execute(
                SQL.bury,
                {
                    "tenant_hk": event.tenant_hk,
                    "raw_event_id": event.raw_event_id,
                    "batch_id": event.batch_id,
                    "event_id": event.event_id,
                    "received_timestamp": event.received_timestamp,
                    "reason_code": failure.reason,
                    "sqlstate": failure.sqlstate,
                    "constraint_name": failure.constraint,
                    "message": failure.message,
                    "load_date": load_date,
                },
            )
            log.warning("event.dead", extra={"raw_event_id": event.raw_event_id, "reason": failure.reason})
        buried = Load(load_id, load_date, len(failures), 0, 0, 0)
        batches = len({failure.event.batch_id for failure in failures})
        pipeline.record_load(conn, buried, self.name, batches=batches, error=len(failures), seconds={})
        return buried

    def _account(self, conn: psycopg.Connection, claim: Claim, failures: Sequence[Failure], load: Load) -> None:
        """Close the claim; its batches name the first of the loads that carried them."""
        if claim.requeued:
            failed = {(failure.event.tenant_hk, failure.event.raw_event_id) for failure in failures}
            resolved = claim.requeued - failed
            conn.execute(
                SQL.resolve_requeued,
                {
                    "tenant_hks": sorted({tenant_hk for tenant_hk, _ in resolved}),
                    "raw_event_ids": sorted(raw_event_id for _, raw_event_id in resolved),
                    "load_date": load.load_date,
                },
            )
        else:
            parameters = {"batch_ids": claim.batch_ids, "load_id": load.load_id, "load_date": load.load_date}
            conn.execute(pipeline.SQL.account_landed, parameters)
            conn.execute(SQL.finish_batches, parameters)
        conn.execute(SQL.announce, {"ranges": as_ranges(claim.batch_ids)})

    def _ensure_days(self, days: set[date]) -> None:
        """Make late days' partitions on a connection of its own: their locks must not last as long as a load."""
        missing = sorted(days - self._days)
        if not missing:
            return
        with self._database.connect(Role.WORKER, autocommit=True, application_name="partitions") as conn:
            for day in missing:
                conn.execute(SQL.ensure_event_day, {"day": day})
        self._days |= days

    def _postpone(self, error: psycopg.Error) -> None:
        """Note on the manifests why they wait; a connection that is gone leaves them as they were."""
        log.warning("load.postponed", extra={"sqlstate": error.sqlstate, "error_type": type(error).__name__})
        if self._claim is None or self._conn is None or self._conn.broken:
            return
        try:
            self._conn.execute(
                SQL.postpone_batches,
                {
                    "batch_ids": [] if self._claim.requeued else self._claim.batch_ids,
                    "error": f"{error.sqlstate}: {error.diag.message_primary or type(error).__name__}",
                },
            )
        except psycopg.Error:
            self.close()


def prepare(conn: psycopg.Connection) -> None:
    """Make a connection one that loads: JSON passes through as it is, and one plan fits any size."""
    set_json_loads(_as_bytes, conn)
    set_json_dumps(lambda ready_made: ready_made, conn)
    conn.execute(vault.SQL.plan_for_any_size)


def _as_bytes(stored: str | bytes) -> bytes:
    return stored if isinstance(stored, bytes) else stored.encode()


def as_ranges(batch_ids: Iterable[int], longest: int = 7000) -> str:
    """Batch ids as `first-last` ranges, comma-separated, within what a NOTIFY may carry (8,000 bytes).

    What does not fit is left out: whoever waits for it finds out by looking.
    """
    ranges: list[list[int]] = []
    for batch_id in sorted(batch_ids):
        if ranges and ranges[-1][1] == batch_id - 1:
            ranges[-1][1] = batch_id
        else:
            ranges.append([batch_id, batch_id])
    text = ",".join(f"{first}-{last}" for first, last in ranges)
    return text if len(text) <= longest else text[:longest].rpartition(",")[0]


def _loggable(done: Load) -> dict[str, object]:
    fields = done._asdict()
    del fields["load_date"]
    return fields
