"""When an event happened, whatever the client's clock says."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

TOLERATED_SKEW = timedelta(seconds=5)
AHEAD = timedelta(days=1)


class Derived(NamedTuple):
    occurred_at: datetime
    corrected: bool
    in_future: bool = False
    too_old: bool = False


def derive_time(occurred: datetime, sent: datetime | None, received: datetime, late_days: int) -> Derived:
    """The instant an event happened, in the server's time.

    `sent` and `received` are the same moment on two clocks, give or take the journey: more than five seconds
    between them is the client's error, and is taken off `occurred`. What is then older than `late_days` or
    more than a day ahead is not believed: the received time stands in. A client must stamp `sent` anew with
    every attempt: a stale stamp looks like a slow clock.
    """
    corrected = False
    if sent is not None and abs(sent - received) > TOLERATED_SKEW:
        # an event cannot have happened after it was sent
        occurred = received - max(sent - occurred, timedelta())
        corrected = True
    age = received - occurred
    if age > _days(late_days):
        return Derived(received, False, too_old=True)
    if age < -AHEAD:
        return Derived(received, False, in_future=True)
    return Derived(occurred, corrected)


@cache
def _days(number: int) -> timedelta:
    return timedelta(days=number)
