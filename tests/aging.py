"""Events that landed on other days than today, for tests of what becomes of old ones."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from given import Sender, land, page_view, row
from observing import as_superuser
from sitevault import clock
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.worker.run import Worker

KEEP_TWO_DAYS = Config(retention_raw_days=2, retention_staging_days=2)


def day_ago(days: int) -> date:
    """The day (UTC) so many days ago."""
    return (clock.now() - timedelta(days=days)).astimezone(UTC).date()


def noon(days: int) -> datetime:
    """Noon of that day."""
    return datetime.combine(day_ago(days), time(12), UTC)


def make_days(database: Database, *days: int) -> None:
    """The partitions that a worker would have made on those days."""
    for days_ago in days:
        for table in ("raw.landed_event", "staging.site_tracking_events_s"):
            as_superuser(database, f"SELECT ops.ensure_partition('{table}', '{day_ago(days_ago)}')")


def land_then(database: Database, who: Sender, days: int, *events: dict[str, Any]) -> None:
    """One flush as it would have landed so many days ago, manifest and all, with events of that day."""
    (batch_id,) = land(
        database,
        [row(who, {**event, "timestamp": noon(days).isoformat()}, received=noon(days)) for event in events],
    )
    as_superuser(
        database,
        f"UPDATE raw.batch SET received_timestamp = '{noon(days).isoformat()}' WHERE batch_id = {batch_id}",
    )


def carry(database: Database, days: int = 0) -> None:
    """Work until nothing is waiting; what that staged is made as old as the events."""
    Worker(database, Config(), lanes=1).drain()
    if days:
        with connect(database.admin_conninfo) as admin:
            admin.execute(
                "UPDATE staging.site_tracking_events_s SET processed_timestamp = %s"
                " WHERE received_timestamp::date = %s",
                (noon(days), day_ago(days)),
            )


def old_day(database: Database, who: Sender, days: int, *events: dict[str, Any]) -> None:
    """A day of the past, carried through."""
    make_days(database, days)
    land_then(database, who, days, *(events or (page_view(days * 10), page_view(days * 10 + 1))))
    carry(database, days)
