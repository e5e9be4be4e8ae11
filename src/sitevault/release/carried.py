"""What is to be said of a release whose canary has carried a few events: only what is proved stops it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

from sitevault.observe import sequential
from sitevault.observe.kpis import Verdict
from sitevault.release import observe, record
from sitevault.release.record import Released
from sitevault.release.target import Target

ARRIVED = frozenset({"PROCESSED", "vaulted", "duplicate", "conflict", "invalid"})
"""Where a carried event may end; INVALID is what the rules intend."""


def judge(target: Target, released: Released) -> Verdict:
    """FAIL where the events carried so far, or those that came since the deploy, prove it; else what is known."""
    of_canary = _of_canary(target, released)
    since = observe.look(target, released).verdict
    return Verdict.FAIL if Verdict.FAIL in (of_canary, since) else of_canary


def check_of(target: Target, release_id: str | None) -> Callable[[], Verdict] | None:
    """How a canary of this release is judged; None where no release in force is known: any failure counts then."""
    released = record.find(target.ground, release_id) if release_id else None
    if released is None or not released.in_force:
        return None
    return lambda: judge(target, released)


def _of_canary(target: Target, released: Released) -> Verdict:
    """The success rate of the carried events, whenever they were received: the gates look at new ones alone."""
    outcomes = Counter[str]()
    for entry in record.journal(target.ground, released.release_id):
        if entry.step == "canary" and entry.details:
            outcomes.update(json.loads(entry.details).get("outcomes", {}))
    carried = outcomes.total()
    if not carried:
        return Verdict.NO_DATA
    arrived = sum(count for place, count in outcomes.items() if place in ARRIVED)
    wanted = observe.demanded(target, released).success_rate
    if sequential.proportion_upper(arrived, carried) < wanted:
        return Verdict.FAIL
    return Verdict.PASS if sequential.proportion_lower(arrived, carried) >= wanted else Verdict.INCONCLUSIVE
