"""Where a request came from, as far as that can be believed."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple, TypeAlias

from sitevault.collector.request import Request
from sitevault.config import Config
from sitevault.db.wire import wire_address
from sitevault.errors import ConfigurationError

MAX_USER_AGENT_CHARACTERS = 1_024
MAX_ORIGIN_CHARACTERS = 512
MAX_GEO_CHARACTERS = 64
MAX_HOPS = 32

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_REFERER_ORIGIN = re.compile(r"https?://[^/?#@\s]+", re.IGNORECASE)


class Client(NamedTuple):
    """What landing keeps of the sender."""

    address: bytes | None
    """In PostgreSQL's binary form of inet."""
    user_agent: str | None
    origin: str | None
    geo_hint: str | None


class ClientReader:
    """Reads the sender of a request; believes X-Forwarded-For and the geo header of trusted proxies only."""

    def __init__(self, config: Config) -> None:
        self._trusted = _networks(config.trusted_proxies)
        self._geo_header = config.geo_header.lower().encode("latin-1", "ignore") if config.geo_header else None

    def read(self, request: Request) -> Client:
        """Never raises: what cannot be read is None."""
        address, geo_hint = request.peer, None
        if self._trusted and self._is_trusted(_address(request.peer)):
            address = self._behind_proxies(request)
            geo = request.text(self._geo_header) if self._geo_header else None
            geo_hint = geo[:MAX_GEO_CHARACTERS] if geo else None
        agent = request.text(b"user-agent")
        return Client(
            wire_address(address), agent[:MAX_USER_AGENT_CHARACTERS] if agent else None, _origin(request), geo_hint
        )

    def _behind_proxies(self, request: Request) -> str:
        """The rightmost hop that is not a trusted proxy: everything left of it can be invented."""
        nearest = request.peer
        hops = b",".join(request.all(b"x-forwarded-for")).decode("latin-1").split(",")
        for hop in reversed(hops[-MAX_HOPS:]):
            address = _address(_without_port(hop.strip()))
            if address is None:
                break
            nearest = str(address)
            if not self._is_trusted(address):
                break
        return nearest

    def _is_trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(text.strip()) for text in texts)
    except ValueError as error:
        raise ConfigurationError(
            f"trusted_proxies: {error}", fix="Name networks such as 10.0.0.0/8 or single addresses."
        ) from error


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    host, colon, _ = hop.partition(":")
    return host if colon and hop.count(":") == 1 else hop


def _origin(request: Request) -> str | None:
    origin = request.text(b"origin")
    if origin is None and (referer := request.text(b"referer")):
        match = _REFERER_ORIGIN.match(referer)
        origin = match[0] if match else None
    return origin[:MAX_ORIGIN_CHARACTERS] if origin else None
