"""The collectors' wall clock jumps, there and back."""

from __future__ import annotations

import time
from datetime import timedelta
from random import Random

from chaos.faults.fault import Fault
from chaos.site import Site

_JUMPS = (
    timedelta(seconds=-2),
    timedelta(minutes=-10),
    timedelta(hours=-12),
    timedelta(seconds=90),
    timedelta(hours=6),
    timedelta(days=2),
    timedelta(days=10),  # past the partitions made ahead
)
"""With the clients' own (chaos/traffic.py) they stay within what is believed of an event's time, because an event
whose time is not believed is recognised as a duplicate within its day of receipt only (docs: event identity)."""


def _jump(site: Site, chance: Random) -> str:
    by, seconds = chance.choice(_JUMPS), chance.uniform(1.0, 4.0)
    site.clock.turn(by)
    try:
        time.sleep(seconds)
    finally:
        site.clock.turn(timedelta())
    return f"by {by.total_seconds():+,.0f} s, and back {seconds:.0f} s later"


CLOCKS = (Fault("clock jump", "the collectors' clock jumps by seconds, hours or days, and back", _jump, weight=2),)
