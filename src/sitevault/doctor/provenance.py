"""Whose an event is, by everything that could tell: its key, its host, the customer its payload names."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from sitevault.doctor.sample import SampledEvent, value_at
from sitevault.staging.mapping import FIELDS

KEY_PATHS = ("api_key", "apiKey", "key", "write_key", "writeKey", "event_data.api_key")
CUSTOMER_PATHS = (
    "customer_id", "customerId", "tenant_id", "tenantId", "tenant", "account_id", "accountId",
    "event_data.customer_id", "event_data.tenant_id", "event_data.account_id",
)  # fmt: skip
MAJORITY = 0.6
MOST_SHARING = 3
"""A host of more tenants than this is a platform's, and tells nothing."""
SHORTEST_NAME = 6

_NOT_A_LETTER = re.compile(r"[^a-z0-9]")


class Provenance(StrEnum):
    """What the evidence says of an event's tenant."""

    CONSISTENT = "consistent"
    CONTRADICTION = "contradiction"
    SUSPECT = "suspect"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True)
class Judged:
    """An event's tenant, what the evidence says of it, by what, and whose it seems to be."""

    tenant_hk: bytes | None
    verdict: Provenance
    by: str
    points_to: bytes | None = None


@dataclass(frozen=True)
class Evidence:
    """What is known of tenants: the owners of keys, and their names."""

    owners: Mapping[str, frozenset[bytes]]
    names: Mapping[bytes, str]
    keys_are_binding: bool
    """Every event must carry a key (our own house)."""


def judge(events: Iterable[SampledEvent], known: Evidence) -> list[Judged]:
    """Each event's verdict; the hosts of all of them are evidence for each."""
    listed = list(events)
    hosts: dict[str, Counter[bytes | None]] = defaultdict(Counter)
    for event in listed:
        if host := host_of(event):
            hosts[host][event.tenant_hk] += 1
    slugs = {
        _letters(name): tenant for tenant, name in known.names.items() if len(_letters(name)) >= SHORTEST_NAME
    }
    return [_judge(event, known, hosts, slugs) for event in listed]


def _judge(
    event: SampledEvent,
    known: Evidence,
    hosts: Mapping[str, Counter[bytes | None]],
    slugs: Mapping[str, bytes],
) -> Judged:
    by_key = _by_key(event, known)
    by_customer = _by_customer(event, known)
    if by_key is not None and by_key.verdict is Provenance.CONTRADICTION:
        return by_key
    if by_customer is not None and by_customer.verdict is Provenance.CONTRADICTION:
        # Beside a key that fits, a payload that names somebody else is a client with the wrong key at most.
        return by_customer if by_key is None else Judged(
            event.tenant_hk, Provenance.SUSPECT, by_customer.by, by_customer.points_to
        )  # fmt: skip
    proved = by_key or by_customer
    return proved or _by_host(event, hosts, slugs) or Judged(event.tenant_hk, Provenance.UNVERIFIABLE, "nothing")


def _by_key(event: SampledEvent, known: Evidence) -> Judged | None:
    sent = event.api_key or value_at(event.payload, KEY_PATHS)
    if not sent:
        return Judged(event.tenant_hk, Provenance.CONTRADICTION, "no key") if known.keys_are_binding else None
    digest = hashlib.sha256(sent.encode()).hexdigest()
    for form in (sent, f"\\x{digest}", digest):
        if owners := known.owners.get(form):
            if event.tenant_hk in owners:
                return Judged(event.tenant_hk, Provenance.CONSISTENT, "its key")
            return Judged(event.tenant_hk, Provenance.CONTRADICTION, "its key", min(owners))
    if known.keys_are_binding:
        return Judged(event.tenant_hk, Provenance.CONTRADICTION, "a key that is nobody's")
    return None


def _by_customer(event: SampledEvent, known: Evidence) -> Judged | None:
    named = value_at(event.payload, CUSTOMER_PATHS)
    if not named:
        return None
    for tenant, name in known.names.items():
        if named in (name, tenant.hex()):
            fits = tenant == event.tenant_hk
            verdict = Provenance.CONSISTENT if fits else Provenance.CONTRADICTION
            return Judged(event.tenant_hk, verdict, "the customer its payload names", tenant)
    return None


def _by_host(
    event: SampledEvent, hosts: Mapping[str, Counter[bytes | None]], slugs: Mapping[str, bytes]
) -> Judged | None:
    """A host never proves whose an event is; it can make one suspect."""
    host = host_of(event)
    if host is None:
        return None
    letters = _letters(host)
    named = {tenant for slug, tenant in slugs.items() if slug in letters}
    if len(named) == 1 and event.tenant_hk not in named:
        return Judged(event.tenant_hk, Provenance.SUSPECT, "a host with another tenant's name", named.pop())
    using = hosts[host]
    most, count = using.most_common(1)[0]
    shared = 1 < len(using) <= MOST_SHARING
    if shared and most != event.tenant_hk and count >= MAJORITY * using.total():
        return Judged(event.tenant_hk, Provenance.SUSPECT, "a host that is mostly another tenant's", most)
    return None


def host_of(event: SampledEvent) -> str | None:
    """The host an event came from: its origin's, or its page's."""
    for url in (event.origin, value_at(event.payload, FIELDS["page_url"].paths)):
        if not url:
            continue
        try:
            host = urlsplit(url if "//" in url else f"//{url}").hostname
        except ValueError:
            continue
        if host and "." in host and not host.replace(".", "").isdigit():
            return host.removeprefix("www.")
    return None


def _letters(text: str) -> str:
    return _NOT_A_LETTER.sub("", text.lower())
