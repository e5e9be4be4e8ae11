"""A receipt costs the days an event can have landed on, not the days there are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.plans.scans import explain

from aging import noon
from given import Sender, land, page_view, row, sender
from observing import as_superuser, drain
from sitevault import clock
from sitevault.collector.receipts import time_bounds
from sitevault.db import queries
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.landing.identity import event_identity

RECEIPTS = queries.load("receipts")
DAYS = 400


@pytest.fixture
def aged(database: Database) -> Database:
    """A database of four hundred days of landing and staging."""
    for table in ("raw.landed_event", "staging.site_tracking_events_s"):
        as_superuser(
            database,
            f"SELECT ops.ensure_partition('{table}', current_date - ago) FROM generate_series(1, {DAYS}) AS ago",
        )
    return database


def receipt(database: Database, who: Sender, event_id: UUID) -> Any:
    parameters = {"tenant_hk": who.tenant_hk, "event_id": event_id, "most": 100, **(time_bounds(event_id) or {})}
    with database.connect(Role.READER, autocommit=True) as conn, conn.transaction():
        conn.execute("SELECT set_config('sitevault.tenant_hk', %s, true)", (who.tenant_hk.hex(),))
        found = conn.execute(RECEIPTS.receipts_of_event, parameters).fetchall()
        return found, explain(conn, RECEIPTS.receipts_of_event, parameters)


def test_an_event_of_today_is_not_looked_for_in_four_hundred_days(aged: Database) -> None:
    who = sender(aged)
    sent = row(who, page_view(1))
    land(aged, [sent])
    drain(aged)
    found, scans = receipt(aged, who, UUID(bytes=sent.event_id))
    assert len(found) == 1
    assert scans.partitions["landed_event"] <= 11  # yesterday, today, a week ahead, the default one, and midnight


@pytest.mark.parametrize("late", [timedelta(days=29), timedelta(hours=-23)])
def test_an_event_that_came_late_or_from_a_fast_clock_is_found(aged: Database, late: timedelta) -> None:
    who = sender(aged)
    received = noon(60)
    sent = row(who, page_view(1, timestamp=(received - late).isoformat()), received=received)
    land(aged, [sent])
    found, _ = receipt(aged, who, UUID(bytes=sent.event_id))
    assert len(found) == 1


@pytest.mark.parametrize("client_id", ["a", None])
@pytest.mark.parametrize("hour", [0, 12, 23])
@pytest.mark.parametrize(
    "off", [timedelta(days=4000), timedelta(days=-3), timedelta(0), timedelta(hours=-24), None]
)
def test_no_event_is_received_before_its_bound(client_id: str | None, hour: int, off: timedelta | None) -> None:
    received = clock.now().replace(hour=hour)
    occurred = None if off is None else received - off
    bounds = time_bounds(event_identity(bytes(32), client_id, occurred, received, 3650)) or {}
    assert bounds["not_before"] <= received
