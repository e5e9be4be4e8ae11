"""The same collector on asyncio's own event loop: what uvloop is worth."""

from __future__ import annotations

import asyncio
import json
import sys

from sitevault import config
from sitevault.collector import server
from sitevault.db.connect import open_database
from sitevault.supervisor import lifeline


def main() -> None:
    """Serve until standard input ends."""
    lifeline.hold(sys.stdin.fileno())
    settings = config.load()
    with open_database(settings) as database:
        asyncio.run(server.serve(database, settings, lambda url: print(json.dumps({"url": url}), flush=True)))


if __name__ == "__main__":
    main()
