"""The same collector, whose landing answers at once and stores nothing: what durability is measured against."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence

import uvloop

from sitevault import config
from sitevault.collector import server
from sitevault.db.connect import open_database
from sitevault.landing.flush import EVENTS_PER_BATCH_ID, LandingRow
from sitevault.landing.writer import Landed, LandingWriter
from sitevault.supervisor import lifeline


class UnstoredWriter(LandingWriter):
    """Takes rows as the real one does, up to the moment it would queue them."""

    _batches = 0

    def submit(self, rows: Sequence[LandingRow]) -> asyncio.Future[Landed]:
        """A future that is done already."""
        self._batches += 1
        future: asyncio.Future[Landed] = asyncio.get_running_loop().create_future()
        future.set_result(Landed(self._batches, self._batches * EVENTS_PER_BATCH_ID))
        return future


def main() -> None:
    """Serve until standard input ends."""
    lifeline.hold(sys.stdin.fileno())
    # The collector is assembled from what its module names: one name is exchanged, everything else is the same.
    server.LandingWriter = UnstoredWriter  # type: ignore[attr-defined]
    settings = config.load()
    with open_database(settings) as database:
        uvloop.run(server.serve(database, settings, lambda url: print(json.dumps({"url": url}), flush=True)))


if __name__ == "__main__":
    main()
