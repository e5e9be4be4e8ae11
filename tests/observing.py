"""Events of every fate, for tests of what an operator sees."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from given import Sender, land, page_view, row
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.observe.kpis import Window
from sitevault.worker.run import Worker

EVER = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
POISON = "this page breaks the load"


def drain(database: Database) -> None:
    """Work until nothing is waiting."""
    Worker(database, Config(), lanes=1).drain()


def as_superuser(database: Database, *statements: str) -> None:
    """What only damage, or a test, does."""
    with connect(database.admin_conninfo) as admin:
        for statement in statements:
            admin.execute(statement)  # type: ignore[call-overload]


def refuse_poison(database: Database) -> None:
    """Let the database refuse events whose title is POISON, as a broken constraint would."""
    as_superuser(
        database,
        "ALTER TABLE staging.site_tracking_events_s ADD CONSTRAINT no_poison "
        f"CHECK (page_title IS DISTINCT FROM '{POISON}')",
    )


def accept_poison(database: Database) -> None:
    """Mend what `refuse_poison` broke."""
    as_superuser(database, "ALTER TABLE staging.site_tracking_events_s DROP CONSTRAINT no_poison")


def land_every_fate(database: Database, who: Sender) -> dict[str, Any]:
    """Land and load one event of each fate; returns the payloads by fate."""
    refuse_poison(database)
    again = page_view(2)
    events = {
        "vaulted": page_view(1),
        "duplicate": again,
        "conflict": again | {"page_title": "Another"},
        "invalid": {"event_id": "event-3", "page_url": "https://spa.example/", "timestamp": again["timestamp"]},
        "error": page_view(4, page_title=POISON),
    }
    land(database, [row(who, again)])
    drain(database)
    land(database, [row(who, event) for event in events.values()])
    drain(database)
    events["pending"] = page_view(5)
    land(database, [row(who, events["pending"])])
    return events


@contextmanager
def judging(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection that reads everything and changes nothing."""
    with database.connect(Role.JUDGE) as judge:
        yield judge


def hours(number: float) -> timedelta:
    """So many hours."""
    return timedelta(hours=number)
