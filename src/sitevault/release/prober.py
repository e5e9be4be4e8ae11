"""Asks a collector's /health/ready once a second while a release is observed."""

from __future__ import annotations

import http.client
import threading
from types import TracebackType
from urllib.parse import urlsplit

from sitevault import clock
from sitevault.release.gates.model import Probe

EVERY_SECONDS = 1.0
TIMEOUT_SECONDS = 2.0


class Prober:
    """Its probes are those of this process: started again, an observation counts availability anew."""

    def __init__(self, url: str | None, every: float = EVERY_SECONDS) -> None:
        self._url = url
        self._every = every
        self._probes: list[Probe] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="release-prober", daemon=True)

    def __enter__(self) -> Prober:
        if self._url is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def probes(self) -> list[Probe] | None:
        """What was answered so far; None where nobody said whom to ask."""
        return None if self._url is None else list(self._probes)

    def _ask(self) -> None:
        while True:
            self._probes.append(probe(self._url or ""))
            if self._stop.wait(self._every):
                return


def probe(url: str) -> Probe:
    """One question; whatever is not a 200 within two seconds is not ready."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    conn = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        conn.request("GET", parts.path or "/health/ready")
        status = conn.getresponse().status
        return Probe(clock.now(), status == 200, str(status))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Probe(clock.now(), False, type(error).__name__)
    finally:
        conn.close()
