"""Waiting until the workers have carried a batch through: they say so by NOTIFY, and we look now and then."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from time import monotonic

import psycopg

from sitevault.collector.answers import RefusedError
from sitevault.collector.receipts import ReceiptReader
from sitevault.db import queries
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
RECONNECT_SECONDS = 1.0

_SQL = queries.load("receipts")


class LoadWatcher:
    """Tells waiting requests that their batch is processed. An async context manager."""

    def __init__(self, database: Database, receipts: ReceiptReader) -> None:
        self._database = database
        self._receipts = receipts
        self._waiting: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LoadWatcher:
        self._listener = asyncio.create_task(self._listen(), name="load-watcher")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)

    async def wait(self, tenant_hk: bytes, batch_id: int, seconds: float) -> bool:
        """Wait until every event of the batch is accounted for; False when it is not after `seconds`."""
        deadline = monotonic() + seconds
        heard = asyncio.Event()
        self._waiting[batch_id].add(heard)
        try:
            while (left := deadline - monotonic()) > 0:
                if await self._is_processed(tenant_hk, batch_id):
                    return True
                heard.clear()
                try:
                    await asyncio.wait_for(heard.wait(), min(left, POLL_SECONDS))
                except TimeoutError:
                    continue
            return await self._is_processed(tenant_hk, batch_id)
        finally:
            self._waiting[batch_id].discard(heard)
            if not self._waiting[batch_id]:
                del self._waiting[batch_id]

    async def _is_processed(self, tenant_hk: bytes, batch_id: int) -> bool:
        try:
            return await self._receipts.is_processed(tenant_hk, batch_id)
        except RefusedError:
            # The event is committed; that we cannot see further is no reason to have it sent again.
            return False

    async def _listen(self) -> None:
        while True:
            try:
                async with await self._database.aconnect(
                    Role.READER, autocommit=True, application_name="collector-loads"
                ) as connection:
                    await connection.execute(_SQL.listen_for_loads)
                    async for notice in connection.notifies():
                        self._hear(notice.payload)
            except (psycopg.Error, DatabaseUnavailableError, OSError) as error:
                log.warning("loads.connection_lost", extra={"error": type(error).__name__})
            await asyncio.sleep(RECONNECT_SECONDS)

    def _hear(self, payload: str) -> None:
        for first, last in ranges(payload):
            for batch_id in [waited for waited in self._waiting if first <= waited <= last]:
                for heard in self._waiting[batch_id]:
                    heard.set()


def ranges(payload: str) -> Iterator[tuple[int, int]]:
    """The batch ids of a notice, as `first-last` or single ids between commas; what is neither is skipped."""
    for part in payload.split(","):
        first, dash, last = part.strip().partition("-")
        if first.isdecimal() and (not dash or last.isdecimal()):
            yield int(first), int(last if dash else first)
