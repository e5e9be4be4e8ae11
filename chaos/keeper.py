"""Keeps the house standing while it is shot at: PostgreSQL and every service are started again when they fall."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from bench.house import environment

from chaos.turned import VARIABLE, Clock
from sitevault.db.embedded import EmbeddedServer
from sitevault.errors import SitevaultError
from sitevault.supervisor.child import Child

COLLECTORS, WORKERS = 2, 2
_TEND_SECONDS = 0.1
_PAUSE_SECONDS = 0.5
_READY_SECONDS = 60.0


class Keeper:
    """Two collectors on ports that stay, two workers, one server. One thread tends them."""

    def __init__(self, home: Path, server: EmbeddedServer, clock: Clock) -> None:
        self.server = server
        self.ports = _free_ports(COLLECTORS)
        common = environment(home) | {VARIABLE: str(clock.path)}
        logs = home / "log"
        self.collectors = [
            Child(
                "collector",
                logs / f"collector-{number}.log",
                config_path=None,
                environ=common | {"SITEVAULT_PORT": str(port)},
                module="chaos.turned",
            )
            for number, port in enumerate(self.ports, 1)
        ]
        self.workers = [
            Child("worker", logs / f"worker-{number}.log", config_path=None, environ=common, module="chaos.turned")
            for number in range(1, WORKERS + 1)
        ]
        self.falls: Counter[str] = Counter()
        self.recoveries: list[float] = []
        """Seconds from noticing that PostgreSQL is gone until it took connections again."""
        self.troubles: list[str] = []
        self._resting: set[Child] = set()
        self._not_before: dict[Child, float] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._tend, name="keeper")

    @property
    def urls(self) -> list[str]:
        """Of the collectors themselves."""
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def start(self) -> None:
        """Start every service, wait until each serves, and begin to tend them."""
        children = [*self.collectors, *self.workers]
        for child in children:
            child.start()
        for child in children:
            child.wait_ready(_READY_SECONDS)
        self._thread.start()

    def rest(self, child: Child) -> None:
        """Do not start this one again until `wake`."""
        self._resting.add(child)

    def wake(self, child: Child) -> None:
        """Start it again if it is down."""
        self._resting.discard(child)

    def told(self) -> Counter[str]:
        """What the services wrote into their logs, by event and SQLSTATE or error."""
        counts: Counter[str] = Counter()
        for child in (*self.collectors, *self.workers):
            for line in child.log.read_text("utf-8", "replace").splitlines():
                with suppress(ValueError, KeyError, TypeError):
                    told = json.loads(line)
                    why = told.get("sqlstate") or told.get("error_type") or told.get("error") or told.get("reason")
                    # The driver's own lines are sentences that name an address; its logger is enough.
                    event = told["logger"] if " " in told["event"] else told["event"]
                    counts[f"{child.service}: {event}" + (f" ({why})" if why else "")] += 1
        return counts

    def stop(self) -> None:
        """Stop every service in order. The server is its owner's to release. Idempotent."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        for child in (*self.collectors, *self.workers):
            child.ask_to_stop()
        for child in (*self.collectors, *self.workers):
            child.stop()

    def _tend(self) -> None:
        while not self._ending.wait(_TEND_SECONDS):
            self._tend_server()
            for child in (*self.collectors, *self.workers):
                if not child.running() and child not in self._resting:
                    self._tend_child(child)

    def _tend_server(self) -> None:
        began = time.monotonic()
        try:
            if self.server.revive():
                self.falls["postgres"] += 1
                self.recoveries.append(time.monotonic() - began)
        except (SitevaultError, OSError) as error:
            self.troubles.append(f"PostgreSQL did not start: {str(error).splitlines()[0]}")
            self._ending.wait(_PAUSE_SECONDS)

    def _tend_child(self, child: Child) -> None:
        now = time.monotonic()
        if now < self._not_before.get(child, 0.0):
            return
        self._not_before[child] = now + _PAUSE_SECONDS
        self.falls[child.service] += 1
        try:
            child.stop()
            child.start()
        except OSError as error:  # a full disk takes no log
            self.troubles.append(f"{child.service} did not start: {os.strerror(error.errno or 0)}")


def _free_ports(count: int) -> list[int]:
    """Ports that are free now; all are held until the last is found, so that they differ."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
