"""Made-up events of many visitors at once: the demo's visits, interleaved and happening now."""

from __future__ import annotations

import itertools
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import msgspec

from bench.house import Holder
from sitevault import clock
from sitevault.demo.dialects import DIALECTS, write
from sitevault.demo.traffic import Visit, visits

VISITORS_AT_ONCE = 2_000
"""Over all tenants: an event's neighbours are other visitors', as on real sites."""
SPAN = timedelta(minutes=10)
NEW_PAGE_SHARE = 20
EVENTS_PER_NEW_PAGE = 50_000
"""Of endless traffic: how often a site gets a number more under each of its pages."""
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


def endless(seed: int, holders: list[Holder], times: Iterable[datetime], skipped: int = 0) -> Iterator[Event]:
    """An event for each of the times: visitors come back and new ones come, and every site gets new pages.

    So many were made by an earlier run: their visits are over.
    """
    chance = Random(seed)
    dialects = list(DIALECTS)
    sites = [_site(seed, holder, VISITORS_AT_ONCE * 10) for holder in holders]
    weights = list(itertools.accumulate(holder.tenant.weight for holder in holders))
    for _ in range(skipped):
        next(sites[chance.choices(range(len(sites)), cum_weights=weights)[0]])
    for number, at in enumerate(times, skipped):
        place = chance.choices(range(len(sites)), cum_weights=weights)[0]
        visit = next(sites[place])
        visit = replace(visit, at=at, skew=None, url=_perhaps_new(chance, visit.url, number))
        # Of a number, not remembered: millions of visitors come by.
        kind = zlib.crc32(visit.visitor.encode())
        visitor = Visitor(visit.agent, _LANGUAGES[kind % len(_LANGUAGES)], _SCREENS[kind % len(_SCREENS)])
        yield Event(holders[place], _body(chance, visit, visitor, dialects))


def _perhaps_new(chance: Random, url: str, number: int) -> str:
    """One event in NEW_PAGE_SHARE is on a page that was not there from the beginning."""
    if chance.randrange(NEW_PAGE_SHARE):
        return url
    path, mark, query = url.partition("?")
    return f"{path.rstrip('/')}/{chance.randrange(1 + number // EVENTS_PER_NEW_PAGE)}{mark}{query}"


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
    return msgspec.json.encode(payload)
