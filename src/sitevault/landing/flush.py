"""One flush into landing: rows and manifest in one transaction, in as few round trips as its size allows."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple, TypeAlias

import psycopg

from sitevault.db import queries, wire
from sitevault.db.wire import COPY_END, COPY_HEAD, framed_bytes

_SQL = queries.load("landing")

EVENTS_PER_BATCH_ID = 65_536
"""raw_event_id = batch_id * 65,536 + place in the batch."""

SMALL_EVENTS = 128
SMALL_BYTES = 128 * 1024
"""Up to here a flush is one statement: what it costs is round trips. Beyond, COPY is cheaper for every row."""

# Number of fields; batch_id, raw_event_id, tenant_hk, api_key_hk, event_id, received_timestamp, each with length.
_row_head = Struct("!hiqiqi32si32si16siq").pack
_length = Struct("!i").pack
_FIELDS = 12
_PIECES_AT_ONCE = 500
"""What is put together before it is given to the connection: each time costs a turn of the event loop."""

Connection: TypeAlias = "psycopg.AsyncConnection[Any]"


class LandingRow(NamedTuple):
    """One row of raw.landed_event after batch_id and raw_event_id, in the wire form of its columns."""

    tenant_hk: bytes
    api_key_hk: bytes
    event_id: bytes
    """The UUID's 16 bytes."""
    received_timestamp: int
    """See `db.wire.wire_timestamp`."""
    client_ip: bytes | None
    """See `db.wire.wire_address`."""
    user_agent: str | None
    origin: str | None
    geo_hint: str | None
    protocol: str
    payload: bytes
    """JSON that PostgreSQL is known to accept, byte for byte as it was received."""


class NothingSentError(Exception):
    """The connection was found lost before anything of the flush was sent: it may be sent again."""


async def write(connection: Connection, submissions: Sequence[Sequence[LandingRow]], size: int) -> int:
    """Commit the rows of these submissions in their order, and return their batch id; all of them or none.

    `size` is about how many bytes they have. The connection is in autocommit. Raises NothingSentError;
    psycopg.DataError or IntegrityError when PostgreSQL refuses a row, and then nothing is stored; any other error
    leaves open whether it is.
    """
    _require_alive(connection)
    manifest = _manifest(submissions)
    rows = list(itertools.chain.from_iterable(submissions))
    if len(rows) > SMALL_EVENTS or size > SMALL_BYTES:
        return await _copy(connection, rows, manifest)
    async with connection.cursor() as cursor:
        await cursor.execute(_SQL.land, manifest | _columns(rows))
        return await _first_value(cursor)


def _require_alive(connection: Connection) -> None:
    # A server that ends a session says so and hangs up: the first read finds the one, the second the other.
    try:
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.OperationalError as error:
        raise NothingSentError from error


async def _copy(connection: Connection, rows: Iterable[LandingRow], manifest: dict[str, object]) -> int:
    async with connection.transaction(), connection.cursor() as cursor:
        await cursor.execute(_SQL.open_flush)
        batch_id = await _first_value(cursor)
        async with cursor.copy(_SQL.copy_events) as copy:
            pieces = itertools.chain((COPY_HEAD,), _wire_rows(batch_id, rows), (COPY_END,))
            while piece := b"".join(itertools.islice(pieces, _PIECES_AT_ONCE)):
                await copy.write(piece)
        await cursor.execute(_SQL.insert_manifest, {"batch_id": batch_id, **manifest})
    return batch_id


async def _first_value(cursor: psycopg.AsyncCursor[Any]) -> int:
    rows = await cursor.fetchall()
    return int(rows[0][0])


def _columns(rows: Sequence[LandingRow]) -> dict[str, object]:
    """The rows as an array for each column."""
    tenants, api_keys, event_ids, received, client_ips, user_agents, origins, geo_hints, protocols, payloads = zip(
        *rows, strict=True
    )
    return {
        "tenants": wire.hash_keys(tenants),
        "api_keys": wire.hash_keys(api_keys),
        "event_ids": wire.uuids(event_ids),
        "received_timestamps": wire.timestamps(received),
        "client_ips": wire.addresses(client_ips),
        "user_agents": wire.texts(user_agents),
        "origins": wire.texts(origins),
        "geo_hints": wire.texts(geo_hints),
        "protocols": wire.texts(protocols),
        "payloads": wire.jsons(payloads),
    }


def _wire_rows(batch_id: int, rows: Iterable[LandingRow]) -> Iterator[bytes]:
    """Rows of a binary COPY, put together by hand: the driver's own way takes twice as long."""
    for number, row in enumerate(rows, batch_id * EVENTS_PER_BATCH_ID):
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


def _manifest(submissions: Sequence[Sequence[LandingRow]]) -> dict[str, object]:
    # The rows of a submission came with one key, so they are of one tenant and have one time.
    per_tenant: Counter[bytes] = Counter()
    for rows in submissions:
        per_tenant[rows[0].tenant_hk] += len(rows)
    return {
        "received": wire.moment(min(rows[0].received_timestamp for rows in submissions)),
        "events": per_tenant.total(),
        "tenant_hks": wire.hash_keys(list(per_tenant)),
        "tenant_events": wire.int4s(per_tenant.values()),
    }
