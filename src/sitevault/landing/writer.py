"""Group commit: what was submitted while the last flush ran is the next one, answered after its commit."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

import psycopg

from sitevault.db import queries
from sitevault.db.partitions import lost_its_partition
from sitevault.landing import flush
from sitevault.landing.flush import LandingRow
from sitevault.reasons import Reason

log = logging.getLogger(__name__)

_SQL = queries.load("landing")

MAX_FLUSH_EVENTS = 5_000
MAX_FLUSH_BYTES = 8 * 1024 * 1024
ROW_OVERHEAD_BYTES = 256
"""What a waiting event costs beside its payload."""

BUSY_EVENTS = 8
GATHER_SECONDS = 0.003
"""From one flush to the next where the one carried so many: each costs as much as the events of a millisecond."""

GRACE_SECONDS = 0.5
"""How long what was not yet sent waits for a lost connection to come back before it is refused."""
FIRST_RETRY_SECONDS = 0.05
LONGEST_RETRY_SECONDS = 1.0
CONNECT_SECONDS = 5.0
PARTITION_MOVES = 3
"""How often a flush is written again because a partition was made under it."""


class Landed(NamedTuple):
    """Where a submission was committed: its rows have consecutive raw_event_ids from the first."""

    batch_id: int
    first_raw_event_id: int


class NotLandedError(Exception):
    """The submission was not acknowledged; `reason` says why, and its HTTP status whether to send it again."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class _Submission:
    __slots__ = ("deadline", "future", "rows", "size")

    def __init__(
        self, rows: Sequence[LandingRow], size: int, future: asyncio.Future[Landed], deadline: float
    ) -> None:
        self.rows = rows
        self.size = size
        self.future = future
        self.deadline = deadline

    def land(self, landed: Landed) -> None:
        if not self.future.done():
            self.future.set_result(landed)

    def refuse(self, reason: Reason) -> None:
        if not self.future.done():
            self.future.set_exception(NotLandedError(reason))


