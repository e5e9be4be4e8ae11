"""What the site sends to one environment: events through its door, one after another, each remembered."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import tuple_row

from sitevault.db import queries
from sitevault.db.connect import connect
from sitevault.errors import SitevaultError

SQL = queries.load("demo_release")

SITES = {
    "THE_ONE_SPA": "www.theonespa.example",
    "HARBOUR_CLINIC": "harbour-clinic.example",
    "KETTLE_AND_LEAF": "shop.kettleleaf.example",
    "CEDAR_HOTELS": "cedar.example",
    "ATLAS_GYM": "atlas.example",
}
"""Who sends, and the site of each."""
PARTNER_SHARE = 0.2
"""Pages of one tenant's site that carry another tenant's booking form, and its key."""
CART_TEXT_SHARE = 0.25
"""Purchases of a shop that writes what they are worth as text."""

_RETRY_SECONDS = 0.05
_TYPES = ("page_view", "page_view", "page_view", "button_click", "form_submit", "purchase")
_PAGES = ("", "treatments", "booking", "prices", "about", "contact", "shop")
_BROWSERS = (
    ("desktop", "Mozilla/5.0 (X11; Linux x86_64) Firefox/127.0"),
    ("desktop", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0 Safari/537.36"),
    ("mobile", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Safari/604.1"),
)


class Sent(NamedTuple):
    """An event that was acknowledged, and whose key it came with."""

    payload: dict[str, Any]
    owner: str


class Traffic:
    """A collector of its own: one connection, one event at a time, at a steady rate, until it is stopped.

    A call that is refused is counted and made again, with the same event; so is one of which nobody knows how it
    ended, and that is counted, too.
    """

    def __init__(self, url: str, rate: float, seed: int) -> None:
        self.rate = rate
        self.partner_pages = False
        self.cart_as_text = False
        self.sent: dict[int, Sent] = {}
        self.refused: Counter[str] = Counter()
        self.in_doubt = 0
        self.slowest_seconds = 0.0
        self._url = url
        self._random = random.Random(seed)  # noqa: S311 -- made-up visitors
        self._serial = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send_on, name="demo-traffic", daemon=True)

    @contextmanager
    def running(self) -> Iterator[Traffic]:
        """Events come while the context is open."""
        self._thread.start()
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """No more events; the one under way is finished. Idempotent."""
        self._stop.set()
        self._thread.join()

    def one(self, **details: Any) -> dict[str, Any]:
        """An event as the site sends it; `details` go into its event_data."""
        return self._payload(self._random.choice(list(SITES.values())), **details)

    def _send_on(self) -> None:
        with _Line(self._url) as line:
            due = time.monotonic()
            while not self._stop.wait(max(0.0, due - time.monotonic())):
                owner = self._random.choice(list(SITES))
                self._deliver(line, owner, self._made(owner))
                due = max(due + 1 / self.rate, time.monotonic() - 1)

    def _deliver(self, line: _Line, owner: str, payload: dict[str, Any]) -> None:
        while True:
            began = time.monotonic()
            try:
                raw_event_id = line.hand_over(payload, owner)
            except (psycopg.Error, SitevaultError) as error:
                self._note(error)
                if self._stop.wait(_RETRY_SECONDS):
                    return
            else:
                self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
                self.sent[raw_event_id] = Sent(payload, owner)
                return

    def _note(self, error: Exception) -> None:
        state = getattr(error, "sqlstate", None)
        if state is None or state.startswith(("57P", "08")):
            self.in_doubt += 1
        else:
            self.refused[state] += 1

    def _made(self, owner: str) -> dict[str, Any]:
        chance = self._random
        site = SITES[owner]
        if self.partner_pages and chance.random() < PARTNER_SHARE:
            site = chance.choice([other for tenant, other in SITES.items() if tenant != owner])
        kind = chance.choice(_TYPES)
        details: dict[str, Any] = {}
        if self.cart_as_text and chance.random() < CART_TEXT_SHARE:
            kind, details = "purchase", {"cart_value": f"{chance.randint(10, 400)},90 EUR"}
        elif kind == "purchase":
            details = {"cart_value": chance.randint(1000, 40000) / 100}
        return self._payload(site, kind, **details)

    def _payload(self, site: str, kind: str = "page_view", **details: Any) -> dict[str, Any]:
        chance = self._random
        self._serial += 1
        device, agent = chance.choice(_BROWSERS)
        visitor = chance.randint(1, 400)
        page = chance.choice(_PAGES)
        moment = datetime.now(UTC) - timedelta(milliseconds=chance.randint(5, 900))
        return {
            "event_type": kind,
            "page_url": f"https://{site}/{page}",
            "timestamp": moment.isoformat(timespec="milliseconds"),
            "event_data": {
                "serial": self._serial,
                "session_id": f"s-{visitor}-{chance.randint(1, 3)}",
                "user_id": f"u-{visitor}",
                "page_title": page.title() or "Home",
                "referrer": f"https://{site}/",
                "device_type": device,
                "user_agent": agent,
                "scroll_depth": chance.randint(0, 100),
                **details,
            },
        }


class _Line:
    """The connection to the door; made anew when it was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: psycopg.Connection[Any] | None = None

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        if self._conn is not None:
            self._conn.close()

    def hand_over(self, payload: dict[str, Any], owner: str) -> int:
        """The number the event was given; it is committed then."""
        if self._conn is None or self._conn.closed:
            self._conn = connect(self._url, autocommit=True)
        cursor = self._conn.cursor(row_factory=tuple_row)
        row = cursor.execute(
            SQL.hand_over, {"payload": json.dumps(payload), "api_key_hk": key_of(owner)}
        ).fetchone()
        if row is None:
            raise RuntimeError("the door gave no number")
        return int(row[0])


def key_of(owner: str) -> bytes:
    """The key's hash, as the incident's tenants have them."""
    return hashlib.sha256(f"key of {owner}".encode()).digest()
