"""Source and channel of an event: campaign tags first, then click ids, then the referring host."""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec


class Channel(StrEnum):
    DIRECT = "direct"  # no campaign, no referrer
    INTERNAL = "internal"  # from another page of the same site
    ORGANIC_SEARCH = "organic_search"
    PAID_SEARCH = "paid_search"
    SOCIAL = "social"
    PAID_SOCIAL = "paid_social"
    EMAIL = "email"
    REFERRAL = "referral"  # any other site
    AI_ASSISTANT = "ai_assistant"
    DISPLAY = "display"
    AFFILIATE = "affiliate"
    VIDEO = "video"
    PUSH = "push"
    SMS = "sms"
    CAMPAIGN = "campaign"  # tagged, but the tags name no channel we know


class Origin(NamedTuple):
    source: str | None
    channel: Channel


class _Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    channel: Channel
    hosts: tuple[str, ...]
    aliases: tuple[str, ...] = ()


class _ClickId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    channel: Channel


class ReferrerTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """referrers.toml, checked."""

    source: tuple[_Source, ...]
    medium: dict[str, Channel]
    click_id: dict[str, _ClickId]


def declared_referrers() -> ReferrerTable:
    """The table of referrers.toml."""
    text = Path(__file__).with_name("referrers.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), ReferrerTable)


TABLE = declared_referrers()
CLICK_IDS = TABLE.click_id
_BY_HOST = {host: Origin(row.name, row.channel) for row in TABLE.source for host in row.hosts}
_BY_NAME = {
    name: Origin(row.name, row.channel) for row in TABLE.source for name in (row.name, *row.aliases, *row.hosts)
}
_SOCIAL = frozenset({Channel.SOCIAL, Channel.VIDEO})
# A known source without a medium says the channel only where there is one way to come from it.
_ONE_WAY = frozenset({Channel.SOCIAL, Channel.EMAIL, Channel.AI_ASSISTANT, Channel.VIDEO})
_SECOND_LEVEL = frozenset({"co", "com", "org", "net", "gov", "edu", "ac"})


def origin_of(
    source: str | None,
    medium: str | None,
    campaign: str | None,
    click_id: str | None,
    referrer_host: str | None,
    page_host: str | None,
) -> Origin:
    """Where an event comes from, by its utm_source, utm_medium and utm_campaign, click id and referrer."""
    referred = _from_referrer(referrer_host, page_host)
    if source or medium or campaign:
        return _from_campaign(source, medium, click_id, referred)
    if click_id is not None:
        clicked = CLICK_IDS[click_id]
        return Origin(clicked.source, clicked.channel)
    return referred


@lru_cache(maxsize=8192)
def known_host(host: str) -> Origin | None:
    """What the table says of a host or of the longest of its parents it lists."""
    labels = host.split(".")
    for start in range(len(labels)):
        found = _BY_HOST.get(".".join(labels[start:]))
        if found is None and _is_country_ending(labels[start + 1 :]):
            found = _BY_HOST.get(f"{labels[start]}.*")
        if found is not None:
            return found
    return None


def is_internal(referrer_host: str, page_host: str) -> bool:
    """Whether two hosts are one site: the same, or one below the other, whatever the www."""
    one, other = referrer_host.removeprefix("www."), page_host.removeprefix("www.")
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


@lru_cache(maxsize=8192)
def _from_referrer(referrer_host: str | None, page_host: str | None) -> Origin:
    if referrer_host is None:
        return Origin("direct", Channel.DIRECT)
    if page_host is not None and is_internal(referrer_host, page_host):
        return Origin(page_host, Channel.INTERNAL)
    return known_host(referrer_host) or Origin(referrer_host.removeprefix("www."), Channel.REFERRAL)


def _from_campaign(source: str | None, medium: str | None, click_id: str | None, referred: Origin) -> Origin:
    clicked = None if click_id is None else CLICK_IDS[click_id]
    known = _BY_NAME.get(source.lower()) if source else None
    name = known.source if known else source.lower() if source else clicked.source if clicked else None
    if name is None and referred.channel not in (Channel.DIRECT, Channel.INTERNAL):
        name = referred.source
    channel = TABLE.medium.get(medium.strip().lower()) if medium else None
    if channel is Channel.PAID_SEARCH and known is not None and known.channel in _SOCIAL:
        channel = Channel.PAID_SOCIAL
    if channel is None and clicked is not None:
        channel = clicked.channel
    if channel is None and known is not None and known.channel in _ONE_WAY:
        channel = known.channel
    return Origin(name, channel or Channel.CAMPAIGN)


def _is_country_ending(labels: list[str]) -> bool:
    """com, de, co.uk, com.au, ...; not evil.com, so that google.evil.com is nobody's."""
    return len(labels) == 1 or (len(labels) == 2 and labels[0] in _SECOND_LEVEL)
