"""One HTTP request as the ASGI server hands it over, with the few things we ask of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from sitevault.tenancy.keyring import KeyGrant

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_KEY_PREFIX = "/k/"


class Request:
    """Path and key prefix apart, headers by lower-case name."""

    __slots__ = (
        "grant",
        "headers",
        "method",
        "path",
        "path_key",
        "peer",
        "query",
        "raw_headers",
        "receive",
        "unread",
    )

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.path_key: str | None = None
        self.query: bytes = scope["query_string"]
        self.raw_headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.headers: dict[bytes, bytes] = dict(self.raw_headers)
        self.peer: str = scope["client"][0] if scope.get("client") else ""
        self.receive = receive
        self.grant: KeyGrant | None = None
        """Who sends this, once that is known."""
        self.unread = b"transfer-encoding" in self.headers or self.headers.get(b"content-length", b"0") != b"0"
        """Whether something of its body may still come."""
        if self.path.startswith(_KEY_PREFIX):
            self.path_key, _, rest = self.path[len(_KEY_PREFIX) :].partition("/")
            self.path = f"/{rest}"

    def all(self, name: bytes) -> list[bytes]:
        """Every value of a header that may have been sent more than once."""
        if name not in self.headers:
            return []
        if len(self.headers) == len(self.raw_headers):
            return [self.headers[name]]
        return [value for given, value in self.raw_headers if given == name]

    def text(self, name: bytes) -> str | None:
        """A header as text (ISO 8859-1, as HTTP has it) without NUL; None where it is absent or empty."""
        value = self.headers.get(name)
        return value.decode("latin-1").replace("\0", "") or None if value else None

    def parameter(self, name: str) -> str | None:
        """The last value of a query parameter; None where it is absent."""
        if not self.query:
            return None
        pairs = parse_qsl(self.query.decode("latin-1"), keep_blank_values=True, max_num_fields=None)
        return next((value for given, value in reversed(pairs) if given == name), None)
