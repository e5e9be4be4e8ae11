"""Pages and their queries: one spelling per page, campaign tags, click ids."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote_plus

from sitevault.staging.enrich.referrer import CLICK_IDS

LONGEST = 4096
LONGEST_TAG = 256
_MOST_PARAMETERS = 100
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_URL = re.compile(r"([a-z][a-z0-9+.\-]*)://([^/]*)(/.*)?", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.\-]*[a-z0-9_\-])?|\[[0-9a-f:.]{2,45}\]")
_LONGEST_AUTHORITY = 512
_HIGHEST_PORT = 65_535
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/%:@!$&'()*+,;=~._\-]*")
_PATH_SAFE = "/%:@!$&'()*+,;=~._-"
_UTM = {f"utm_{tag}": f"utm_{tag}" for tag in ("source", "medium", "campaign", "term", "content")}


class CanonicalUrl(NamedTuple):
    url: str
    """scheme://host[:port]/path"""
    host: str
    """Without the port; punycode for an international name."""


class QueryTags(NamedTuple):
    utm: dict[str, str]
    click_id: str | None
    """The kind of click id (its parameter's name), never its value."""


def split_url(text: str) -> tuple[str, str | None]:
    """A URL without query and fragment, and its query (None where there is none)."""
    base, _, _ = text.partition("#")
    base, mark, query = base.partition("?")
    return base, query if mark and query else None


@lru_cache(maxsize=16_384)
def canonical_url(base: str, schemes: tuple[str, ...] = ("http", "https")) -> CanonicalUrl | None:
    """One spelling for a URL without query and fragment; None when it is not one.

    Scheme and host in lower case, the host in punycode, no default port, no credentials, `/` for an empty
    path; the path keeps its case and is percent-encoded where it must be. Canonical is a fixed point.
    """
    parts = _URL.fullmatch(base.strip())
    if parts is None:
        return None
    scheme = parts[1].lower()
    if scheme not in schemes:
        return None
    host, port = _host_and_port(parts[2].rpartition("@")[2])
    if host is None or port is None:
        return None
    authority = host if not port or port == _DEFAULT_PORTS.get(scheme) else f"{host}:{port}"
    path = parts[3] or "/"
    if _PLAIN_PATH.fullmatch(path) is None:
        path = quote(path, safe=_PATH_SAFE, errors="replace")
    return CanonicalUrl(f"{scheme}://{authority}{path}"[:LONGEST], host)


@lru_cache(maxsize=4096)
def query_tags(query: str) -> QueryTags:
    """The UTM tags and the kind of click id in a query; the first of each name counts."""
    utm: dict[str, str] = {}
    click_id = None
    for pair in query.split("&", _MOST_PARAMETERS)[:_MOST_PARAMETERS]:
        name, _, value = pair.partition("=")
        name = name.lower()
        if name in _UTM:
            value = unquote_plus(value).replace("\0", "").strip()[:LONGEST_TAG]
            if value:
                utm.setdefault(name, value)
        elif click_id is None and value and name in CLICK_IDS:
            click_id = name
    return QueryTags(utm, click_id)


def _host_and_port(authority: str) -> tuple[str | None, str | None]:
    """Either is None when it is not one; the port is "" where there is none."""
    if len(authority) > _LONGEST_AUTHORITY:
        return None, None
    if authority.startswith("["):
        inner, bracket, port = authority.partition("]")
        host = f"{inner}{bracket}".lower()
        if port and not port.startswith(":"):
            return None, None
        port = port[1:]
    else:
        host, _, port = authority.partition(":")
        host = host.lower()
        if not host.isascii():
            try:
                host = host.encode("idna").decode("ascii").lower()
            except UnicodeError:
                return None, None
        host = host.rstrip(".")
    return host if _HOST.fullmatch(host) else None, _port(port)


def _port(text: str) -> str | None:
    if not text:
        return ""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= _HIGHEST_PORT):
        return None
    return str(int(text))
