"""kill -9, of everything there is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from random import Random

from chaos.faults.fault import SQL, Fault, MissedError
from chaos.site import Site
from sitevault.db import postmaster
from sitevault.supervisor.child import Child

_WAIT_SECONDS = 15.0


def _collector(site: Site, chance: Random) -> str:
    return _kill(site.keeper.collectors, chance)


def _worker(site: Site, chance: Random) -> str:
    return _kill(site.keeper.workers, chance)


def _postmaster(site: Site, chance: Random) -> str:
    """Also one that is just recovering from the last kill."""
    data = site.keeper.server.home / "postgres" / "data"
    deadline = time.monotonic() + _WAIT_SECONDS
    while not ((found := postmaster.read_pid_file(data)) and postmaster.serves(found.pid, data)):
        if time.monotonic() > deadline:
            raise MissedError("it was down")
        time.sleep(0.05)
    _signal([found.pid])
    return "1 process" if found.status == "ready" else "1 process, while it was recovering"


def _backend(site: Site, chance: Random) -> str:
    """PostgreSQL ends every other backend then, and recovers by itself."""
    with site.admin() as admin:
        backends = admin.execute(SQL.client_backends).fetchall()
        if not backends:
            raise MissedError("nobody was connected")
        pid, name = chance.choice(backends)
        _signal([pid])
    return f"backend of {name.partition('-host')[0].rstrip('-0123456789')}"


def _everything(site: Site, chance: Random) -> str:
    pids = [site.keeper.server.pid]
    pids += [child.pid for child in (*site.keeper.collectors, *site.keeper.workers) if child.pid is not None]
    _signal(pids)
    return f"{len(pids)} processes"


def _kill(children: list[Child], chance: Random) -> str:
    """Whichever of them runs; one that is just being started again is waited for."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not (running := [child for child in children if child.running()]):
        if time.monotonic() > deadline:
            raise MissedError("none was running")
        time.sleep(0.05)
    pid = chance.choice(running).pid
    _signal([pid] if pid is not None else [])
    return "1 process"


def _signal(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


KILLS = (
    Fault("kill a collector", "kill -9 of one of two collectors", _collector, kills=True, weight=5),
    Fault("kill a worker", "kill -9 of one of two workers", _worker, kills=True, weight=5),
    Fault("kill PostgreSQL", "kill -9 of the postmaster; crash recovery", _postmaster, kills=True, weight=4),
    Fault("kill a backend", "kill -9 of one backend; PostgreSQL ends all others", _backend, kills=True, weight=3),
    Fault("kill everything", "kill -9 of all of it at once", _everything, kills=True, weight=2),
)
