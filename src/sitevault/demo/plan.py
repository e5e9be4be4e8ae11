"""What the demo is about to send, request by request, with everything that must come of it: commands as values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from sitevault.demo.dialects import DIALECTS, write
from sitevault.demo.tenants import TENANTS
from sitevault.demo.traffic import Visit, midnight, visits

BATCH_PATH = "/api/v1/track/batch"
ONE_PATH = "/api/v1/track"
LARGEST_BATCH = 60
SHARES = {"duplicate": 0.02, "conflict": 0.004, "invalid": 0.015, "suspicious": 0.004, "refused": 0.006}
_SINGLE_SHARE = 0.04
_REFUSED = (b'{"event_type":"page_view","title":"\\u0000"}', b'"not an object"', b"[1,2,3]")


@dataclass(frozen=True)
class Parcel:
    """One request: who sends it, and how many of its events the collector must take and refuse."""

    tenant_bk: str
    path: str
    body: bytes
    user_agent: str
    accepted: int
    refused: int


@dataclass
class Expected:
    """What must come of one tenant's events; `duplicate` includes the conflicts."""

    landed: int = 0
    vaulted: int = 0
    duplicate: int = 0
    conflict: int = 0
    invalid: int = 0
    suspicious: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Plan:
    """Requests in the order of sending, and the account they must add up to, per tenant id."""

    parcels: list[Parcel]
    expected: dict[str, Expected] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """Everything that is sent, what will be refused at the door included."""
        return sum(parcel.accepted + parcel.refused for parcel in self.parcels)


@dataclass(frozen=True)
class _Item:
    body: bytes
    agent: str
    fate: str


def make_plan(seed: int, events: int, now: datetime) -> Plan:
    """Traffic of the five tenants, `events` in all (at least 500).

    The same seed on the same day (UTC) is the same traffic.
    """
    chance = Random(seed)  # noqa: S311 -- made-up traffic, not a secret
    plan = Plan([], {tenant.tenant_bk: Expected() for tenant in TENANTS})
    whole = sum(tenant.weight for tenant in TENANTS)
    left = events
    for tenant in TENANTS:
        share = left if tenant is TENANTS[-1] else round(events * tenant.weight / whole)
        left -= share
        source = visits(Random(f"{seed} {tenant.tenant_bk}"), tenant, midnight(now))  # noqa: S311
        items = list(_items(chance, source, share, now))
        account = plan.expected[tenant.tenant_bk]
        for item in items:
            _expect(account, item.fate)
        plan.parcels.extend(_pack(chance, tenant.tenant_bk, items))
    chance.shuffle(plan.parcels)
    return plan


def _items(chance: Random, source: Iterator[Visit], events: int, now: datetime) -> Iterator[_Item]:
    counts = {fate: max(1, round(events * share)) for fate, share in SHARES.items()}
    good = [_good(chance, next(source), now) for _ in range(events - sum(counts.values()))]
    yield from good
    fates = [fate for fate, count in counts.items() for _ in range(count)]
    # Each original is sent again once at most, so that the expected figures are exact in any order of arrival.
    for fate, original in zip(fates, chance.sample(good, len(fates)), strict=True):
        yield _mischief(chance, fate, original, next(source), now)


def _good(chance: Random, visit: Visit, now: datetime) -> _Item:
    payload = write(visit, chance.choice(list(DIALECTS)), now, relayed=True)
    return _Item(json.dumps(payload, ensure_ascii=False).encode(), visit.agent, "vaulted")


def _mischief(chance: Random, fate: str, original: _Item, visit: Visit, now: datetime) -> _Item:
    if fate == "duplicate":
        return replace(original, fate=fate)
    if fate == "conflict":
        changed = json.loads(original.body) | {"corrected": True}
        return _Item(json.dumps(changed).encode(), original.agent, fate)
    if fate == "refused":
        return _Item(chance.choice(_REFUSED), visit.agent, fate)
    payload = write(visit, "flat", now, relayed=True)
    if fate == "suspicious":
        payload["page_title"] = "<script>alert(1)</script>"
    elif chance.random() < 0.5:
        del payload["event_type"]
    else:
        payload["event_type"] = "/" * 3
    return _Item(json.dumps(payload).encode(), visit.agent, fate)


def _expect(account: Expected, fate: str) -> None:
    setattr(account, fate, getattr(account, fate) + 1)
    if fate == "conflict":
        account.duplicate += 1
    if fate == "suspicious":
        account.vaulted += 1
    if fate != "refused":
        account.landed += 1


def _pack(chance: Random, tenant_bk: str, items: list[_Item]) -> Iterator[Parcel]:
    """A few single requests from browsers, the rest in batches from servers."""
    chance.shuffle(items)
    singles = round(len(items) * _SINGLE_SHARE)
    alone = [item for item in items[:singles] if item.fate != "refused"]
    for item in alone:
        yield Parcel(tenant_bk, ONE_PATH, item.body, item.agent, 1, 0)
    together = [item for item in items[:singles] if item.fate == "refused"] + items[singles:]
    while together:
        size = chance.randint(20, LARGEST_BATCH)
        batch, together = together[:size], together[size:]
        refused = sum(item.fate == "refused" for item in batch)
        body = b"[" + b",".join(item.body for item in batch) + b"]"
        yield Parcel(tenant_bk, BATCH_PATH, body, "demo-server/1.0", len(batch) - refused, refused)


def live_visits(seed: int, count: int, now: datetime) -> list[bytes]:
    """A visit to the first tenant that is happening right now, event by event."""
    source = visits(Random(f"live {seed}"), TENANTS[0], now)  # noqa: S311
    events = []
    for place in range(count):
        visit = replace(next(source), at=now - timedelta(seconds=count - place), skew=None)
        events.append(json.dumps(write(visit, "guide", now, relayed=True)).encode())
    return events
