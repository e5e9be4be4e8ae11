"""The context of a tenant: without a good one nothing is shown, and none outlives its transaction."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql
from psycopg_pool import AsyncConnectionPool

from sitevault.audit.canaries import PROBES, Canary
from sitevault.audit.catalog.expected import may
from sitevault.audit.model import Probed
from sitevault.audit.probes.attempt import Ground, Outcome
from sitevault.audit.probes.probe import Probe, Tally
from sitevault.audit.probes.tables import of
from sitevault.db.roles import Role
from sitevault.hashkeys import tenant_key
from sitevault.tenancy.context import tenant_context, tenant_context_async

INTERLEAVED_TASKS = 200
_POOL = 3
_CANCEL_SECONDS = 0.05


def _bad_contexts(ground: Ground) -> dict[str, str | None]:
    good = ground.b.tenant_hk.hex()
    return {
        "unset": None,
        "empty": "",
        "not hexadecimal": "z" * 64,
        "in capitals": good.upper(),
        "one digit short": good[:-1],
        "one digit long": good + "0",
        "with a space": f" {good[1:]}",
        "as PostgreSQL writes bytea": f"\\x{good}",
        "two at once": f"{good},{ground.a.tenant_hk.hex()}",
        "a quote": f"{good}' OR '1'='1",
        "a pattern": "%" * 64,
        "the zero key": "0" * 64,
        "unknown": tenant_key(f"{ground.a.mark}-unknown").hex(),
    }


def _nothing_shown(ground: Ground, role: Role, identity: str, context: str | None, tried: str) -> Probed:
    tally = Tally(identity, role, tried, "no row")
    with ground.acting(role, context) as conn:
        for relation in ground.relations:
            if relation.tenant_column and may(role, "SELECT", relation.schema, relation.name):
                outcome = ground.attempt(conn, sql.SQL(PROBES.count_shown).format(**of(relation)))
                shown = outcome.rows[0][0] if outcome.rows else 0
                tally.note(relation.full_name, replace(outcome, count=shown), well=outcome.refused or shown == 0)
    return tally.result()


def _bad(ground: Ground) -> Iterator[Probed]:
    for name, context in _bad_contexts(ground).items():
        for role in (Role.READER, Role.ERASER):
            yield _nothing_shown(ground, role, "context.bad", context, f"SELECT with a context that is {name}")


def _suspended(ground: Ground) -> Iterator[Probed]:
    context = ground.canaries.suspended.tenant_hk.hex()
    yield _nothing_shown(
        ground, Role.READER, "context.suspended", context, "SELECT in the context of a suspended tenant"
    )


def _good(ground: Ground) -> Iterator[Probed]:
    """The control: a good context shows its rows, or an empty answer to a bad one would prove nothing."""
    tally = Tally("context.control", Role.READER, "SELECT in the context of a tenant", "its own row")
    for canary in (ground.a, ground.b):
        with ground.acting(Role.READER, canary.tenant_hk.hex()) as conn:
            outcome = ground.attempt(conn, PROBES.own_tenants)
            tally.note(canary.name, outcome, well=_only(outcome.rows, canary))
    yield tally.result()


def _only(rows: list[Any], canary: Canary) -> bool:
    return [_tenant_of(row) for row in rows] == [canary.tenant_hk]


def _tenant_of(row: Any) -> bytes:
    return bytes(row["tenant_hk"] if isinstance(row, dict) else row[0])


def _after(identity: str, tried: str, end: Callable[[psycopg.Connection[Any]], None]) -> Probe:
    """A probe that ends a transaction with a context in some way and looks whether the context is gone."""

    def run(ground: Ground) -> Iterator[Probed]:
        tally = Tally(identity, Role.READER, tried, "no row afterwards")
        conn = ground.connection(Role.READER)
        with contextlib.suppress(psycopg.Error, _LeaveError), tenant_context(conn, ground.a.tenant_hk):
            conn.execute(PROBES.own_tenants)
            end(conn)
        rows = conn.execute(PROBES.own_tenants).fetchall()
        tally.note("auth.tenant_h", Outcome(rows, len(rows)), well=not rows)
        yield tally.result()

    return Probe(identity, run)


class _LeaveError(Exception):
    """Leaves a transaction as a fault of the program does."""


def _commit(conn: psycopg.Connection[Any]) -> None:
    pass


def _rollback(conn: psycopg.Connection[Any]) -> None:
    raise _LeaveError


def _fail(conn: psycopg.Connection[Any]) -> None:
    conn.execute(PROBES.fail)


def _time_out(conn: psycopg.Connection[Any]) -> None:
    conn.execute(PROBES.set_short_timeout)
    conn.execute(PROBES.sleep)


def _be_cancelled(conn: psycopg.Connection[Any]) -> None:
    threading.Timer(_CANCEL_SECONDS, conn.cancel_safe).start()
    conn.execute(PROBES.sleep)


def _pool(ground: Ground) -> Iterator[Probed]:
    tally = Tally(
        "context.pool", Role.READER, "requests of two tenants in turn through one pool, some failed or cancelled",
        "each sees its own rows only",
    )  # fmt: skip
    wrong, done = asyncio.run(_interleave(ground))
    for number in range(done):
        tally.note(f"request {number}", Outcome([1], 1), well=True)
    for what in wrong:
        tally.note(what, Outcome([], 1), well=False)
    yield tally.result()


async def _interleave(ground: Ground) -> tuple[list[str], int]:
    """Requests of both tenants, some failing or cancelled, through a pool smaller than their number."""
    chance = random.Random(20260115)  # noqa: S311 -- an order of requests, no secret
    wrong: list[str] = []
    done = 0
    conninfo = ground.database.conninfo(Role.READER, "audit-pool")
    async with AsyncConnectionPool(
        conninfo, min_size=_POOL, max_size=_POOL, kwargs={"autocommit": True}, open=False
    ) as pool:

        async def request(canary: Canary, how: float) -> None:
            nonlocal done
            async with pool.connection() as conn:
                bare = await (await conn.execute(PROBES.own_tenants)).fetchall()
                if bare:
                    wrong.append("rows before any context was set")
                async with tenant_context_async(conn, canary.tenant_hk):
                    rows = await (await conn.execute(PROBES.own_tenants)).fetchall()
                    await asyncio.sleep(0)
                    again = await (await conn.execute(PROBES.own_tenants)).fetchall()
                    if not (_only(rows, canary) and _only(again, canary)):
                        wrong.append(f"tenant {canary.name} saw {len(rows)} and {len(again)} rows")
                    done += 1
                    if how < 0.2:
                        await conn.execute(PROBES.fail)
                    if how < 0.4:
                        await asyncio.sleep(0.01)  # here it may be cancelled

        tasks = []
        for _ in range(INTERLEAVED_TASKS):
            task = asyncio.create_task(request(chance.choice((ground.a, ground.b)), chance.random()))
            tasks.append(task)
            if chance.random() < 0.1:
                asyncio.get_running_loop().call_later(chance.random() / 10, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
    return wrong, done


PROBES_OF_CONTEXTS = (
    Probe("context.control", _good),
    Probe("context.bad", _bad),
    Probe("context.suspended", _suspended),
    _after("context.after_commit", "a context, then COMMIT", _commit),
    _after("context.after_rollback", "a context, then a fault of the program", _rollback),
    _after("context.after_error", "a context, then a statement that fails", _fail),
    _after("context.after_timeout", "a context, then a statement timeout", _time_out),
    _after("context.after_cancel", "a context, then a cancelled statement", _be_cancelled),
    Probe("context.pool", _pool),
)
