"""Four databases with the incident in each, traffic at their doors, their jobs at work; gone when it ends."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from sitevault.db.catalog import capture
from sitevault.db.connect import connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.demo import incident
from sitevault.demo.incident.scratch import scratch
from sitevault.demo.release.account import Account, account, settle, whereabouts
from sitevault.demo.release.job import Job
from sitevault.demo.release.sources import text
from sitevault.demo.release.traffic import SQL, Sent, Traffic, key_of
from sitevault.release.target import lasting

NAMES = ("testing", "dev", "mock", "production")
VARIABLE = "SITEVAULT_DEMO_{}_URL"

QUIET_RATE = 5.0
"""Events per second in an environment nobody looks at."""
SETTLE_SECONDS = 20.0
ODD = "CEDAR_HOTELS"


@dataclass(frozen=True)
class Place:
    """One environment: its database, what comes to it, and what works in it."""

    name: str
    url: str
    traffic: Traffic
    job: Job

    @property
    def variable(self) -> str:
        return variable(self.name)

    @contextmanager
    def busy(self, rate: float) -> Iterator[None]:
        """More events than usual while the context is open."""
        quiet, self.traffic.rate = self.traffic.rate, rate
        try:
            yield
        finally:
            self.traffic.rate = quiet

    def more(self, events: int, seconds: float = 60.0) -> None:
        """Wait until that many more were acknowledged, at most that long."""
        wanted, until = len(self.traffic.sent) + events, time.monotonic() + seconds
        while len(self.traffic.sent) < wanted and time.monotonic() < until:
            time.sleep(0.05)

    def outcomes(self, numbers: Iterable[int]) -> dict[str, int]:
        """How many of these events stand how."""
        wanted = set(numbers)
        with connect(self.url, autocommit=True) as conn:
            return dict(Counter(row.status for row in whereabouts(conn) if row.raw_event_id in wanted))

    def catalog(self) -> str:
        """The digest of every object that releases are about."""
        with connect(self.url, autocommit=True) as conn:
            return lasting(capture(conn)).digest

    def break_one(self) -> int:
        """An event from an odd browser, with a time that is none: an error that no release is to blame for.

        Returns its number, once it is in ERROR.
        """
        payload = self.traffic.one(odd=True) | {"timestamp": "half past nine"}
        with connect(self.url, autocommit=True) as conn:
            row = conn.execute(
                SQL.hand_over, {"payload": json.dumps(payload), "api_key_hk": key_of(ODD)}
            ).fetchone()
            number = int(row[0]) if row else 0
            self.traffic.sent[number] = Sent(payload, ODD)
            settle(conn, SETTLE_SECONDS)
        return number

    def errors(self) -> set[int]:
        """Once nothing is PENDING, which events are in ERROR."""
        with connect(self.url, autocommit=True) as conn:
            settle(conn, SETTLE_SECONDS)
            return {row.raw_event_id for row in whereabouts(conn) if row.status == "ERROR"}

    def account(self) -> Account:
        """End the traffic, let the job catch up, and look for everything."""
        self.traffic.stop()
        with connect(self.url, autocommit=True) as conn:
            settle(conn, SETTLE_SECONDS)
            self.job.stop()
            return account(conn, self.traffic.sent)


@contextmanager
def town(server: EmbeddedServer, seed: int = 0) -> Iterator[Mapping[str, Place]]:
    """All four, by name, at work. Their URLs are in variables of this process while the context is open."""
    with ExitStack() as stack:
        made = {}
        for place, name in enumerate(NAMES):
            url = stack.enter_context(scratch(server, "release", build))
            stack.enter_context(named(variable(name), url))
            job = stack.enter_context(Job(url).running())
            traffic = stack.enter_context(Traffic(url, QUIET_RATE, seed + place).running())
            made[name] = Place(name, url, traffic, job)
        yield made


def build(conn: psycopg.Connection[Any]) -> None:
    """The incident with every fault, its five events, its job, and customers with keys."""
    incident.build(conn)
    conn.execute(text("jobs").encode())
    conn.execute(text("customers").encode())


def variable(name: str) -> str:
    """What holds the URL of an environment."""
    return VARIABLE.format(name.upper())


@contextmanager
def named(name: str, value: str) -> Iterator[None]:
    """A variable of this process holds the value while the context is open."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
