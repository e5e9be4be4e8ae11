"""Tells a URL of every step of a release, from a thread of its own: no release waits for it, none fails for it."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import msgspec

from sitevault.errors import ConfigurationError
from sitevault.release.environments import Environment, secret
from sitevault.release.events import Event, Listener, silent

SIGNATURE = "X-Sitevault-Signature"
"""`sha256=` and the HMAC-SHA256 of the body under the secret, in hexadecimal."""

MOST_WAITING = 1_000
TIMEOUT_SECONDS = 5.0
PATIENCE_SECONDS = 10.0
PAUSES_SECONDS = (0.5, 2.0)
"""Between the attempts to deliver one event."""

_LARGEST_ANSWER = 64 * 1024


class Delivered(NamedTuple):
    """How many events there were, how many arrived, and why the last one that did not."""

    told: int
    arrived: int
    why: str = ""

    @property
    def missed(self) -> int:
        return self.told - self.arrived


class Webhook:
    """Posts events in their order, each as JSON; of a host that does not answer the newest wait in vain.

    Raises ConfigurationError for a URL that is none. The URL itself is a secret and never shown.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT_SECONDS,
        pauses: tuple[float, ...] = PAUSES_SECONDS,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                "The webhook's variable holds no URL.", fix="It looks like https://hooks.example.com/release"
            )
        self.host = parts.hostname
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._key = key.encode() if key else None
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._pauses = pauses
        self._most_waiting = most_waiting
        self._waiting: deque[bytes] = deque()
        self._told = self._arrived = 0
        self._why = ""
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._work, name="release-webhook", daemon=True)

    def start(self) -> Self:
        """Begin to deliver."""
        self._thread.start()
        return self

    def __call__(self, event: Event) -> None:
        """Hand an event over; returns at once."""
        body = msgspec.json.encode(event, enc_hook=str)
        with self._changed:
            self._told += 1
            if len(self._waiting) < self._most_waiting:
                self._waiting.append(body)
                self._changed.notify()
            else:
                self._why = f"{self._most_waiting} were waiting already"

    def close(self, patience: float = PATIENCE_SECONDS) -> Delivered:
        """Deliver what waits, for so many seconds at most; what became of all."""
        with self._changed:
            self._closing.set()
            self._changed.notify()
        self._thread.join(patience)
        self._given_up.set()
        with self._changed:
            if self._waiting and not self._why:
                self._why = "there was no time"
            return Delivered(self._told, self._arrived, self._why)

    def _work(self) -> None:
        while (body := self._next()) is not None:
            why = self._deliver(body)
            with self._changed:
                if why is None:
                    self._arrived += 1
                else:
                    self._why = why
        self._connection.close()

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
            return self._waiting.popleft() if self._waiting and not self._given_up.is_set() else None

    def _deliver(self, body: bytes) -> str | None:
        """Try as often as is worth it; why it did not arrive."""
        why, again = self._attempt(body)
        for pause in self._pauses:
            if why is None or not again or self._given_up.wait(pause):
                break
            why, again = self._attempt(body)
        return why

    def _attempt(self, body: bytes) -> tuple[str | None, bool]:
        """Why it did not arrive, None if it did; and whether another attempt may help."""
        headers = {"Content-Type": "application/json", "User-Agent": "sitevault-release"}
        if self._key is not None:
            headers[SIGNATURE] = f"sha256={signature(self._key, body)}"
        try:
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
            answer.read(_LARGEST_ANSWER)
            if not answer.isclosed():  # longer than anybody reads
                self._connection.close()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return type(error).__name__, True
        if answer.status < 300:
            return None, False
        return f"it answered {answer.status}", answer.status >= 500 or answer.status == 429


def signature(key: bytes, body: bytes) -> str:
    """What a receiver computes and compares, in constant time, with the header's."""
    return hmac.new(key, body, hashlib.sha256).hexdigest()


@contextmanager
def told(
    settings: Environment, say: Callable[[str], None], environ: Mapping[str, str] | None = None
) -> Iterator[Listener]:
    """Who tells the environment's webhook, if it has one; at the end it is said what did not arrive.

    A variable that is not set, or holds no URL, is said and nobody is told: a release does not fail for it.
    """
    if settings.webhook_from is None:
        yield silent
        return
    try:
        key = secret(settings.webhook_secret_from, environ) if settings.webhook_secret_from else None
        webhook = Webhook(secret(settings.webhook_from, environ), key).start()
    except ConfigurationError as error:
        say(f"No webhook is told of this: {error.message}")
        yield silent
        return
    try:
        yield webhook
    finally:
        done = webhook.close()
        if done.missed:
            say(f"{done.missed} of {done.told} events did not reach the webhook at {webhook.host}: {done.why}.")
