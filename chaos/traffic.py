"""Events to send: the bench's traffic, some with a wrong clock, some without an id, and some that are bad."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from bench import traffic
from bench.house import Holder

from chaos.journal import Fate
from sitevault import clock
from sitevault.timestamps import EPOCH

POISON_TYPE = "chaos_poison"
"""What this database is told to refuse in the vault."""
SHARES = {"skewed": 0.03, "wild": 0.01, "nameless": 0.01, "invalid": 0.015, "poison": 0.001, "refused": 0.005}
LATEST, EARLIEST = timedelta(hours=10), timedelta(days=-12)
"""Within what the collector believes (a day ahead, 30 days back) while its clock is turned: faults/clocks.py."""
_WILD = (timedelta(days=5), timedelta(days=-200))
_CHUNK = 2_000
_IDS = ("event_id", "id", "messageId")
_TIMES = ("timestamp", "occurred_at", "ts")


class Parcel(NamedTuple):
    """One event and what must come of it."""

    holder: Holder
    body: bytes
    fate: Fate
    repeatable: bool


def parcels(seed: int, holders: list[Holder]) -> Iterator[Parcel]:
    """Events without end; no two have the same bytes, none of a seed has another's id."""
    chance = Random(f"{seed} traffic")
    serial = itertools.count(1)
    for chunk in itertools.count(1):
        for event in traffic.events(seed * 100_000 + chunk, holders, _CHUNK):
            yield _one(chance, event, next(serial))


def _one(chance: Random, event: traffic.Event, serial: int) -> Parcel:
    kind = next(iter(chance.choices(["plain", *SHARES], [1 - sum(SHARES.values()), *SHARES.values()])))
    if kind == "plain":
        return Parcel(event.holder, event.body, Fate.GOOD, True)
    payload = json.loads(event.body) | {"serial": serial}
    if kind == "skewed":
        _shift(payload, timedelta(seconds=chance.uniform(EARLIEST.total_seconds(), LATEST.total_seconds())))
        return _parcel(event.holder, payload, Fate.GOOD, True)
    if kind == "wild":
        _shift(payload, chance.choice(_WILD))
        return _parcel(event.holder, payload, Fate.GOOD, False)
    if kind == "nameless":
        _forget_id(payload)
        return _parcel(event.holder, payload, Fate.GOOD, False)
    bad = {
        "event_id": f"{kind}-{serial}-{chance.getrandbits(48):012x}",
        "event_type": {"invalid": "///", "poison": POISON_TYPE}.get(kind, "page_view"),
        "page_url": f"{event.holder.tenant.site}/",
        "occurred_at": clock.now().isoformat(),
        "session_id": f"s-{serial}",
        "visitor_id": f"v-{serial % 97}",
    }
    if kind == "refused":
        bad["page_title"] = "\0"
    return _parcel(event.holder, bad, Fate(kind), True)


def _parcel(holder: Holder, payload: dict[str, Any], fate: Fate, repeatable: bool) -> Parcel:
    # Every second one spaced as no encoder of ours would: landing keeps bytes, not values.
    separators = (" , ", " :  ") if len(payload) % 2 else (",", ":")
    return Parcel(
        holder, json.dumps(payload, ensure_ascii=False, separators=separators).encode(), fate, repeatable
    )


def _shift(payload: dict[str, Any], by: timedelta) -> None:
    name = next(name for name in _TIMES if name in payload)
    if name == "ts":
        payload[name] += int(by.total_seconds() * 1000)
    else:
        moment = datetime.fromisoformat(payload[name])
        payload[name] = max(moment + by, EPOCH).isoformat()


def _forget_id(payload: dict[str, Any]) -> None:
    for name in _IDS:
        payload.pop(name, None)
    if isinstance(payload.get("event_data"), dict):
        payload["event_data"].pop("event_id", None)
