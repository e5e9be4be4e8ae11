"""`python -m chaos.turned …` is `sitevault …` with a wall clock that can be turned from outside while it runs.

The product reads its clock in one place and has no setting for it: a knob that moves time has no business in
production (docs/decisions/0019). So the place is replaced here, before anything runs.
"""

from __future__ import annotations

import mmap
import os
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sitevault import clock

VARIABLE = "CHAOS_CLOCK"
"""Names the file that holds the seconds to add, as a double: mapped, so that reading it costs nothing."""
_SECONDS = struct.Struct("d")


class Clock:
    """The clock of every process that was started with this file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(_SECONDS.pack(0.0))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _SECONDS.size)

    def turn(self, by: timedelta) -> None:
        """Let the processes' wall clock jump: ahead or back, seen by their next reading of it."""
        self._shared[:] = _SECONDS.pack(by.total_seconds())

    def close(self) -> None:
        """Forget the file."""
        self._shared.close()


def replace_clock(path: Path) -> None:
    """From here on this process's `clock.now` is the real time and what the file says."""
    with path.open("rb") as file:
        shared = mmap.mmap(file.fileno(), _SECONDS.size, prot=mmap.PROT_READ)

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=_SECONDS.unpack(shared)[0])

    clock.now = now


def main() -> None:
    """The command line of Sitevault, in this process."""
    replace_clock(Path(os.environ[VARIABLE]))
    from sitevault.cli.main import main as sitevault

    sitevault()


if __name__ == "__main__":
    main()
