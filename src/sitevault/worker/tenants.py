"""What the worker knows of tenants: their rules, and which keys are theirs."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import psycopg

from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.staging.model import LandedEvent, TenantRules
from sitevault.tenancy.rules import load_tenant_rules
from sitevault.worker.claim import SQL


class Tenants:
    """Shared by the lanes of a worker; reloads when told that something changed, or when a tenant is new."""

    def __init__(self, database: Database, within: psycopg.Connection | None = None) -> None:
        """With `within`, rules are read on that connection, as its open transaction sees them."""
        self._database = database
        self._within = within
        self._lock = threading.Lock()
        self._rules: Mapping[bytes, TenantRules] = {}
        self._pairs: set[tuple[bytes, bytes]] = set()
        self._stale = True

    @property
    def rules(self) -> Mapping[bytes, TenantRules]:
        """Rules by tenant_hk."""
        return self._rules

    def mark_stale(self) -> None:
        """The next claim sees what changed."""
        self._stale = True

    def sort_out(
        self, conn: psycopg.Connection, events: Sequence[LandedEvent]
    ) -> tuple[list[LandedEvent], list[LandedEvent]]:
        """Split events into those whose key is their tenant's, and those whose key is not.

        This is the enforced half of the reference from landing to keys: an enforced foreign key on the landing
        table would cost 35-40 % of its rate.
        """
        pairs = {(event.tenant_hk, event.api_key_hk) for event in events}
        with self._lock:
            if self._stale or any(tenant_hk not in self._rules for tenant_hk, _ in pairs):
                self._reload()
            unknown = pairs - self._pairs
            if unknown:
                keys = sorted({api_key_hk for _, api_key_hk in unknown})
                self._pairs.update(conn.execute(SQL.known_keys, {"api_key_hks": keys}).fetchall())
            foreign = {pair for pair in unknown if pair not in self._pairs or pair[0] not in self._rules}
        if not foreign:
            return list(events), []
        return (
            [event for event in events if (event.tenant_hk, event.api_key_hk) not in foreign],
            [event for event in events if (event.tenant_hk, event.api_key_hk) in foreign],
        )

    def _reload(self) -> None:
        self._stale = False
        if self._within is not None:
            self._rules = _read(self._within)
            return
        with self._database.connect(Role.WORKER, autocommit=True, application_name="worker-tenants") as conn:
            self._rules = _read(conn)


def _read(conn: psycopg.Connection) -> dict[bytes, TenantRules]:
    return {tenant_hk: TenantRules(*row) for tenant_hk, row in load_tenant_rules(conn).items()}
