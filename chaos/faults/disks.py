"""No space left on the device that holds data, log and everything else."""

from __future__ import annotations

import time
from random import Random

from chaos.faults.fault import Fault, SkippedError
from chaos.site import Site

_LONGEST_SECONDS = 12.0


def _full(site: Site, chance: Random) -> str:
    """Full until somebody was refused and a moment longer; what has room preallocated goes on for a while."""
    if site.disk.refused:
        raise SkippedError(site.disk.refused)
    before, began, more = site.refusals(), time.monotonic(), chance.uniform(1.0, 4.0)
    taken = site.disk.fill()
    try:
        while site.refusals() == before and time.monotonic() < began + _LONGEST_SECONDS:
            time.sleep(0.05)
        refused_after = time.monotonic() - began
        time.sleep(more)
    finally:
        site.disk.free()
    bite = f"refused after {refused_after:.1f} s" if refused_after < _LONGEST_SECONDS else "nobody was refused"
    return f"{taken // 2**20} MB taken, {bite}, full for {time.monotonic() - began:.1f} s"


DISKS = (Fault("disk full", "not a free block left on the filesystem that holds the home", _full),)
