"""Whose rows a transaction may touch: set inside it, gone with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from sitevault.db import queries
from sitevault.hashkeys import HASH_BYTES

_sql = queries.load("tenancy")


@contextmanager
def tenant_context(conn: psycopg.Connection[Any], tenant_hk: bytes) -> Iterator[None]:
    """One transaction in which row-level security shows exactly this tenant (32-byte tenant_hk).

    Raises RuntimeError inside another transaction: there the context would outlive its block.
    """
    _refuse_to_nest(conn.info.transaction_status, tenant_hk)
    with conn.transaction():
        conn.execute(_sql.set_tenant_context, {"tenant_hk": tenant_hk})
        yield


@asynccontextmanager
async def tenant_context_async(conn: psycopg.AsyncConnection[Any], tenant_hk: bytes) -> AsyncIterator[None]:
    """The same for the collector, which reads receipts as sitevault_reader."""
    _refuse_to_nest(conn.info.transaction_status, tenant_hk)
    async with conn.transaction():
        await conn.execute(_sql.set_tenant_context, {"tenant_hk": tenant_hk})
        yield


@contextmanager
def administer(conn: psycopg.Connection[Any], tenant_hk: bytes) -> Iterator[None]:
    """One transaction as the owner of the tables, within one tenant; `conn` is sitevault_migrator's.

    Row-level security is forced on the owner too, so even an administrative write cannot leave the tenant.
    """
    with tenant_context(conn, tenant_hk):
        conn.execute(_sql.become_owner)
        yield


def _refuse_to_nest(status: TransactionStatus, tenant_hk: bytes) -> None:
    if len(tenant_hk) != HASH_BYTES:
        raise ValueError(f"tenant_hk must be {HASH_BYTES} bytes, not {len(tenant_hk)}")
    if status is not TransactionStatus.IDLE:
        raise RuntimeError("a tenant context is a transaction of its own; this connection is already in one")
