"""The origins a public key may be used from: exact, one wildcard, or all; never by mere likeness."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sitevault.errors import UsageError

ANY = "*"
OPAQUE = "null"
"""What a browser sends for a sandboxed frame or a file: matched only where it is listed."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_ORIGIN = re.compile(
    rf"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>(?:\*\.)?{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])"
    r"(?::(?P<port>[0-9]{1,5}))?"
)
_ORIGIN_LENGTH = 300


def normalise(origin: str) -> str | None:
    """An origin with lower-case scheme and host and without its scheme's own port; None if it is none."""
    if len(origin) > _ORIGIN_LENGTH or not origin.isascii():
        return None
    match = _ORIGIN.fullmatch(origin.lower())
    if match is None:
        return None
    scheme, host, port = match["scheme"], match["host"], match["port"]
    if port is None or int(port) == _DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}" if 0 < int(port) <= 65535 else None


def checked(origins: Iterable[str]) -> list[str]:
    """The origins of an allow-list in the form they are stored in, without repetition, in order.

    Raises UsageError for what no browser could ever send, such as an origin with a path.
    """
    return list(dict.fromkeys(_checked(origin.strip()) for origin in origins))


def matches(allowed: Iterable[str], origin: str) -> bool:
    """Whether an Origin header's value is on a stored allow-list.

    `https://*.example.com` stands for one or more labels before `.example.com`, not for `example.com`.
    """
    if origin == OPAQUE:
        return OPAQUE in allowed
    normal = normalise(origin)
    if normal is None or "*" in normal:
        return False
    return any(_covers(entry, normal) for entry in allowed)


def _covers(entry: str, origin: str) -> bool:
    if entry in (ANY, origin):
        return True
    scheme, wildcard, rest = entry.partition("://*.")
    return bool(wildcard) and origin.startswith(f"{scheme}://") and origin.endswith(f".{rest}")


def _checked(text: str) -> str:
    if text.lower() in (ANY, OPAQUE):
        return text.lower()
    normal = normalise(text)
    if normal is None:
        raise UsageError(f"{text!r} is not an origin.", fix=_advice(text))
    _, wildcard, rest = normal.partition("://*.")
    suffix = rest.partition(":")[0]
    if wildcard and "." not in suffix and suffix != "localhost":
        raise UsageError(
            f"{text!r} would allow every site under .{suffix}.",
            fix="Name the domain: https://*.example.com. To allow every origin, say * alone.",
        )
    return normal


def _advice(text: str) -> str:
    if not text.isascii():
        return "Write an international domain the way browsers send it: https://xn--..."
    if "://" not in text:
        return f"Begin with the scheme: https://{text}"
    return "An origin is scheme://host[:port], without a path: https://shop.example.com"
