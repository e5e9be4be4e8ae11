"""One flush into landing: rows and manifest in one statement."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import psycopg

from sitevault.db import queries, wire

_SQL = queries.load("landing")

EVENTS_PER_BATCH_ID = 65_536
"""raw_event_id = batch_id * 65,536 + place in the batch."""

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


async def write(connection: Connection, submissions: Sequence[Sequence[LandingRow]]) -> int:
    """Commit the rows of these submissions in their order, and return their batch id; all of them or none.

    The connection is in autocommit. Raises NothingSentError; psycopg.DataError or IntegrityError when PostgreSQL
    refuses a row, and then nothing is stored; any other error leaves open whether it is.
    """
    _require_alive(connection)
    async with connection.cursor() as cursor:
        await cursor.execute(_SQL.land, _manifest(submissions) | _columns(submissions))
        rows = await cursor.fetchall()
        return int(rows[0][0])


def _require_alive(connection: Connection) -> None:
    # A server that ends a session says so and hangs up: the first read finds the one, the second the other.
    try:
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except psycopg.OperationalError as error:
        raise NothingSentError from error


def _columns(submissions: Sequence[Sequence[LandingRow]]) -> dict[str, object]:
    """The rows as an array for each column."""
    tenants, api_keys, event_ids, received, client_ips, user_agents, origins, geo_hints, protocols, payloads = zip(
        *itertools.chain.from_iterable(submissions), strict=True
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
