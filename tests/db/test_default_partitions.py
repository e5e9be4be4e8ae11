"""No event is refused for want of a partition, and what fell beside them is brought in again."""

from __future__ import annotations

import psycopg
import pytest

from given import Sender, land, page_view, row, sender
from observing import as_superuser, drain, judging
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.landing.partitions import TABLES, keep_in_order
from sitevault.landing.retention import default_rows
from sitevault.landing.retention_run import apply
from sitevault.observe import health, ledger


@pytest.fixture
def spa(database: Database) -> Sender:
    return sender(database)


@pytest.fixture
def asleep(database: Database) -> None:
    """No worker for so long that there is no partition left."""
    with connect(database.admin_conninfo) as admin:
        named = admin.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relispartition AND relname ~ '_p[0-9]{8}$'"
        )
        as_superuser(database, *(f"DROP TABLE {name}" for (name,) in named if "_ix" not in name))


def in_default(database: Database) -> set[str]:
    with judging(database) as judge:
        return set(default_rows(judge))


def keep(database: Database) -> dict[str, int]:
    with database.connect(Role.WORKER, autocommit=True) as conn:
        return keep_in_order(conn).moved


def test_without_partitions_events_land_all_the_same_and_status_is_an_alarm(
    database: Database, spa: Sender, asleep: None
) -> None:
    land(database, [row(spa, page_view(1))])
    assert in_default(database) == {"raw.landed_event"}
    with judging(database) as judge:
        found = health.examine(judge, Config())
    assert any("raw.landed_event has rows in its default partition" in one for one in found.findings)
    assert any("sitevault retention apply" in one for one in found.findings)


def test_a_worker_that_comes_back_brings_them_in_and_goes_on(
    database: Database, spa: Sender, asleep: None
) -> None:
    land(database, [row(spa, page_view(1)), row(spa, page_view(2))])
    drain(database)
    assert keep(database)["raw.landed_event"] == 2
    assert in_default(database) == set()
    land(database, [row(spa, page_view(3))])
    drain(database)
    with judging(database) as judge:
        found = health.examine(judge, Config(), deep=True)
    assert found.recount is not None
    assert found.recount.confirmed
    assert not [one for one in found.findings if "partition" in one]


def test_making_one_day_brings_in_what_is_in_its_way(database: Database, spa: Sender, asleep: None) -> None:
    land(database, [row(spa, page_view(1))])
    with database.connect(Role.WORKER, autocommit=True) as conn:
        conn.execute("SELECT ops.ensure_partition('raw.landed_event', (now() AT TIME ZONE 'UTC')::date)")
    assert in_default(database) == set()


def test_the_command_brings_them_in_as_well_without_any_retention_set(
    database: Database, spa: Sender, asleep: None
) -> None:
    land(database, [row(spa, page_view(1))])
    assert apply(database, Config()).moved == {"raw.landed_event": 1}
    assert in_default(database) == set()


def test_moved_events_are_byte_for_byte_what_landed(database: Database, spa: Sender, asleep: None) -> None:
    land(database, [row(spa, b'{"event_type":  "x",\n "n": 1.50}')])
    everything = "SELECT e.*::text FROM raw.landed_event AS e"
    with connect(database.admin_conninfo) as admin:
        before = admin.execute(everything).fetchall()
    keep(database)
    with connect(database.admin_conninfo) as admin:
        assert admin.execute(everything).fetchall() == before


def test_row_level_security_is_forced_on_default_and_new_partitions_afterwards(
    database: Database, spa: Sender, asleep: None
) -> None:
    land(database, [row(spa, page_view(1))])
    drain(database)
    keep(database)
    with connect(database.admin_conninfo) as admin:
        unforced = admin.execute(
            "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE n.nspname IN ('raw', 'staging', 'business') AND c.relkind IN ('r', 'p')"
            " AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
        ).fetchall()
    assert unforced == []


def test_an_event_that_lands_meanwhile_waits_and_is_not_lost(
    database: Database, spa: Sender, asleep: None
) -> None:
    land(database, [row(spa, page_view(1))])
    with database.connect(Role.WORKER) as conn:
        conn.execute("SELECT ops.empty_default('raw.landed_event')")
        with connect(database.admin_conninfo) as other:
            other.execute("SET lock_timeout = '200ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                other.execute("LOCK TABLE raw.landed_event_default IN ROW EXCLUSIVE MODE")
    land(database, [row(spa, page_view(2))])
    drain(database)
    with judging(database) as judge, ledger.snapshot(judge):
        recounted = ledger.recount(judge)
    assert recounted.confirmed
    assert recounted.ledger.total.vaulted == 2


def test_every_partitioned_table_is_looked_after(database: Database) -> None:
    with connect(database.admin_conninfo) as admin:
        found = admin.execute("SELECT partrelid::regclass::text FROM pg_partitioned_table").fetchall()
    assert {name for (name,) in found} == set(TABLES)
