"""`python -m bench.drain NAME`: a worker on another database of the house, until its input ends."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from sitevault.config import Config
from sitevault.db.connect import open_database
from sitevault.worker.run import Worker


def main(name: str) -> None:
    """Work as `sitevault serve --only worker` does; that one knows only the house's own database."""
    config = Config(home=Path(os.environ["SITEVAULT_HOME"]))
    stop = threading.Event()
    with open_database(config) as database:
        worker = Worker(database.clone(name), config)
        working = threading.Thread(target=worker.run, args=(stop,))
        working.start()
        print(json.dumps({"url": ""}), flush=True)
        sys.stdin.read()
        stop.set()
        working.join()


if __name__ == "__main__":
    main(sys.argv[1])
