"""The collector's keys, in memory: which tenant a key belongs to, fresh within a second of any change."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

from sitevault.db import queries
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import DatabaseUnavailableError
from sitevault.reasons import Reason
from sitevault.tenancy import origins
from sitevault.tenancy.keys import KeyKind, KeyStatus, digest, kind_of
from sitevault.tenancy.tenants import TenantStatus

_sql = queries.load("tenancy")
_log = logging.getLogger(__name__)

RELOAD_INTERVAL_SECONDS = 0.2
"""Reloads are at least this far apart, however many unknown keys knock and however often the bell rings."""

FRESH_SECONDS = 2.0
"""How long a request may wait for a reading before its key can neither be called known nor unknown."""

POLL_SECONDS = 30.0
_QUERY_SECONDS = 5.0
_BACK_OFF_SECONDS = (0.1, 5.0)

_UNREACHABLE = (psycopg.Error, DatabaseUnavailableError, TimeoutError, OSError)


class KeyGrant(NamedTuple):
    """What a key allows, and whose it is: the only source of an event's tenant."""

    tenant_hk: bytes
    api_key_hk: bytes
    kind: KeyKind
    allowed_origins: tuple[str, ...]
    rate_limit: int | None
    """Events per second; None where the key has no rate of its own."""


class _Row(NamedTuple):
    api_key_hk: bytes
    tenant_hk: bytes
    kind: str
    allowed_origins: list[str]
    rate_limit: int | None
    key_status: str
    tenant_status: str


class Keyring:
    """All keys by their SHA-256, kept up to date by LISTEN; answers from memory while PostgreSQL is away.

    An async context manager: it starts at once, also without a database, and then answers
    STORAGE_UNAVAILABLE until it has read the keys for the first time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._answers: dict[bytes, KeyGrant | Reason] = {}
        self._loaded = asyncio.Event()
        self._reachable = True
        self._started_at = float("-inf")
        self._next: asyncio.Task[bool] | None = None
        self._reloads: set[asyncio.Task[bool]] = set()
        self._reader: psycopg.AsyncConnection[Any] | None = None
        self._reading = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Keyring:
        self._watcher = asyncio.create_task(self._watch(), name="keyring")
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks: list[asyncio.Task[Any]] = [*self._reloads, *([self._watcher] if self._watcher else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close_reader()

    @property
    def loaded(self) -> bool:
        """Whether the keys were read at least once."""
        return self._loaded.is_set()

    async def wait_loaded(self, seconds: float) -> bool:
        """Wait until the keys were read once; False when that took longer than `seconds`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._loaded.wait(), seconds)
        return self.loaded

    def find(self, key: str) -> KeyGrant | Reason:
        """The grant of a key, or why it has none; from memory.

        The digest is looked up, so the time it takes says nothing about how much of a key was right.
        """
        answer = self._answers.get(digest(key))
        if answer is not None:
            return answer
        return Reason.AUTH_UNKNOWN_KEY if self.loaded else Reason.STORAGE_UNAVAILABLE

    async def find_fresh(self, key: str) -> KeyGrant | Reason:
        """As `find`, but a key is only called unknown by a reading of the table that began after the question.

        STORAGE_UNAVAILABLE when there could be none: a client must not drop its events on a 401 that is a guess.
        """
        answer = self.find(key)
        if isinstance(answer, KeyGrant) or answer not in (Reason.AUTH_UNKNOWN_KEY, Reason.STORAGE_UNAVAILABLE):
            return answer
        if kind_of(key) is None:
            return Reason.AUTH_UNKNOWN_KEY
        try:
            fresh = await asyncio.wait_for(self._reload_soon(), FRESH_SECONDS)
        except TimeoutError:
            fresh = False
        return self._answers.get(digest(key), Reason.AUTH_UNKNOWN_KEY if fresh else Reason.STORAGE_UNAVAILABLE)

    async def _reload_soon(self) -> bool:
        """Join the next reload, which begins after this call and not too soon after the last; did it work?"""
        if self._next is None:
            self._next = asyncio.create_task(self._reload_when_due(), name="keyring-reload")
            self._reloads.add(self._next)
            self._next.add_done_callback(self._reloads.discard)
        return await asyncio.shield(self._next)

    async def _reload_when_due(self) -> bool:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._started_at + RELOAD_INTERVAL_SECONDS - loop.time())
        async with self._reading:
            self._started_at = loop.time()
            # From here on a question may be too late for this reading; it gets the next one.
            self._next = None
            try:
                async with asyncio.timeout(_QUERY_SECONDS):
                    await self._read()
            except _UNREACHABLE as error:
                self._note_reachable(False, error)
                await self._close_reader()
                return False
            self._note_reachable(True)
            return True

    async def _read(self) -> None:
        if self._reader is None:
            self._reader = await self._database.aconnect(Role.COLLECTOR, autocommit=True)
        async with self._reader.cursor(row_factory=class_row(_Row)) as cursor:
            await cursor.execute(_sql.keyring)
            rows = await cursor.fetchall()
        self._answers = {row.api_key_hk: _answer(row) for row in rows}
        self._loaded.set()

    def _note_reachable(self, reachable: bool, error: BaseException | None = None) -> None:
        # Every unknown key tries again while PostgreSQL is away: only the turns are worth a line.
        if reachable is not self._reachable:
            self._reachable = reachable
            if error is None:
                _log.info("keyring.recovered")
            else:
                _log.warning("keyring.database_lost", extra={"error": type(error).__name__})

    async def _close_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    async def _watch(self) -> None:
        shortest, longest = _BACK_OFF_SECONDS
        pause = shortest
        while True:
            try:
                async with await self._database.aconnect(Role.COLLECTOR, autocommit=True) as conn:
                    await conn.execute(_sql.listen_for_keys)
                    # Whatever changed before LISTEN took effect is in this first reload.
                    while await self._reload_soon():
                        pause = shortest
                        async for _ in conn.notifies(timeout=POLL_SECONDS, stop_after=1):
                            pass
            except _UNREACHABLE as error:
                self._note_reachable(False, error)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 -- spreads reconnects, no secret
            pause = min(pause * 2, longest)


def origin_allowed(grant: KeyGrant, origin: str | None) -> bool:
    """Whether a request with this Origin header (None: it has none) may use the key.

    The list binds pages, whose browser always says where they are from; what sends no Origin is no page and
    could claim any. Secret keys have no list.
    """
    if grant.kind is KeyKind.SECRET or origin is None:
        return True
    return origins.matches(grant.allowed_origins, origin)


def _answer(row: _Row) -> KeyGrant | Reason:
    if row.key_status != KeyStatus.ACTIVE:
        return Reason.AUTH_REVOKED_KEY
    if row.tenant_status != TenantStatus.ACTIVE:
        return Reason.TENANT_SUSPENDED
    return KeyGrant(row.tenant_hk, row.api_key_hk, KeyKind(row.kind), tuple(row.allowed_origins), row.rate_limit)