class LandingWriter:
    """Writes submissions to landing over one connection, one statement per flush.

    `connect` opens a connection as sitevault_collector. `on_flush(events, seconds)` is told of every commit.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[flush.Connection]],
        *,
        max_events: int,
        max_bytes: int,
        timeout: float,
        on_flush: Callable[[int, float], None] = lambda events, seconds: None,
    ) -> None:
        self._connect = connect
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._on_flush = on_flush
        self._waiting: deque[_Submission] = deque()
        self._wake = asyncio.Event()
        self._available = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._giving_up: asyncio.TimerHandle | None = None
        self._flush_began = 0.0
        self._flushed_events = 0
        self.events = 0
        """Events waiting for their commit, those of the running flush included."""
        self.bytes = 0

    @property
    def available(self) -> bool:
        """Whether a submission would be taken now."""
        return self._available.is_set() and not self._closing

    def start(self) -> None:
        """Begin connecting and flushing in the background; submissions are refused until connected."""
        self._task = asyncio.create_task(self._keep_connected())

    async def wait_available(self, seconds: float) -> bool:
        """Wait for the first connection; False when that took longer than `seconds`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._available.wait(), seconds)
        return self.available

    def submit(self, rows: Sequence[LandingRow]) -> asyncio.Future[Landed]:
        """Queue rows that are stored together or not at all; the future is done after their commit.

        Raises NotLandedError at once when there is no room or no connection; the future raises it when the
        commit failed or could not be confirmed. In the latter case the rows may be there: sending the same
        event again is harmless because its identity is the same.
        """
        count = len(rows)
        size = sum(len(row[-1]) for row in rows) + count * ROW_OVERHEAD_BYTES
        if self._closing:
            raise NotLandedError(Reason.SHUTTING_DOWN)
        if not self._available.is_set():
            raise NotLandedError(Reason.STORAGE_UNAVAILABLE)
        # One submission always fits into an empty queue, however the limits are set.
        if self.events and (self.events + count > self._max_events or self.bytes + size > self._max_bytes):
            raise NotLandedError(Reason.OVERLOADED)
        future: asyncio.Future[Landed] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Submission(rows, size, future, monotonic() + self._timeout))
        self.events += count
        self.bytes += size
        self._wake.set()
        return future

    async def drain(self) -> None:
        """Take nothing more, flush what was taken, close the connection. May be called twice."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._refuse_waiting(Reason.SHUTTING_DOWN)

    # -- the connection ------------------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        delay = FIRST_RETRY_SECONDS
        while not (self._closing and not self._waiting):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    connection = await self._open()
            except Exception as error:
                log.warning("landing.unreachable", extra={"error": type(error).__name__, "retry_in": delay})
                if not self._available.is_set():
                    self._refuse_waiting(Reason.STORAGE_UNAVAILABLE)
                await asyncio.sleep(delay)
                delay = min(delay * 2, LONGEST_RETRY_SECONDS)
                continue
            delay = FIRST_RETRY_SECONDS
            self._regained()
            try:
                await self._flush_while_connected(connection)
            finally:
                await _close(connection)
        self._cancel_giving_up()

    async def _open(self) -> flush.Connection:
        connection = await self._connect()
        await connection.set_autocommit(True)
        await connection.execute(_SQL.insist_on_durability)
        return connection

    async def _flush_while_connected(self, connection: flush.Connection) -> None:
        while True:
            await self._gather()
            if not self._waiting:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            submissions = self._take()
            if not submissions:
                continue
            try:
                async with asyncio.timeout(submissions[0].deadline - monotonic()):
                    await self._store_or_bisect(connection, submissions)
            except flush.NothingSentError:
                self._put_back(submissions)
                self._lost()
                return
            except Exception as error:
                log.error("landing.flush_failed", extra={"error": type(error).__name__}, exc_info=error)
                self._lost()
                return
            finally:
                self._settle(submissions)

    async def _gather(self) -> None:
        """Where many come, more of them share a flush; who comes alone does not wait."""
        if self._flushed_events >= BUSY_EVENTS and not self._closing:
            await asyncio.sleep(self._flush_began + GATHER_SECONDS - monotonic())

    def _regained(self) -> None:
        self._available.set()
        self._cancel_giving_up()
        log.info("landing.connected")

    def _lost(self) -> None:
        if self._giving_up is None:
            self._giving_up = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._giving_up = None
        self._available.clear()
        self._refuse_waiting(Reason.STORAGE_UNAVAILABLE)

    def _cancel_giving_up(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None

    # -- the queue -----------------------------------------------------------------------------------------

    def _take(self) -> list[_Submission]:
        """The next flush: whole submissions, oldest first; those that waited too long are refused instead."""
        taken: list[_Submission] = []
        events = size = 0
        now = monotonic()
        while self._waiting:
            head = self._waiting[0]
            if taken and (events + len(head.rows) > MAX_FLUSH_EVENTS or size + head.size > MAX_FLUSH_BYTES):
                break
            self._waiting.popleft()
            if head.deadline <= now:
                head.refuse(Reason.STORAGE_UNAVAILABLE)
                self._forget(head)
                continue
            taken.append(head)
            events += len(head.rows)
            size += head.size
        return taken

    def _put_back(self, submissions: list[_Submission]) -> None:
        self._waiting.extendleft(reversed(submissions))
        submissions.clear()

    def _settle(self, submissions: list[_Submission]) -> None:
        """Whoever of a flush has no answer by now has an unknown one: never sent again by us."""
        for submission in submissions:
            submission.refuse(Reason.STORAGE_UNAVAILABLE)
            self._forget(submission)

    def _refuse_waiting(self, reason: Reason) -> None:
        while self._waiting:
            submission = self._waiting.popleft()
            submission.refuse(reason)
            self._forget(submission)

    def _forget(self, submission: _Submission) -> None:
        self.events -= len(submission.rows)
        self.bytes -= submission.size

    # -- the flush -----------------------------------------------------------------------------------------

    async def _store_or_bisect(
        self, connection: flush.Connection, submissions: Sequence[_Submission], again: int = PARTITION_MOVES
    ) -> None:
        """Store them; where PostgreSQL refuses the data, halve until only the culprit's submission is refused."""
        try:
            await self._store(connection, submissions)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            moved = lost_its_partition(error)
            if moved and again:
                await self._store_or_bisect(connection, submissions, again - 1)
                return
            if len(submissions) == 1:
                log.error(
                    "landing.refused", extra={"sqlstate": error.sqlstate, "events": len(submissions[0].rows)}
                )
                submissions[0].refuse(Reason.STORAGE_UNAVAILABLE if moved else Reason.REFUSED_BY_STORAGE)
                return
            middle = len(submissions) // 2
            await self._store_or_bisect(connection, submissions[:middle])
            await self._store_or_bisect(connection, submissions[middle:])

    async def _store(self, connection: flush.Connection, submissions: Sequence[_Submission]) -> None:
        self._flush_began = began = monotonic()
        batch_id = await flush.write(connection, [submission.rows for submission in submissions])
        raw_event_id = first = batch_id * flush.EVENTS_PER_BATCH_ID
        for submission in submissions:
            submission.land(Landed(batch_id, raw_event_id))
            raw_event_id += len(submission.rows)
        self._flushed_events = raw_event_id - first
        self._on_flush(self._flushed_events, monotonic() - began)


async def _close(connection: flush.Connection) -> None:
    try:
        await connection.close()
    except psycopg.Error as error:
        log.debug("landing.close_failed", extra={"error": type(error).__name__})
