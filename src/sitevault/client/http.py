"""One keep-alive connection to a collector, with a bounded answer and errors in plain words."""

from __future__ import annotations

import gzip
import http.client
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from sitevault.errors import SitevaultError, UsageError

TIMEOUT_SECONDS = 60.0
_GZIP_FROM = 1024
_LARGEST_ANSWER = 64 * 1024 * 1024
_BROKEN = (OSError, http.client.HTTPException)


class CollectorUnreachableError(SitevaultError):
    """Nobody answers at the collector's address."""


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; `content` is its JSON object, empty where it has none."""

    status: int
    content: dict[str, Any]
    retry_after: float | None

    @property
    def code(self) -> str:
        """The reason code of a refusal."""
        return str(self.content.get("code", f"http.{self.status}"))

    @property
    def message(self) -> str:
        """The sentence of a refusal."""
        return str(self.content.get("message", f"The server answered {self.status}."))


class Line:
    """A connection to one collector with one key; not shared between threads. A context manager."""

    def __init__(
        self, url: str, key: str, *, user_agent: str = "sitevault-send", timeout: float = TIMEOUT_SECONDS
    ):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise UsageError(
                f"{url!r} is not the address of a collector.", fix="It looks like http://127.0.0.1:8400"
            )
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._prefix = parts.path.rstrip("/")
        self._url = url
        self._headers = {
            "Authorization": f"Bearer {key}",
            "User-Agent": user_agent,
            "Content-Type": "application/json",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Reply:
        """POST the body, compressed where that pays. Raises CollectorUnreachableError.

        After an error nobody knows whether the body arrived: send it again, its events have ids.
        """
        headers = {**self._headers, **(headers or {})}
        if len(body) >= _GZIP_FROM:
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        try:
            self._connection.request("POST", self._prefix + path, body, headers)
            return self._reply()
        except _BROKEN as error:
            self._connection.close()
            raise CollectorUnreachableError(
                f"The collector at {self._url} does not answer: {error or type(error).__name__}",
                fix="Start it, or name its address with --url.",
                command="sitevault up",
            ) from error

    def get(self, path: str) -> Reply:
        """GET; raises CollectorUnreachableError."""
        try:
            self._connection.request("GET", self._prefix + path, headers=self._headers)
            return self._reply()
        except _BROKEN as error:
            self._connection.close()
            raise CollectorUnreachableError(f"The collector at {self._url} does not answer: {error}") from error

    def _reply(self) -> Reply:
        answer = self._connection.getresponse()
        body = answer.read(_LARGEST_ANSWER)
        try:
            content = msgspec.json.decode(body)
        except msgspec.DecodeError:
            content = {}
        return Reply(
            answer.status, content if isinstance(content, dict) else {}, _seconds(answer.getheader("Retry-After"))
        )


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None
