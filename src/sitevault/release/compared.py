"""What a release is compared with: the day before its deploy, frozen."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from sitevault import clock
from sitevault.release import judge
from sitevault.release.gates.baseline import Baseline
from sitevault.release.lock import SQL
from sitevault.release.target import Target

BASELINE_HOURS = 24.0
"""A day, so that every hour of the day is in it."""


def freeze(target: Target) -> Baseline:
    """How it was until now."""
    now = database_clock(target)
    return judge.freeze(target.judge, target.shape, now - timedelta(hours=BASELINE_HOURS), now)


def encoded(baseline: Baseline) -> str:
    """As the record of a release keeps it."""
    return msgspec.json.encode(baseline).decode()


def decoded(text: str | None) -> Baseline | None:
    """What the record kept."""
    return None if text is None else msgspec.json.decode(text, type=Baseline)


def database_clock(target: Target) -> datetime:
    """The database's own time: what it stamped is compared with nothing else."""
    row = target.ground.one(SQL.now)
    moment: datetime = row[0] if row else clock.now()
    return moment
