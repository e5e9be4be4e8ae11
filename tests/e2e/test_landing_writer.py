"""The group commit by itself: what shares a flush, and who pays for what PostgreSQL refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from sitevault import clock
from sitevault.db import wire
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.db.wire import wire_address, wire_timestamp
from sitevault.landing import writer as landing
from sitevault.landing.flush import EVENTS_PER_BATCH_ID, LandingRow
from sitevault.landing.writer import LandingWriter, NotLandedError
from sitevault.reasons import Reason

TENANT, KEY = b"t" * 32, b"k" * 32


def row(payload: bytes, **changed: Any) -> LandingRow:
    fields = (TENANT, KEY, uuid4().bytes, wire_timestamp(clock.now()), None, None, None, None, "track", payload)
    return LandingRow(*fields)._replace(**changed)


@asynccontextmanager
async def writing(database: Database, **limits: Any) -> AsyncIterator[LandingWriter]:
    options = {"max_events": 20_000, "max_bytes": 33_554_432, "timeout": 10.0, **limits}
    writer = LandingWriter(partial(database.aconnect, Role.COLLECTOR), **options)
    writer.start()
    assert await writer.wait_available(5)
    try:
        yield writer
    finally:
        await writer.drain()


async def outcomes(database: Database, submissions: list[list[LandingRow]]) -> list[Any]:
    """What each submission was answered when all of them wait for the same flush."""
    async with writing(database) as writer:
        return await asyncio.gather(*(writer.submit(rows) for rows in submissions), return_exceptions=True)


def reasons(answers: list[Any]) -> list[Reason | None]:
    return [answer.reason if isinstance(answer, NotLandedError) else None for answer in answers]


def test_what_is_submitted_together_is_one_flush(database: Database, admin: Any):
    answers = asyncio.run(outcomes(database, [[row(b"{}")], [row(b"{}"), row(b"{}")], [row(b"{}")]]))
    batch_id = answers[0].batch_id
    first = batch_id * EVENTS_PER_BATCH_ID
    assert [tuple(answer) for answer in answers] == [
        (batch_id, first),
        (batch_id, first + 1),
        (batch_id, first + 3),
    ]
    assert admin.execute("SELECT batch_id, events FROM raw.batch").fetchall() == [(batch_id, 4)]


@pytest.mark.parametrize(
    "poison",
    [
        row(b'{"a":'),  # PostgreSQL finds it is not JSON
        row(b"{}", user_agent="a\0b"),  # PostgreSQL finds it is not text
        row(b"{}", protocol=None),  # a constraint finds it
        row(b"{}", client_ip=b"\x09" * 8),  # the wire format finds it
    ],
)
def test_a_poison_row_costs_its_own_request_and_never_the_neighbours(
    database: Database, admin: Any, poison: LandingRow
):
    good = [[row(b'{"n":%d}' % n)] for n in range(9)]
    answers = asyncio.run(outcomes(database, [*good[:4], [row(b"{}"), poison], *good[4:]]))
    assert reasons(answers) == [None] * 4 + [Reason.REFUSED_BY_STORAGE] + [None] * 5
    kept = admin.execute("SELECT (payload->>'n')::int FROM raw.landed_event ORDER BY 1").fetchall()
    assert kept == [(n,) for n in range(9)]
    assert admin.execute("SELECT sum(events) FROM raw.batch").fetchone() == (9,)


def test_every_column_is_as_it_was_submitted(database: Database, admin: Any):
    full = row(
        '{"größe": "\\u00e9", "n": 1e5 }'.encode(),
        client_ip=wire_address("2001:db8::7"),
        user_agent="Ünïcode/1.0",
        origin="https://shop.example",
        geo_hint="de",
        protocol="batch",
    )
    rows = [full, row(b"[]", client_ip=wire_address("203.0.113.9"), tenant_hk=b"u" * 32), row(b"{}")]
    (landed, *_) = asyncio.run(outcomes(database, [[one] for one in rows]))
    stored = admin.execute(
        "SELECT raw_event_id, tenant_hk, api_key_hk, event_id, received_timestamp, host(client_ip), user_agent,"
        " origin, geo_hint, protocol, payload::text FROM raw.landed_event ORDER BY raw_event_id"
    ).fetchall()
    addresses = ["2001:db8::7", "203.0.113.9", None]
    assert stored == [
        (
            landed.first_raw_event_id + place,
            *(one.tenant_hk, one.api_key_hk, UUID(bytes=one.event_id), wire.moment(one.received_timestamp)),
            *(address, one.user_agent, one.origin, one.geo_hint, one.protocol, one.payload.decode()),
        )
        for place, (one, address) in enumerate(zip(rows, addresses, strict=True))
    ]
    assert admin.execute("SELECT batch_id, events, tenant_hks, tenant_events FROM raw.batch").fetchall() == [
        (landed.batch_id, 3, [TENANT, b"u" * 32], [2, 1])
    ]


def test_after_a_large_flush_those_who_come_soon_share_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(landing, "GATHER_SECONDS", 0.5)

    async def run() -> tuple[Any, Any]:
        async with writing(database) as writer:
            await writer.submit([row(b"{}")] * landing.BUSY_EVENTS)
            early = writer.submit([row(b"{}")])
            await asyncio.sleep(0.1)
            return await asyncio.gather(early, writer.submit([row(b"{}")]))

    early, late = asyncio.run(run())
    assert early.batch_id == late.batch_id


def test_who_comes_alone_does_not_wait_for_others(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(landing, "GATHER_SECONDS", 3600)

    async def run() -> list[int]:
        async with writing(database) as writer:
            return [(await writer.submit([row(b"{}")])).batch_id for _ in range(3)]

    assert len(set(asyncio.run(run()))) == 3


def test_a_submission_is_never_split_over_two_flushes(
    database: Database, admin: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(landing, "MAX_FLUSH_EVENTS", 10)
    asyncio.run(outcomes(database, [[row(b"{}")] * size for size in (4, 4, 4, 25, 1)]))
    assert admin.execute("SELECT events FROM raw.batch ORDER BY batch_id").fetchall() == [(8,), (4,), (25,), (1,)]


def test_a_flush_is_bounded_in_bytes(database: Database, admin: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(landing, "MAX_FLUSH_BYTES", 10_000)
    asyncio.run(outcomes(database, [[row(b'{"a":"' + b"x" * 4_000 + b'"}')] for _ in range(5)]))
    assert admin.execute("SELECT events FROM raw.batch ORDER BY batch_id").fetchall() == [(2,), (2,), (1,)]


def test_draining_flushes_what_was_taken_and_takes_nothing_more(database: Database, admin: Any):
    async def submit_then_drain() -> list[Any]:
        async with writing(database) as writer:
            taken = [writer.submit([row(b"{}")]) for _ in range(5)]
            await writer.drain()
            with pytest.raises(NotLandedError) as refused:
                writer.submit([row(b"{}")])
            assert refused.value.reason is Reason.SHUTTING_DOWN
            return await asyncio.gather(*taken)

    assert len(asyncio.run(submit_then_drain())) == 5
    assert admin.execute("SELECT count(*) FROM raw.landed_event").fetchone() == (5,)


def test_one_submission_larger_than_the_queue_still_fits_an_empty_one(database: Database):
    async def submit() -> int:
        async with writing(database, max_events=10, max_bytes=1_024) as writer:
            await writer.submit([row(b"{}")] * 50)
            held = writer.submit([row(b"{}")] * 50)
            with pytest.raises(NotLandedError) as refused:
                writer.submit([row(b"{}")])
            assert refused.value.reason is Reason.OVERLOADED
            await held
            return writer.events + writer.bytes

    assert asyncio.run(submit()) == 0


async def until_somebody_waits(admin: psycopg.AsyncConnection[Any]) -> None:
    async with asyncio.timeout(10):
        while not (await (await admin.execute("SELECT FROM pg_locks WHERE NOT granted")).fetchall()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # nothing tells us of a lock


def test_a_flush_under_which_a_partition_is_made_is_written_again(database: Database) -> None:
    far = clock.now() + timedelta(days=400)

    async def run() -> None:
        async with (
            writing(database) as writer,
            await psycopg.AsyncConnection.connect(database.admin_conninfo, autocommit=True) as admin,
            await psycopg.AsyncConnection.connect(database.admin_conninfo) as maker,
        ):
            await maker.execute("SELECT ops.ensure_partition('raw.landed_event', %s::date)", (far.date(),))
            landing = writer.submit([row(b"{}", received_timestamp=wire_timestamp(far))])
            await until_somebody_waits(admin)
            await maker.commit()
            await asyncio.wait_for(landing, 10)
            found = await admin.execute("SELECT tableoid::regclass::text FROM raw.landed_event")
            assert await found.fetchall() == [(f"raw.landed_event_p{far:%Y%m%d}",)]

    asyncio.run(run())
