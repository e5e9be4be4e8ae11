"""What a load brings, seen from the vault and the marts: each thing once, in the order of its key. No database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import NamedTuple, Protocol, TypeAlias
from uuid import UUID

from sitevault.db.wire import wire_timestamp
from sitevault.hashkeys import GHOST, SPEC_VERSION, encode_part

_NOT_LOADED = "INVALID"


class Arrival(Protocol):
    """A staged event, as far as the vault and the marts are concerned."""

    tenant_hk: bytes
    batch_id: int
    raw_event_id: int
    event_id: UUID
    event_day: date
    received_timestamp: datetime
    validation_status: str
    quality_score: Decimal
    payload_digest: int
    occurred_at: datetime
    event_type: str | None
    session_id: str | None
    visitor_id: str | None
    user_bk: str | None
    page_url: str | None
    page_query: str | None
    page_title: str | None
    referrer_url: str | None
    referrer_host: str | None
    source: str | None
    channel: str | None
    utm_source: str | None
    utm_medium: str | None
    utm_campaign: str | None
    utm_term: str | None
    utm_content: str | None
    click_id_kind: str | None
    device_class: str | None
    browser: str | None
    browser_version: str | None
    os: str | None
    os_version: str | None
    language: str | None
    screen: str | None
    is_bot: bool
    country: str | None
    client_ip: str | None
    user_agent: str | None
    properties: bytes | None
    session_hk: bytes
    visitor_hk: bytes
    page_hk: bytes
    user_hk: bytes
    campaign_hk: bytes
    record_source: str


Key: TypeAlias = tuple[bytes, ...]
"""Hash keys in the order in which rows are inserted, the tenant's last: a comparison of the first decides."""


class Occurrence(NamedTuple):
    """An event in the order of time; ties are broken by its id, as SQL compares them."""

    at: int
    """Its `wire_timestamp`."""
    event_id: bytes
    event: Arrival


class Repeat(NamedTuple):
    """An arrival the vault has already, and whether it says something else."""

    event: Arrival
    is_conflict: bool


class Arrivals:
    """The events of one load that are to be vaulted. Which of them are new, the database says (`settle`)."""

    def __init__(self, events: Sequence[Arrival]) -> None:
        self.all = events
        firsts: dict[Key, Arrival] = {}
        self._others: list[Arrival] = []
        in_time: list[Occurrence] = []
        for event in events:
            if event.validation_status == _NOT_LOADED:
                continue
            event_id = event.event_id.bytes
            in_time.append(Occurrence(wire_timestamp(event.occurred_at), event_id, event))
            first = firsts.setdefault((event_id, event.tenant_hk), event)
            if first is not event:
                if event.raw_event_id < first.raw_event_id:
                    firsts[event_id, event.tenant_hk] = event
                    event = first
                self._others.append(event)
        in_time.sort(key=_when)
        self._in_time = in_time
        self.firsts = dict(sorted(firsts.items(), key=_key))
        """(event_id, tenant_hk) -> the first arrival with that id, in the order of the key."""
        self.new: list[Arrival] = []
        """Those of `firsts` the vault did not have, in the same order."""
        self.new_in_time: list[Occurrence] = []
        self.repeats: list[Repeat] = []

    def settle(self, known: dict[Key, int]) -> None:
        """`known` has the payload digest of each of `firsts` that the vault has already."""
        self.new = [event for key, event in self.firsts.items() if key not in known]
        self.repeats = [
            Repeat(self.firsts[key], self.firsts[key].payload_digest != digest) for key, digest in known.items()
        ]
        for event in self._others:
            key = (event.event_id.bytes, event.tenant_hk)
            digest = known.get(key, self.firsts[key].payload_digest)
            self.repeats.append(Repeat(event, event.payload_digest != digest))
        if self.repeats:
            fresh = set(map(id, self.new))
            self.new_in_time = [one for one in self._in_time if id(one.event) in fresh]
        else:
            self.new_in_time = self._in_time

    # -- each thing once -------------------------------------------------------------------------------------

    @cached_property
    def visitors(self) -> list[Arrival]:
        """The latest event of each visitor."""
        return _ordered({(e.visitor_hk, e.tenant_hk): e for _, _, e in self._in_time if e.visitor_id is not None})

    @cached_property
    def sessions(self) -> list[Arrival]:
        """The earliest event of each session."""
        found: dict[Key, Arrival] = {}
        for _, _, e in self._in_time:
            if e.session_id is not None:
                found.setdefault((e.session_hk, e.tenant_hk), e)
        return _ordered(found)

    @cached_property
    def pages(self) -> list[Arrival]:
        """The latest event of each page; one with a title where there is any."""
        found: dict[Key, Arrival] = {}
        for _, _, e in self._in_time:
            if e.page_url is not None:
                key = (e.page_hk, e.tenant_hk)
                if e.page_title is not None or key not in found or found[key].page_title is None:
                    found[key] = e
        return _ordered(found)

    @cached_property
    def users(self) -> list[Arrival]:
        """The latest event of each user."""
        return _ordered({(e.user_hk, e.tenant_hk): e for _, _, e in self._in_time if e.user_bk is not None})

    @cached_property
    def campaigns(self) -> list[Arrival]:
        """The latest event of each campaign."""
        return _ordered({(e.campaign_hk, e.tenant_hk): e for _, _, e in self._in_time if e.campaign_hk != GHOST})

    @cached_property
    def session_visitors(self) -> list[Arrival]:
        """An event of each pair of session and visitor."""
        return _ordered(
            {
                (e.session_hk, e.visitor_hk, e.tenant_hk): e
                for _, _, e in self._in_time
                if e.session_id is not None and e.visitor_id is not None
            }
        )

    @cached_property
    def visitor_users(self) -> list[Arrival]:
        """An event of each pair of visitor and user."""
        return _ordered({(e.visitor_hk, e.user_hk, e.tenant_hk): e for e in self._identified()})

    @cached_property
    def identities(self) -> list[Arrival]:
        """The latest identified event of each visitor."""
        return _ordered({(e.visitor_hk, e.tenant_hk): e for e in self._identified()})

    def _identified(self) -> Iterable[Arrival]:
        return (e for _, _, e in self._in_time if e.user_bk is not None and e.visitor_id is not None)


@lru_cache(maxsize=8192)
def hash_diff(*attributes: str | None) -> bytes:
    """SHA-256 of a satellite row's attributes, each with its length: two rows that differ have different ones."""
    return hashlib.sha256(SPEC_VERSION + b"".join(map(encode_part, attributes))).digest()


def _when(one: Occurrence) -> tuple[int, bytes]:
    return one[:2]


def _key(item: tuple[Key, Arrival]) -> Key:
    return item[0]


def _ordered(found: dict[Key, Arrival]) -> list[Arrival]:
    return [event for _, event in sorted(found.items(), key=_key)]
