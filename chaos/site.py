"""What a fault can lay its hands on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg
from bench.house import Holder

from chaos.disk import Disk
from chaos.keeper import Keeper
from chaos.relay import Relay
from chaos.turned import Clock
from sitevault.db.connect import Database

_CONNECT_SECONDS = 30.0


class OutOfReachError(Exception):
    """PostgreSQL did not come back in time."""


@dataclass
class Site:
    """The house under fire."""

    database: Database
    holders: list[Holder]
    keeper: Keeper
    relays: list[Relay]
    on_loop: Callable[[Callable[[], object]], object]
    """Run something in the sender's event loop, and wait for it."""
    clock: Clock
    disk: Disk
    refusals: Callable[[], int]
    """Answers other than 200 and 400 so far, and connections refused."""
    lasting: list[threading.Thread] = field(default_factory=list)
    """Faults that go on while others strike."""
    bitten: list[str] = field(default_factory=list)
    """What became of them."""

    @contextmanager
    def admin(self) -> Iterator[psycopg.Connection[Any]]:
        """The superuser; waits while PostgreSQL recovers. Raises OutOfReachError."""
        deadline = time.monotonic() + _CONNECT_SECONDS
        while True:
            try:
                conn = psycopg.connect(self.database.admin_conninfo, autocommit=True)
                break
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise OutOfReachError(f"PostgreSQL was not back after {_CONNECT_SECONDS:.0f} s") from error
                time.sleep(0.05)
        try:
            yield conn
        finally:
            with suppress(psycopg.Error):
                conn.close()

    def go_on(self, name: str, fault: Callable[[], str]) -> None:
        """Run a fault that lasts beside the ones to come."""

        def run() -> None:
            try:
                self.bitten.append(f"{name}: {fault()}")
            except (psycopg.Error, OutOfReachError) as error:
                self.bitten.append(f"{name}: ended by another fault ({type(error).__name__})")

        thread = threading.Thread(target=run, name=name, daemon=True)
        self.lasting.append(thread)
        thread.start()

    def wait_for_lasting(self) -> None:
        """Until every lasting fault has ended."""
        for thread in self.lasting:
            thread.join()
