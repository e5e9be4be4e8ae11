"""Load on a URL: by wrk where it is installed, else by our own client."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import client
from bench.client import Outcome
from bench.figures import HarnessError
from bench.traffic import ID_MARK

_SCRIPT = Path(__file__).with_name("wrk.lua")
_ADVICE = (
    "wrk is not on PATH; the load comes from a slower client written in Python, which takes more of the CPU.\n"
    "On Debian and Ubuntu: apt-get install wrk"
)


@dataclass
class Load:
    """Requests made from templates, (key, body with ID_MARK for each id); no two runs send the same id."""

    path: str
    templates: Sequence[tuple[str, bytes]]
    connections: int
    scratch: Path
    exact: bool = False
    """Wait for every answer, so that what was answered can be compared with what was stored, to the event."""
    _runs: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self._file = self.scratch / f"templates-{id(self)}"
        self._file.write_bytes(b"".join(key.encode() + b"\t" + body + b"\n" for key, body in self.templates))

    @property
    def tool(self) -> str:
        """What makes the load."""
        return "our client" if self.exact or shutil.which("wrk") is None else "wrk"

    def run(self, url: str, seconds: float) -> Outcome:
        """Closed loop over all connections. Raises HarnessError when anything but 200 is answered."""
        run = next(self._runs)
        if self.tool == "wrk":
            return self._wrk(url, seconds, run)
        return client.closed_loop(url, self._requests(run), self.connections, seconds)

    def _wrk(self, url: str, seconds: float, run: int) -> Outcome:
        command = [
            "wrk", "--threads", "1", "--connections", str(self.connections), "--duration", f"{seconds:.0f}s",
            "--script", str(_SCRIPT), url, "--", str(self._file), self.path, str(run),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
        if done.returncode:
            raise HarnessError(f"wrk failed: {done.stderr or done.stdout}")
        said = json.loads(done.stdout.strip().rpartition("\n")[2])
        if said["refused"] or said["broken"]:
            raise HarnessError(f"Not everything was answered 200: {said}")
        # When its time is up wrk hangs up on what is under way: one request per connection at most.
        return Outcome(
            int(said["requests"]), said["seconds"], said["p50_ms"], said["p99_ms"], cut_off=self.connections
        )

    def _requests(self, run: int) -> Iterator[bytes]:
        numbers = itertools.count(1)
        mark = ID_MARK.encode()
        cut = [(key, body.split(mark)) for key, body in self.templates]
        for key, (first, *others) in itertools.cycle(cut):
            body = first + b"".join(b"c%05d00%010d" % (run, next(numbers)) + piece for piece in others)
            yield client.request(self.path, key, body)


def tell_if_slow() -> None:
    """Say how to get the better tool where it is missing."""
    if shutil.which("wrk") is None:
        print(_ADVICE, file=sys.stderr)
