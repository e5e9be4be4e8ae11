"""What became of a tenant's events, read as that tenant: under row-level security, within its context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from sitevault.collector.answers import RefusedError
from sitevault.db import queries
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.landing.identity import AHEAD, event_day
from sitevault.landing.writer import Landed
from sitevault.reasons import Reason
from sitevault.tenancy.context import tenant_context_async

MOST_LANDINGS = 100
"""An event sent again and again has a landing each time; a receipt shows the first of them."""

_SQL = queries.load("receipts")
_HUB_KEYS = ("session_hk", "visitor_hk", "page_hk", "user_hk", "campaign_hk")
_CONNECTIONS = 4
_CONNECT_SECONDS = 2.0


class ReceiptReader:
    """Reads receipts and ledgers over a few connections as sitevault_reader. An async context manager.

    Every method raises RefusedError(STORAGE_UNAVAILABLE) while PostgreSQL is away.
    """

    def __init__(self, database: Database) -> None:
        # No connection is kept that nobody asked for, and none is handed out unseen: PostgreSQL may have
        # been restarted in between.
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[dict[str, Any]]] = AsyncConnectionPool(
            database.conninfo(Role.READER, "collector-receipts"),
            min_size=0,
            max_size=_CONNECTIONS,
            timeout=_CONNECT_SECONDS,
            reconnect_timeout=_CONNECT_SECONDS,
            kwargs={"autocommit": True, "row_factory": dict_row},
            configure=_configure,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )

    async def __aenter__(self) -> ReceiptReader:
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def ping(self) -> None:
        """Return when the database has answered."""
        async with self._connection() as connection:
            await connection.execute(_SQL.ping)

    async def of_event(self, tenant_hk: bytes, event_id: UUID) -> list[dict[str, Any]]:
        """A receipt for each time this tenant's event landed, oldest first; empty where it never did."""
        bounds = time_bounds(event_id)
        if bounds is None:
            return []
        parameters = {"event_id": event_id, "most": MOST_LANDINGS, **bounds}
        rows = await self._read(tenant_hk, _SQL.receipts_of_event, parameters)
        if not rows:
            rows = await self._read(tenant_hk, _SQL.receipts_of_removed, parameters)
        return [receipt(row) for row in rows]

    async def may_be_removed(self, tenant_hk: bytes, event_id: UUID, late_days: int) -> bool:
        """Whether an event of this id could have been among the landings that retention removed."""
        bounds = time_bounds(event_id)
        if bounds is None:
            return False
        (row,) = await self._read(tenant_hk, _SQL.landing_removed, {**bounds, "late_days": late_days})
        return bool(row["removed"])

    async def of_landing(self, tenant_hk: bytes, landed: Landed, events: int) -> list[dict[str, Any]]:
        """The receipts of one submission's events, in its order."""
        first = landed.first_raw_event_id
        within = {"batch_id": landed.batch_id, "first": first, "last": first + events - 1}
        return [receipt(row) for row in await self._read(tenant_hk, _SQL.receipts_of_landing, within)]

    async def is_processed(self, tenant_hk: bytes, batch_id: int) -> bool:
        """Whether every event of a batch is accounted for."""
        rows = await self._read(tenant_hk, _SQL.batch_state, {"batch_id": batch_id})
        return bool(rows) and rows[0]["state"] == "PROCESSED"

    async def status(self, tenant_hk: bytes) -> dict[str, Any]:
        """The tenant's ledger, the age of its oldest pending event in seconds, and today's (UTC) quality."""
        (row,) = await self._read(tenant_hk, _SQL.status, {})
        return ledger(row)

    async def _read(
        self, tenant_hk: bytes, query: LiteralString, parameters: dict[str, Any]
    ) -> list[dict[str, Any]]:
        async with self._connection() as connection, tenant_context_async(connection, tenant_hk):
            cursor = await connection.execute(query, {**parameters, "tenant_hk": tenant_hk})
            return await cursor.fetchall()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[dict[str, Any]]]:
        try:
            async with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise RefusedError(Reason.STORAGE_UNAVAILABLE) from error


