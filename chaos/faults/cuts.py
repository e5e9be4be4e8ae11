"""Connections cut: the clients' (by a relay, with RST) and the services' to PostgreSQL, in the middle of a COPY."""

from __future__ import annotations

import time
from random import Random
from typing import Any

import psycopg

from chaos.faults.fault import Fault
from chaos.site import Site

_LANDING = "sitevault-collector-landing"
_WAIT_SECONDS = 5.0


def _clients(site: Site, chance: Random) -> str:
    sides = sum(int(str(site.on_loop(relay.cut_all))) for relay in site.relays)
    return f"{sides // 2} connections"


def _mid_copy(site: Site, chance: Random) -> str:
    """A lock on the partitions holds the COPY after its first rows; then its backend is ended."""
    with site.admin() as holder, site.admin() as admin, holder.transaction():
        leaves = admin.execute("SELECT relid::regclass::text FROM pg_partition_tree('raw.landed_event') WHERE isleaf")
        for (leaf,) in leaves.fetchall():
            holder.execute(f"LOCK TABLE {leaf} IN ACCESS EXCLUSIVE MODE")  # noqa: S608 -- a name from the catalog
        pids = _copying(admin)
        for pid in pids:
            admin.execute("SELECT pg_terminate_backend(%s)", (pid,))
    return f"{len(pids)} in the middle of COPY"


def _copying(admin: psycopg.Connection[Any]) -> list[int]:
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        rows = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
            " AND query LIKE 'COPY raw.landed_event%%'",
            (_LANDING,),
        ).fetchall()
        if rows:
            return [pid for (pid,) in rows]
        time.sleep(0.01)
    return []


def _landing(site: Site, chance: Random) -> str:
    return _terminate(site, "application_name = 'sitevault-collector-landing'")


def _loads(site: Site, chance: Random) -> str:
    """Wait until a worker is in the middle of a claim, then end its backend."""
    deadline = time.monotonic() + _WAIT_SECONDS
    busy = "application_name LIKE 'sitevault-worker-%' AND xact_start IS NOT NULL AND query LIKE 'INSERT%'"
    with site.admin() as admin:
        while time.monotonic() < deadline:
            ended = admin.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {busy}"  # noqa: S608 -- ours
            ).fetchall()
            if ended:
                return f"{len(ended)} in the middle of a load"
            time.sleep(0.002)
    return "no load was under way"


def _everybody(site: Site, chance: Random) -> str:
    return _terminate(site, "pid <> pg_backend_pid()")


def _terminate(site: Site, who: str) -> str:
    with site.admin() as admin:
        ended = admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE backend_type = 'client backend' AND {who}"  # noqa: S608 -- ours
        ).fetchall()
    return f"{len(ended)} backends"


CUTS = (
    Fault("cut clients", "RST on every connection that goes through the relays", _clients),
    Fault("cut a COPY", "the collectors' backends ended in the middle of COPY", _mid_copy, weight=2),
    Fault("cut landing", "the collectors' backends ended at any moment", _landing),
    Fault("cut a load", "a worker's backend ended in the middle of a load", _loads),
    Fault("cut everybody", "every backend ended at once", _everybody),
)
