"""Where an address is, from a database the operator supplies or from what a trusted proxy says."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import maxminddb

from sitevault.errors import ConfigurationError
from sitevault.staging.enrich.ip import read_ip

_COUNTRY = re.compile(r"[A-Z]{2}")
# what proxies send for "unknown" and for Tor
_NO_COUNTRY = frozenset({"XX", "T1", "ZZ"})


class Place(NamedTuple):
    country: str | None = None
    """ISO 3166-1 alpha-2."""
    region: str | None = None
    city: str | None = None


NOWHERE = Place()


class GeoDatabase:
    """An open MaxMind-format file. Look-ups are cached; a new file is read by a new process."""

    def __init__(self, path: Path) -> None:
        try:
            self._reader = maxminddb.open_database(path)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise ConfigurationError(
                f"The geo database {path} cannot be read: {error}",
                fix="Point `geo_database` at a MaxMind-format (.mmdb) file, or remove the setting.",
                command="sitevault config check",
            ) from error
        self.look_up = lru_cache(maxsize=16_384)(self._look_up)

    def close(self) -> None:
        """Give the file back."""
        self._reader.close()

    def _look_up(self, ip: str) -> Place:
        address = read_ip(ip)
        found = None if address is None else self._reader.get(address)
        return _place(found) if isinstance(found, dict) else NOWHERE


def hinted_place(hint: str) -> Place:
    """The country a trusted proxy named; nothing when it named none."""
    code = hint.strip().upper()
    return Place(code) if _COUNTRY.fullmatch(code) and code not in _NO_COUNTRY else NOWHERE


def _place(found: dict[str, Any]) -> Place:
    country = found.get("country") or found.get("registered_country") or {}
    subdivisions = found.get("subdivisions") or [{}]
    return Place(country.get("iso_code"), _name(subdivisions[0]), _name(found.get("city") or {}))


def _name(node: dict[str, Any]) -> str | None:
    named: str | None = (node.get("names") or {}).get("en") or node.get("iso_code")
    return named
