"""The embedded PostgreSQL beside its services: a killed one is started again, however long it recovers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sitevault.config import Config
from sitevault.db import embedded
from sitevault.db.embedded import EmbeddedServer
from sitevault.errors import SitevaultError

PAUSE_SECONDS = 2.0
"""Between attempts to start a server that does not start: a full disk stays full for a while."""


class Standby:
    """Looks after one server; nobody's where the database is not ours to start."""

    def __init__(self, server: EmbeddedServer | None) -> None:
        self.server = server
        self._not_before = 0.0

    def tend(self) -> list[str]:
        """Start the server again if it has fallen; returns what there is to say. Blocks while it recovers."""
        if self.server is None or time.monotonic() < self._not_before:
            return []
        try:
            return ["PostgreSQL fell and is started again."] if self.server.revive() else []
        except (SitevaultError, OSError) as error:
            self._not_before = time.monotonic() + PAUSE_SECONDS
            return [f"PostgreSQL fell and does not start: {error}"]


@contextmanager
def standing_by(config: Config) -> Iterator[Standby]:
    """Attached to the home's server for as long as the context lasts; with DATABASE_URL there is none of ours."""
    if config.database_url:
        yield Standby(None)
        return
    with embedded.attach(config.home) as server:
        yield Standby(server)