def time_bounds(event_id: UUID) -> dict[str, Any] | None:
    """The day in an event id, and the earliest that it can have been received; None for no id of ours."""
    try:
        day = event_day(event_id)
        return {"event_day": day, "not_before": datetime.combine(day, time(), UTC) - AHEAD}
    except (ValueError, OverflowError):  # a year past 9999: some other UUID
        return None


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(_SQL.set_statement_timeout)


def receipt(row: dict[str, Any]) -> dict[str, Any]:
    """A landed event as its sender may see it: where it is, and what each stage did."""
    state = _state(row)
    shown: dict[str, Any] = {
        "event_id": row["event_id"],
        "raw_event_id": row["raw_event_id"],
        "state": state,
        "outcome": _outcome(row, state),
        "landing": {
            "batch_id": row["batch_id"],
            "protocol": row["protocol"],
            "received_timestamp": _time(row["received_timestamp"]),
            "processed_timestamp": _time(row["batch_processed_timestamp"]),
        },
    }
    if row.get("landing_removed"):
        shown["landing"]["removed"] = True
    if row["validation_status"] is not None:
        shown["staging"] = {
            "validation_status": row["validation_status"],
            "enrichment_status": row["enrichment_status"],
            "quality_score": float(row["quality_score"]),
            "reasons": row["validation_errors"],
            "event_type": row["event_type"],
            "occurred_at": _time(row["occurred_at"]),
            "load_id": row["load_id"],
            "processed_timestamp": _time(row["processed_timestamp"]),
        }
    if row["vaulted_at"] is not None:
        shown["vault"] = {
            "load_date": _time(row["vaulted_at"]),
            "event_day": row["event_day"],
            **{key: row[key].hex() for key in _HUB_KEYS},
        }
    if row["failed_status"] is not None:
        shown["failure"] = {
            "status": row["failed_status"],
            "code": row["failed_reason"],
            "sqlstate": row["sqlstate"],
            "attempts": row["attempts"],
            "last_failed_at": _time(row["last_failed_at"]),
        }
    return shown


def _state(row: dict[str, Any]) -> str:
    if row["failed_status"] in ("ERROR", "PENDING"):
        return str(row["failed_status"])
    return "PROCESSED" if row["batch_state"] == "PROCESSED" else "PENDING"


def _outcome(row: dict[str, Any], state: str) -> str | None:
    if state == "ERROR":
        return "error"
    if state == "PENDING":
        return None
    if row["is_conflict"] is not None:
        return "conflict" if row["is_conflict"] else "duplicate"
    if row["validation_status"] == "INVALID":
        return "invalid"
    return "vaulted" if row["vaulted_at"] is not None else None


def ledger(row: dict[str, Any]) -> dict[str, Any]:
    """landed = pending + processed + error, and processed = vaulted + duplicate + invalid; does it hold?"""
    processed = row["vaulted"] + row["duplicate"] + row["invalid"]
    pending = row["waiting"] + row["requeued"]
    landed = row["accounted"] + row["waiting"]
    return {
        "ledger": {
            "landed": landed,
            "pending": pending,
            "processed": processed,
            "vaulted": row["vaulted"],
            "duplicate": row["duplicate"],
            "invalid": row["invalid"],
            "error": row["error"],
            "balances": landed == pending + processed + row["error"],
        },
        "oldest_pending_seconds": row["oldest_pending_seconds"],
        "today": {
            "staged": row["staged_today"],
            "average_quality": None if row["quality_today"] is None else float(row["quality_today"]),
        },
    }


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None


class BadEventIdError(ValueError):
    """The text is not a UUID."""


def read_event_id(text: str) -> UUID:
    """The UUID in its usual form of 36 characters. Raises BadEventIdError."""
    try:
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError as error:
        raise BadEventIdError(text) from error
