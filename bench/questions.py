"""What people ask of a grown database, timed: the console's questions, receipts, the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from bench.figures import Bar, HarnessError, Result, Spread, judge, spread
from bench.house import House
from sitevault import clock
from sitevault.collector.answers import RefusedError
from sitevault.collector.receipts import ReceiptReader
from sitevault.db import queries
from sitevault.db.roles import Role
from sitevault.demo.traffic import funnel_of
from sitevault.marts.rollup import roll_days
from sitevault.observe import ledger
from sitevault.observe.trace import trace
from sitevault.tenancy.context import tenant_context

TIMES = 5
BAR = Bar(300, at_least=False)
SQL = queries.load("questions", Path(__file__).parent)

TITLES = {
    "days_30": "30 days at a glance",
    "one_day": "one day at a glance",
    "event_types_30": "event types, 30 days",
    "pages_30": "top pages, 30 days",
    "sources_30": "sources, 30 days",
    "sources_day": "sources, one day",
    "devices_30": "devices, 30 days",
    "latest_sessions": "latest sessions of a day",
    "funnel_day": "funnel, one day",
    "funnel_7": "funnel, 7 days",
    "funnel_30": "funnel, 30 days",
}
"""The console's questions, which have a bar."""


def ask(house: House) -> Result:
    """Each question some times in turn, of the largest tenant; the first asking of each is not counted."""
    holder = max(house.holders, key=lambda one: one.tenant.weight)
    events = house.count("SELECT coalesce(sum(vaulted), 0) FROM ops.ledger_d")
    parameters = {
        "today": _last_day(house, holder.tenant_hk) + timedelta(days=1),
        "steps": list(funnel_of(holder.tenant)),
        "tenant_hk": holder.tenant_hk,
    }
    with house.database.connect(Role.WORKER, autocommit=True) as worker:
        roll_days(worker, seconds=600, again_seconds=0)
    house.admin.execute("VACUUM (ANALYZE)")
    with house.database.connect(Role.READER) as reader, house.database.connect(Role.JUDGE) as judging:
        reader.rollback()
        judging.rollback()
        console = {title: _query(reader, getattr(SQL, name), parameters) for name, title in TITLES.items()}
        event_id = _some_event(judging, holder.tenant_hk)
        others = {
            "sitevault trace": lambda: len(trace(judging, str(event_id))),
            "the ledger of sitevault status": lambda: len(_ledger(judging)),
        }
        taken = {title: _times(question) for title, question in (console | others).items()}
    over_http = asyncio.run(_over_http(house, holder.tenant_hk, event_id))
    taken |= over_http
    over = _last_day(house, holder.tenant_hk) < clock.now().date()
    sides = {"the largest tenant": {f"{title} ms": over for title, over in taken.items()}}
    (last_days,) = house.admin.execute(
        "SELECT sum(events) FROM mart.event_day_f WHERE tenant_hk = %(tenant_hk)s AND day = %(today)s::date - 1",
        parameters,
    ).fetchone() or (0,)
    (vaulted,) = house.admin.execute(
        "SELECT count(*) FROM business.site_event_nl WHERE tenant_hk = %s", (holder.tenant_hk,)
    ).fetchone() or (0,)
    return Result(
        "questions",
        f"What people ask of {events:,} events",
        sides,
        {},
        [judge(f"{title} ms", taken[title].median, BAR) for title in (*console, *over_http)],
        ["Every question had an answer: none of them is empty."],
        [
            f"Each {TIMES} times, of the tenant with {vaulted:,} events, as sitevault_reader under row-level "
            "security; trace and ledger as sitevault_judge. The questions are in `bench/questions.sql`.",
            "Days that were over had been rolled up, as the worker does. The last day, with "
            f"{last_days:,} of the tenant's events, was {'over' if over else 'not over: it was read from them'}.",
        ],
    )


def _last_day(house: House, tenant_hk: bytes) -> date:
    """Today, where the database has just been grown."""
    row = house.admin.execute(
        "SELECT max(day) FROM mart.event_day_f WHERE tenant_hk = %s", (tenant_hk,)
    ).fetchone()
    if row is None or row[0] is None:
        raise HarnessError("The largest tenant has no event.")
    day: date = row[0]
    return day


def _query(reader: psycopg.Connection[Any], query: LiteralString, parameters: dict[str, Any]) -> Callable[[], int]:
    def question() -> int:
        with tenant_context(reader, parameters["tenant_hk"]):
            return len(reader.execute(query, parameters).fetchall())

    return question


def _times(question: Callable[[], int]) -> Spread:
    """Where PostgreSQL gives up (statement_timeout), the time until then counts, once."""
    taken = []
    for _ in range(TIMES + 1):
        began = perf_counter()
        try:
            if not question():
                raise HarnessError("A question was answered with nothing.")
        except psycopg.errors.QueryCanceled:
            return spread([(perf_counter() - began) * 1e3])
        taken.append((perf_counter() - began) * 1e3)
    return spread(taken[1:])


async def _over_http(house: House, tenant_hk: bytes, event_id: UUID) -> dict[str, Spread]:
    """What the collector reads for those who ask it, by its own reader."""
    async with ReceiptReader(house.database) as reader:
        asked: dict[str, Callable[[], Awaitable[object]]] = {
            "receipt of an event": lambda: reader.of_event(tenant_hk, event_id),
            "GET /api/v1/status": lambda: reader.status(tenant_hk),
        }
        return {title: await _times_awaited(question) for title, question in asked.items()}


async def _times_awaited(question: Callable[[], Awaitable[object]]) -> Spread:
    """The collector's reader gives up after three seconds; then that is the figure."""
    taken = []
    for _ in range(TIMES + 1):
        began = perf_counter()
        try:
            if not await question():
                raise HarnessError("A question was answered with nothing.")
        except RefusedError:
            return spread([(perf_counter() - began) * 1e3])
        taken.append((perf_counter() - began) * 1e3)
    return spread(taken[1:])


def _ledger(judging: psycopg.Connection[Any]) -> list[ledger.Line]:
    with ledger.snapshot(judging):
        return list(ledger.read(judging).lines)


def _some_event(judging: psycopg.Connection[Any], tenant_hk: bytes) -> UUID:
    """One in the middle of the span."""
    found = judging.execute(
        "SELECT event_id FROM business.site_event_nl WHERE tenant_hk = %s"
        " AND event_day > (SELECT max(event_day) - 14 FROM business.site_event_nl) LIMIT 1",
        (tenant_hk,),
    ).fetchone()
    judging.rollback()
    if found is None:
        raise HarnessError("The largest tenant has no event.")
    return UUID(str(found[0]))
