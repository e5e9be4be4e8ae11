"""The services of one host, started in order: a worker, then a collector that has somewhere to send to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sitevault.config import Config
from sitevault.supervisor.child import Child, Tree


@contextmanager
def running(config: Config, config_path: Path | None, **settings: str) -> Iterator[tuple[Tree, str]]:
    """A collector and a worker as children; yields their tree and the collector's URL, and stops both.

    `settings` are settings of the children that beat all others (`port="0"`). Raises ServiceFailedError.
    """
    environ = os.environ | {f"SITEVAULT_{name.upper()}": value for name, value in settings.items()}
    logs = config.home / "log"
    worker = Child("worker", logs / "worker.log", config_path=config_path, environ=environ)
    collector = Child("collector", logs / "collector.log", config_path=config_path, environ=environ)
    tree = Tree([collector, worker])
    try:
        worker.start()
        collector.start()
        url = collector.wait_ready()["url"]
        worker.wait_ready()
        yield tree, str(url)
    finally:
        tree.stop()
