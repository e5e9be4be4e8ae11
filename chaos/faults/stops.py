"""Stops that are polite, slow, or temporary: SIGTERM, SIGSTOP, and a worker that is away for a while."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from random import Random

from chaos.faults.fault import SQL, Fault, MissedError
from chaos.site import Site
from sitevault.db import postmaster
from sitevault.supervisor.child import Child

_GRACE_SECONDS = 2.0
_GONE_SECONDS = 30.0


def _terminate_collector(site: Site, chance: Random) -> str:
    chance.choice(site.keeper.collectors).ask_to_stop()
    return "1 process"


def _terminate_worker(site: Site, chance: Random) -> str:
    chance.choice(site.keeper.workers).ask_to_stop()
    return "1 process"


def _terminate_postgres(site: Site, chance: Random) -> str:
    """SIGTERM lets clients stay and takes no new ones; whoever stops a host loses patience and sends SIGINT."""
    pid = site.keeper.server.pid
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        time.sleep(_GRACE_SECONDS)
        os.kill(pid, signal.SIGINT)
    gone = postmaster.wait_until_gone(pid, "PostgreSQL is stopping", lambda _: None, _GONE_SECONDS)
    return "stopped" if gone else f"was not gone after {_GONE_SECONDS:.0f} s"


def _freeze_collector(site: Site, chance: Random) -> str:
    return _freeze(chance.choice(site.keeper.collectors), chance.uniform(1.0, 8.0))


def _freeze_worker(site: Site, chance: Random) -> str:
    return _freeze(chance.choice(site.keeper.workers), chance.uniform(1.0, 4.0))


def _no_worker(site: Site, chance: Random) -> str:
    """Landing goes on alone; the backlog is drained later."""
    for worker in site.keeper.workers:
        site.keeper.rest(worker)
        worker.ask_to_stop()
    seconds = chance.uniform(4.0, 10.0)
    try:
        time.sleep(seconds)
        with site.admin() as admin:
            (waiting,) = admin.execute(SQL.count_waiting).fetchone() or (0,)
    finally:
        for worker in site.keeper.workers:
            site.keeper.wake(worker)
    return f"{seconds:.0f} s, {waiting} batches waited"


def _freeze(child: Child, seconds: float) -> str:
    pid = child.pid
    if pid is None or not child.running():
        raise MissedError("it was down")
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)
    return f"{seconds:.0f} s"


STOPS = (
    Fault("SIGTERM a collector", "SIGTERM of a collector with requests under way", _terminate_collector),
    Fault("SIGTERM a worker", "SIGTERM of a worker with a claim under way", _terminate_worker),
    Fault("SIGTERM PostgreSQL", "SIGTERM of the postmaster, SIGINT two seconds later", _terminate_postgres),
    Fault("freeze a collector", "SIGSTOP for up to eight seconds: clients time out", _freeze_collector),
    Fault("freeze a worker", "SIGSTOP for up to four seconds, locks held", _freeze_worker),
    Fault("no worker", "both workers away for up to ten seconds; the backlog is drained", _no_worker),
)
