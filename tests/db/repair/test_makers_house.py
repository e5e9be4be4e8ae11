"""What is mended in Sitevault's own database: isolation, partitions, failed events; each taken back exactly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from given import land, page_view, row, sender
from sitevault import clock
from sitevault.audit.catalog import CHECKS
from sitevault.audit.catalog.snapshot import read
from sitevault.db.catalog import capture
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role, provision_roles
from sitevault.repair import run
from sitevault.repair.ground import Ground
from sitevault.repair.makers import drift, isolation, partitions, requeue
from sitevault.repair.makers.case import Case, Maker, NotMended
from sitevault.repair.model import Plan
from sitevault.repair.plan import assemble

sys.path.append(str(Path(__file__).parents[1] / "audit"))
from broken import CATALOG, Break


@contextmanager
def grounds(database: Database) -> Iterator[tuple[Ground, Case]]:
    with (
        database.connect(Role.MIGRATOR, autocommit=True) as conn,
        database.connect(Role.AUDITOR, autocommit=True) as reader,
    ):
        ground = Ground(conn, house=True)
        yield ground, Case(ground, reader, "catalog.posture", (), clock.now())


def planned(database: Database, maker: Maker) -> Plan:
    with grounds(database) as (ground, case):
        return assemble(ground, maker(case))


def apply(database: Database, plan: Plan) -> None:
    with grounds(database) as (ground, _):
        run.apply(ground, plan, "tester")


def undo(database: Database, plan: Plan) -> None:
    with grounds(database) as (ground, _):
        run.undo(ground, plan.digest, "tester")


def complaints(database: Database) -> set[tuple[str, str]]:
    with database.connect(Role.AUDITOR, autocommit=True) as conn:
        snapshot = read(conn)
    return {(finding.check, finding.object) for check in CHECKS for finding in check.run(snapshot).findings}


def catalog(database: Database) -> str:
    with connect(database.admin_conninfo) as conn:
        return capture(conn).digest


ONE_PER_CHECK = list({broken.check: broken for broken in CATALOG}.values())


@pytest.fixture
def roles_as_they_were(database: Database) -> Iterator[None]:
    """Roles are the server's: what breaks them would be found in every other database, too."""
    yield
    with connect(database.admin_conninfo, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS sitevault_helper")
        admin.execute("REVOKE sitevault_worker FROM sitevault_reader")
        admin.execute("REVOKE sitevault_owner FROM pg_monitor")
        admin.execute("ALTER ROLE sitevault_reader RESET ALL")
        admin.execute("ALTER ROLE sitevault_judge RESET ALL")
        provision_roles(admin, {})


@pytest.mark.usefixtures("roles_as_they_were")
@pytest.mark.parametrize("broken", ONE_PER_CHECK, ids=lambda broken: broken.name)
def test_a_broken_isolation_is_mended_and_the_break_can_be_had_back(database: Database, broken: Break) -> None:
    with connect(database.admin_conninfo) as admin:
        admin.execute(broken.statements)
    before = catalog(database)
    plan = planned(database, isolation.make)
    if plan.actions:
        apply(database, plan)
        # what was not mended is named, with the statement for whoever may run it
        assert [one for one in complaints(database) if not any(one[1] in line for line in plan.not_mended)] == []
        undo(database, plan)
    else:
        assert all("By hand" in line for line in plan.not_mended)
    assert catalog(database) == before
    assert (broken.check, broken.object) in complaints(database)


def test_most_breaks_are_mended_and_not_only_named(database: Database) -> None:
    with connect(database.admin_conninfo) as admin:
        for statement in (
            "ALTER TABLE raw.landed_event_default DISABLE ROW LEVEL SECURITY",
            "DROP POLICY tenant_boundary ON raw.dead_letter",
            "GRANT SELECT ON raw.landed_event TO PUBLIC",
        ):
            admin.execute(statement)
    plan = planned(database, isolation.make)
    # roles are the whole server's: another test's may be there
    assert [line for line in plan.not_mended if not line.startswith("role.")] == []
    apply(database, plan)
    assert {one for one in complaints(database) if not one[0].startswith("role.")} == set()


def take_away(database: Database, ahead: int) -> str:
    name = f"raw.landed_event_p{clock.now() + timedelta(days=ahead):%Y%m%d}"
    with connect(database.admin_conninfo) as admin:
        admin.execute(f"DROP TABLE {name}")
    return name


def test_missing_partitions_are_made_and_unmade(database: Database) -> None:
    name = take_away(database, 3)
    before = catalog(database)
    plan = planned(database, partitions.make)
    apply(database, plan)
    assert planned(database, partitions.make).actions == ()
    with connect(database.admin_conninfo) as conn:
        assert conn.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone() == (True,)
    undo(database, plan)
    assert catalog(database) == before


def test_a_partition_with_events_is_never_unmade(database: Database) -> None:
    take_away(database, 0)
    plan = planned(database, partitions.make)
    apply(database, plan)
    land(database, [row(sender(database), page_view(1))])
    with pytest.raises(Exception, match="has events by now"):
        undo(database, plan)
    with connect(database.admin_conninfo) as conn:
        assert conn.execute("SELECT count(*) FROM raw.landed_event").fetchone() == (1,)


def test_failed_events_are_requeued_and_no_others(database: Database) -> None:
    spa = sender(database)
    land(database, [row(spa, page_view(number)) for number in range(3)])
    with connect(database.admin_conninfo, autocommit=True) as admin:
        admin.execute(
            "INSERT INTO raw.dead_letter SELECT tenant_hk, raw_event_id, batch_id, event_id, received_timestamp,"
            " CASE WHEN raw_event_id % 65536 = 0 THEN 'RESOLVED' ELSE 'ERROR' END, 'load.rejected', '22003', NULL,"
            " 'numeric field overflow', 1, now(), now() FROM raw.landed_event"
        )
        plan = planned(database, requeue.make)
        apply(database, plan)
        states = "SELECT status FROM raw.dead_letter ORDER BY raw_event_id"
        assert [status for (status,) in admin.execute(states)] == ["RESOLVED", "PENDING", "PENDING"]
        undo(database, plan)
        assert [status for (status,) in admin.execute(states)] == ["RESOLVED", "ERROR", "ERROR"]


def test_where_nothing_is_wrong_nothing_is_planned(database: Database) -> None:
    for maker in (isolation.make, requeue.make):
        plan = planned(database, maker)
        assert (plan.actions, plan.objects) == ((), ())


def test_what_cannot_be_mended_is_said(database: Database) -> None:
    with grounds(database) as (ground, _):
        assert assemble(ground, [NotMended("x", "nobody can")]).not_mended == ("x: nobody can",)


def test_what_was_changed_by_hand_is_brought_back_and_can_be_had_again(database: Database) -> None:
    original = catalog(database)
    with connect(database.admin_conninfo) as admin:
        admin.execute(
            "CREATE OR REPLACE FUNCTION auth.current_tenant_hk() RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE"
            " RETURN NULL::bytea; DROP VIEW mart.visitor_day_v;"
            " COMMENT ON FUNCTION ops.secure_table(regclass) IS 'x'"
        )
    by_hand = catalog(database)
    plan = planned(database, drift.make)
    apply(database, plan)
    assert catalog(database) == original
    undo(database, plan)
    assert catalog(database) == by_hand
