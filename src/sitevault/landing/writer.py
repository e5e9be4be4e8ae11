"""Group commit: what was submitted while the last flush ran is the next one, answered after its commit."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct
from time import monotonic
from typing import Any, NamedTuple, TypeAlias

import psycopg

from sitevault.db import queries
from sitevault.db.partitions import lost_its_partition
from sitevault.db.wire import COPY_END, COPY_HEAD, framed_bytes
from sitevault.reasons import Reason

log = logging.getLogger(__name__)

_SQL = queries.load("landing")

EVENTS_PER_BATCH_ID = 65_536
"""raw_event_id = batch_id * 65,536 + place in the batch."""

MAX_FLUSH_EVENTS = 5_000
MAX_FLUSH_BYTES = 8 * 1024 * 1024
ROW_OVERHEAD_BYTES = 256
"""What a waiting event costs beside its payload."""

GRACE_SECONDS = 0.5
"""How long what was not yet sent waits for a lost connection to come back before it is refused."""
FIRST_RETRY_SECONDS = 0.05
LONGEST_RETRY_SECONDS = 1.0
CONNECT_SECONDS = 5.0
PARTITION_MOVES = 3
"""How often a flush is written again because a partition was made under it."""

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Number of fields; batch_id, raw_event_id, tenant_hk, api_key_hk, event_id, received_timestamp, each with length.
_row_head = Struct("!hiqiqi32si32si16siq").pack
_length = Struct("!i").pack
_FIELDS = 12
_WRITE_BYTES = 256 * 1024
"""What is put together before it is given to the connection: each time costs a turn of the event loop."""


class LandingRow(NamedTuple):
    """One row of raw.landed_event after batch_id and raw_event_id, in the wire form of its columns."""

    tenant_hk: bytes
    api_key_hk: bytes
    event_id: bytes
    """The UUID's 16 bytes."""
    received_timestamp: int
    """See `wire_time`."""
    client_ip: bytes | None
    """See `db.wire.wire_address`."""
    user_agent: str | None
    origin: str | None
    geo_hint: str | None
    protocol: str
    payload: bytes
    """JSON that PostgreSQL is known to accept, byte for byte as it was received."""


class Landed(NamedTuple):
    """Where a submission was committed: its rows have consecutive raw_event_ids from the first."""

    batch_id: int
    first_raw_event_id: int


class NotLandedError(Exception):
    """The submission was not acknowledged; `reason` says why, and its HTTP status whether to send it again."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class _NothingSentError(Exception):
    """The connection was found lost before anything of the flush was sent: it may be sent again."""


Connection: TypeAlias = "psycopg.AsyncConnection[Any]"


def wire_time(moment: datetime) -> int:
    """A timestamptz as PostgreSQL sends it: microseconds since 2000-01-01 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


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
    """Writes submissions to landing over one connection, one transaction per flush.

    `connect` opens a connection as sitevault_collector. `on_flush(events, seconds)` is told of every commit.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
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

    async def _open(self) -> Connection:
        connection = await self._connect()
        await connection.execute(_SQL.insist_on_durability)
        await connection.commit()
        return connection

    async def _flush_while_connected(self, connection: Connection) -> None:
        while True:
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
            except _NothingSentError:
                self._put_back(submissions)
                self._lost()
                return
            except Exception as error:
                log.error("landing.flush_failed", extra={"error": type(error).__name__}, exc_info=error)
                self._lost()
                return
            finally:
                self._settle(submissions)

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
        self, connection: Connection, submissions: Sequence[_Submission], again: int = PARTITION_MOVES
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

    async def _store(self, connection: Connection, submissions: Sequence[_Submission]) -> None:
        began = monotonic()
        try:
            landed, events = await self._write(connection, submissions)
            await connection.commit()
        except (psycopg.DataError, psycopg.IntegrityError):
            await connection.rollback()
            raise
        for submission, place in zip(submissions, landed, strict=True):
            submission.land(place)
        self._on_flush(events, monotonic() - began)

    async def _write(self, connection: Connection, submissions: Sequence[_Submission]) -> tuple[list[Landed], int]:
        landed: list[Landed] = []
        async with connection.cursor() as cursor:
            batch_id = await _open_flush(cursor)
            raw_event_id = first = batch_id * EVENTS_PER_BATCH_ID
            async with cursor.copy(_SQL.copy_events) as copy:
                pieces, size = [COPY_HEAD], 0
                for submission in submissions:
                    landed.append(Landed(batch_id, raw_event_id))
                    pieces += _wire_rows(batch_id, raw_event_id, submission.rows)
                    raw_event_id += len(submission.rows)
                    size += submission.size
                    if size > _WRITE_BYTES:
                        await copy.write(b"".join(pieces))
                        pieces, size = [], 0
                await copy.write(b"".join((*pieces, COPY_END)))
            await cursor.execute(_SQL.insert_manifest, _manifest(batch_id, submissions))
        return landed, raw_event_id - first


def _wire_rows(batch_id: int, first: int, rows: Sequence[LandingRow]) -> Iterator[bytes]:
    """Rows of a binary COPY, put together by hand: the driver's own way takes twice as long."""
    for number, row in enumerate(rows, first):
        tenant_hk, api_key_hk, event_id, received, client_ip, user_agent, origin, geo_hint, protocol, payload = row
        yield (
            _row_head(
                _FIELDS, 8, batch_id, 8, number, 32, tenant_hk, 32, api_key_hk, 16, event_id, 8, received
            )
            + _framed_sender(client_ip, user_agent, origin, geo_hint, protocol)
            + _length(len(payload))
            + payload
        )  # fmt: skip


@lru_cache(maxsize=1024)
def _framed_sender(client_ip: bytes | None, *texts: str | None) -> bytes:
    """What the events of a request have in common."""
    return framed_bytes(client_ip) + b"".join(
        framed_bytes(None if text is None else text.encode()) for text in texts
    )


async def _open_flush(cursor: psycopg.AsyncCursor[Any]) -> int:
    try:
        await cursor.execute(_SQL.open_flush)
    except psycopg.OperationalError as error:
        raise _NothingSentError from error
    rows = await cursor.fetchall()
    return int(rows[0][0])


def _manifest(batch_id: int, submissions: Sequence[_Submission]) -> dict[str, object]:
    # The rows of a submission came with one key, so they are of one tenant and have one time.
    per_tenant: Counter[bytes] = Counter()
    for submission in submissions:
        per_tenant[submission.rows[0].tenant_hk] += len(submission.rows)
    earliest = min(submission.rows[0].received_timestamp for submission in submissions)
    return {
        "batch_id": batch_id,
        "received": _EPOCH + earliest * _MICROSECOND,
        "events": per_tenant.total(),
        "tenant_hks": list(per_tenant),
        "tenant_events": list(per_tenant.values()),
    }


async def _close(connection: Connection) -> None:
    try:
        await connection.close()
    except psycopg.Error as error:
        log.debug("landing.close_failed", extra={"error": type(error).__name__})
