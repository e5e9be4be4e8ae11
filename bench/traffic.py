"""Made-up events of many visitors at once: the demo's visits, interleaved and happening now."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import NamedTuple

from bench.house import Holder
from sitevault import clock
from sitevault.demo.dialects import DIALECTS, write
from sitevault.demo.traffic import Visit, visits

VISITORS_AT_ONCE = 2_000
"""Over all tenants: an event's neighbours are other visitors', as on real sites."""
SPAN = timedelta(minutes=10)
ID_MARK = "@" * 18
"""Stands for an event's id in a template; as long as the ids of the visits."""

_LANGUAGES = ("en-GB", "en-US", "de-DE", "fr-FR", "es-ES")
_SCREENS = ("1920x1080", "1440x900", "390x844", "412x915", "2560x1440")


class Visitor(NamedTuple):
    """What a visitor uses, visit after visit."""

    agent: str
    language: str
    screen: str


class Event(NamedTuple):
    """Who sends it, and its JSON."""

    holder: Holder
    body: bytes


def events(seed: int, holders: list[Holder], count: int, *, id_mark: bool = False) -> Iterator[Event]:
    """`count` events of about 600 bytes; the same seed has the same visitors, sessions and ids.

    With `id_mark` every id is ID_MARK: for templates that are sent many times.
    """
    chance = Random(seed)
    dialects = list(DIALECTS)
    now = clock.now()
    sites = [_site(seed, holder, count) for holder in holders]
    visitors: list[dict[str, Visitor]] = [{} for _ in holders]
    weights = list(itertools.accumulate(holder.tenant.weight for holder in holders))
    for number, place in enumerate(chance.choices(range(len(sites)), cum_weights=weights, k=count)):
        at = now - SPAN * ((count - number) / count)
        visit = next(sites[place])
        visitor = visitors[place].setdefault(
            visit.visitor, Visitor(visit.agent, chance.choice(_LANGUAGES), chance.choice(_SCREENS))
        )
        event_id = ID_MARK if id_mark else visit.id
        visit = replace(visit, id=event_id, at=at, skew=None, agent=visitor.agent)
        yield Event(holders[place], _body(chance, visit, visitor, dialects))


def _site(seed: int, holder: Holder, count: int) -> Iterator[Visit]:
    """One tenant's visits: many sessions under way, each event from any of them."""
    chance = Random(f"{seed} {holder.tenant.tenant_bk}")
    one_by_one = (
        deque(session)
        for _, session in itertools.groupby(visits(chance, holder.tenant, clock.now()), key=lambda v: v.session)
    )
    # A site that has had more visits than it gets now has visitors who were there before.
    under_way = [next(one_by_one) for _ in range(min(VISITORS_AT_ONCE // 5, max(count // 10, 1)))]
    while True:
        place = chance.randrange(len(under_way))
        yield under_way[place].popleft()
        if not under_way[place]:
            under_way[place] = next(one_by_one)


def _body(chance: Random, visit: Visit, visitor: Visitor, dialects: list[str]) -> bytes:
    payload = write(visit, chance.choice(dialects), visit.at, relayed=True)
    payload |= {
        "language": visitor.language,
        "screen": visitor.screen,
        "load_ms": chance.randrange(200, 4_000),
        "library": {"name": "site.js", "version": "1.4.2"},
    }
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
