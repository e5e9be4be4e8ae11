"""Connections cut: the clients' (by a relay, with RST), and the services' to PostgreSQL."""

from __future__ import annotations

import time
from contextlib import suppress
from random import Random
from typing import LiteralString

import psycopg
from psycopg import sql

from chaos.faults.fault import SQL, Fault, MissedError
from chaos.faults.locks import lock
from chaos.site import Site

_WAIT_SECONDS = 5.0
_ATTEMPTS = 3


def _clients(site: Site, chance: Random) -> str:
    sides = sum(int(str(site.on_loop(relay.cut_all))) for relay in site.relays)
    return f"{sides // 2} connections"


def _mid_flush(site: Site, chance: Random) -> str:
    """A lock on the partition holds a small flush and then what gathered behind it; their backends are ended."""
    for _ in range(_ATTEMPTS):
        with suppress(psycopg.errors.DeadlockDetected), site.admin() as holder, holder.transaction():
            for partition in holder.execute(SQL.todays_partition).fetchall():
                holder.execute(lock(partition, "ACCESS EXCLUSIVE"))
            small = _end(site, SQL.end_flushing, wait=True)
            large = _end(site, SQL.end_flushing, wait=True)
            if small:
                return f"{small} in the middle of a small flush, {large} of a large one"
    raise MissedError("no flush was under way")


def _landing(site: Site, chance: Random) -> str:
    return f"{_end(site, SQL.end_landing)} backends"


def _loads(site: Site, chance: Random) -> str:
    return f"{_end(site, SQL.end_loading, wait=True)} in the middle of a load"


def _everybody(site: Site, chance: Random) -> str:
    return f"{_end(site, SQL.end_everybody)} backends"


def _end(site: Site, backends: LiteralString, *, wait: bool = False) -> int:
    """How many were ended; with `wait`, look again until there is one."""
    deadline = time.monotonic() + (_WAIT_SECONDS if wait else 0.0)
    with site.admin() as admin:
        while True:
            ended = admin.execute(sql.SQL(backends)).fetchall()
            if ended or time.monotonic() > deadline:
                return len(ended)
            time.sleep(0.002)


CUTS = (
    Fault("cut clients", "RST on every connection that goes through the relays", _clients),
    Fault("cut a flush", "the collectors' backends ended in the middle of INSERT", _mid_flush, weight=2),
    Fault("cut landing", "the collectors' backends ended at any moment", _landing),
    Fault("cut a load", "a worker's backend ended in the middle of a load", _loads),
    Fault("cut everybody", "every backend ended at once", _everybody),
)
