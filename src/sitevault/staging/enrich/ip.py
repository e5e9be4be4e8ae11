"""Client addresses, kept only as exactly as the tenant's policy allows."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

POLICIES = ("truncate", "full", "none")
_KEPT_BITS = {4: 24, 6: 48}


@lru_cache(maxsize=16_384)
def read_ip(text: str) -> IPv4Address | IPv6Address | None:
    """The address in a text, with or without port, brackets or zone; None when there is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=16_384)
def keep_ip(text: str, policy: str) -> str | None:
    """What may be stored of an address: truncate (IPv4 to /24, IPv6 to /48), full, or none.

    A policy nobody knows keeps nothing.
    """
    address = read_ip(text)
    if address is None or policy not in ("truncate", "full"):
        return None
    if policy == "full":
        return str(address)
    return str(ip_network((address, _KEPT_BITS[address.version]), strict=False).network_address)
