"""What staging must know of each tenant, as the worker loads it: plain rows, all in one statement."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

from sitevault.db import queries

_sql = queries.load("tenancy")


class TenantRulesRow(NamedTuple):
    """One tenant's rules; the fields are those of staging.model.TenantRules, in their order."""

    tenant_hk: bytes
    secret: bytes
    ip_policy: str
    mapping: dict[str, list[str]]
    schemas: dict[str, dict[str, Any]]

    def __repr__(self) -> str:
        # So that no log or traceback shows the secret by accident.
        return f"TenantRulesRow(tenant_hk={self.tenant_hk.hex()}, secret=...)"


def load_tenant_rules(conn: psycopg.Connection[Any]) -> dict[bytes, TenantRulesRow]:
    """The rules of every tenant by tenant_hk, suspended ones too; `conn` is sitevault_worker's."""
    with conn.cursor(row_factory=class_row(TenantRulesRow)) as cursor:
        return {row.tenant_hk: row for row in cursor.execute(_sql.tenant_rules)}
