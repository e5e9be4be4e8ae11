"""Old days go, one by one, and only what is accounted for; the ledger goes on to say what landed."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
import pytest

from aging import KEEP_TWO_DAYS, carry, day_ago, land_then, make_days, noon, old_day
from given import Sender, land, page_view, row, sender
from observing import POISON, accept_poison, as_superuser, drain, judging, refuse_poison
from sitevault.audit.chain import verify
from sitevault.audit.model import Verdict
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.errors import ConfigurationError, UnknownEventError
from sitevault.landing import retention, retention_run
from sitevault.landing.retention import EVENTS, LANDING, PERSONAL, STAGING, Holds
from sitevault.landing.retention_run import Outcome, RetentionRunsAlreadyError
from sitevault.observe import ledger
from sitevault.observe.trace import trace
from sitevault.worker.housekeeping import Housekeeper

BAD = {"page_url": "https://spa.example/"}


@pytest.fixture
def spa(database: Database) -> Sender:
    return sender(database)


def apply(database: Database, config: Config = KEEP_TWO_DAYS, **options: Any) -> Outcome:
    return retention_run.apply(database, config, **options)


def days_of(database: Database, table: str) -> set[Any]:
    with judging(database) as judge:
        return {one.day for one in retention.partitions(judge) if one.table_name == table}


def recount(database: Database) -> ledger.Recount:
    with judging(database) as judge, ledger.snapshot(judge):
        return ledger.recount(judge)


def count(database: Database, what: str) -> int:
    with connect(database.admin_conninfo) as admin:
        (found,) = admin.execute(f"SELECT count(*) FROM {what}").fetchone() or (0,)  # type: ignore[arg-type]
    return int(found)


def gone(outcome: Outcome) -> set[tuple[str, Any]]:
    return {(one.partition.table_name, one.partition.day) for one in outcome.dropped}


def test_days_that_are_over_go_and_the_others_stay(database: Database, spa: Sender) -> None:
    for days in (2, 3, 5):
        old_day(database, spa, days)
    outcome = apply(database)
    old = {day_ago(3), day_ago(5)}
    assert gone(outcome) == {(table, day) for table in (LANDING, STAGING) for day in old}
    assert not days_of(database, LANDING) & old
    assert day_ago(2) in days_of(database, LANDING)
    assert count(database, "raw.landed_event") == 2


def test_the_ledger_is_the_same_before_and_after_and_the_recount_confirms_it(
    database: Database, spa: Sender
) -> None:
    again = page_view(1)
    old_day(database, spa, 4, again, again, again | {"page_title": "Another"}, BAD, BAD)
    old_day(database, spa, 1)
    before = recount(database)
    assert before.confirmed
    apply(database)
    after = recount(database)
    assert after.confirmed, after.disagreements
    assert after.ledger == before.ledger
    assert (before.removed, after.removed) == (0, 5)


def test_manifests_and_resolved_dead_letters_go_with_their_day(database: Database, spa: Sender) -> None:
    make_days(database, 4)
    refuse_poison(database)
    land_then(database, spa, 4, page_view(1, page_title=POISON))
    carry(database)
    accept_poison(database)
    as_superuser(database, "UPDATE raw.dead_letter SET status = 'PENDING', requeued_at = now()")
    carry(database, 4)
    assert (count(database, "raw.batch"), count(database, "raw.dead_letter")) == (1, 1)
    assert apply(database).manifests == 1
    assert (count(database, "raw.batch"), count(database, "raw.dead_letter")) == (0, 0)
    assert recount(database).confirmed


def test_a_manifest_stays_while_one_of_its_events_does(database: Database, spa: Sender) -> None:
    make_days(database, 2, 3)
    land(
        database,
        [row(spa, page_view(1), received=noon(3)), row(spa, page_view(2), received=noon(2))],
    )
    as_superuser(database, f"UPDATE raw.batch SET received_timestamp = '{noon(3).isoformat()}'")
    carry(database)
    assert apply(database).manifests == 0
    assert (count(database, "raw.landed_event"), count(database, "raw.batch")) == (1, 1)
    assert recount(database).confirmed


def test_a_day_with_a_pending_event_stays_and_says_whose(database: Database, spa: Sender) -> None:
    make_days(database, 4)
    land_then(database, spa, 4, page_view(1), page_view(2))
    (held,) = apply(database).held
    assert [(one.tenant_bk, one.why, one.events) for one in held.held] == [(spa.tenant_bk, Holds.PENDING, 2)]
    carry(database, 4)
    assert not apply(database).held
    assert recount(database).confirmed


def test_a_day_with_a_failed_event_stays_until_it_is_given_up(database: Database, spa: Sender) -> None:
    refuse_poison(database)
    old_day(database, spa, 4, page_view(1, page_title=POISON), page_view(2), BAD)
    landing, staging = apply(database).held
    assert [one.why for one in landing.held] == [Holds.ERROR]
    # Its neighbours' staging explains what is still in landing.
    assert (staging.partition.table_name, staging.held[0].why) == (STAGING, Holds.LANDED)
    before = recount(database).ledger
    assert not apply(database, give_up_failed=True).held
    after = recount(database)
    assert after.confirmed, after.disagreements
    assert after.ledger == before
    assert after.ledger.lines[0].error == 1
    assert count(database, "raw.dead_letter") == 0


def test_an_event_that_is_in_no_place_keeps_its_day(database: Database, spa: Sender) -> None:
    old_day(database, spa, 4)
    as_superuser(database, "DELETE FROM business.site_event_nl WHERE raw_event_id % 2 = 0")
    landing = apply(database).held[0]
    assert [(one.why, one.events) for one in landing.held] == [(Holds.LOST, 1)]


def test_the_plan_is_what_apply_does_and_changes_nothing(database: Database, spa: Sender) -> None:
    old_day(database, spa, 3)
    old_day(database, spa, 4)
    make_days(database, 5)
    land_then(database, spa, 5, page_view(77))
    with judging(database) as judge:
        planned = retention.plan(judge, KEEP_TWO_DAYS)
    assert count(database, "raw.landed_event") == 5
    outcome = apply(database)
    assert {(one.partition.table_name, one.partition.day) for one in planned if not one.held} == gone(outcome)
    assert [one.held for one in planned if one.held] == [one.held for one in outcome.held]


def test_twice_is_as_once(database: Database, spa: Sender) -> None:
    old_day(database, spa, 4)
    assert apply(database).dropped
    assert apply(database) == Outcome()
    assert recount(database).confirmed


def test_without_settings_everything_is_kept(database: Database, spa: Sender) -> None:
    old_day(database, spa, 400)
    assert apply(database, Config()) == Outcome()


@pytest.mark.parametrize(
    "settings",
    [
        {"retention_staging_days": 5},
        {"retention_raw_days": 9, "retention_staging_days": 5},
        {"retention_vault_days": 90},
        {"retention_raw_days": 9, "retention_staging_days": 9, "retention_vault_days": 39},
    ],
)
def test_what_is_made_of_an_event_is_not_dropped_before_it(database: Database, settings: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        apply(database, Config(**settings))


def test_the_vaults_old_days_go_with_their_personal_data_and_hubs_stay(database: Database, spa: Sender) -> None:
    config = Config(retention_raw_days=1, retention_staging_days=1, retention_vault_days=3, late_days=1)
    old_day(database, spa, 5)
    old_day(database, spa, 0)
    before = recount(database).ledger
    hubs = count(database, "business.site_session_h")
    outcome = apply(database, config)
    assert gone(outcome) == {(table, day_ago(5)) for table in (LANDING, STAGING, EVENTS, PERSONAL)}
    after = recount(database)
    assert after.confirmed, after.disagreements
    assert after.ledger == before
    assert count(database, "business.site_session_h") == hubs > 0


def test_each_drop_is_in_the_audit_log_and_the_chain_is_whole(database: Database, spa: Sender) -> None:
    old_day(database, spa, 4)
    apply(database)
    with connect(database.admin_conninfo) as admin:
        records = admin.execute("SELECT record FROM audit.entry WHERE action = 'partition.drop'").fetchall()
    assert len(records) == 2
    assert str(day_ago(4)) in records[0][0]
    with database.connect(Role.AUDITOR) as auditor:
        assert {chain.verdict for chain in verify(auditor)} == {Verdict.OK}


def test_an_event_of_a_removed_day_can_still_be_traced(database: Database, spa: Sender) -> None:
    old_day(database, spa, 4, page_view(1), BAD)
    with connect(database.admin_conninfo) as admin:
        ids = [str(one) for (one,) in admin.execute("SELECT event_id FROM raw.landed_event ORDER BY raw_event_id")]
    config = Config(retention_raw_days=2, retention_staging_days=9)
    apply(database, config)
    with judging(database) as judge:
        assert [copy.fate for copy in trace(judge, ids[0])[0].copies] == ["vaulted"]
        (invalid,) = trace(judge, ids[1])
        assert invalid.copies[0].fate == "invalid"
        assert "removed by retention" in invalid.where
    apply(database)
    with judging(database) as judge:
        assert "removed by retention" in trace(judge, ids[0])[0].where
        with pytest.raises(UnknownEventError, match="whether it was among them is unknown"):
            trace(judge, ids[1])


def test_one_that_runs_already_is_not_joined(database: Database) -> None:
    with database.connect(Role.MIGRATOR, autocommit=True) as other:
        other.execute(retention.SQL.try_lock)
        with pytest.raises(RetentionRunsAlreadyError):
            apply(database)


@pytest.mark.parametrize("moment", ["freeze_partition", "account_removed", "drop_partition", "append"])
def test_cut_off_in_the_middle_of_a_day_nothing_has_happened_and_the_next_run_does_it(
    database: Database, spa: Sender, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_day(database, spa, 4, page_view(1), BAD)
    before = recount(database)
    cut_after(moment, database, monkeypatch)
    with pytest.raises(psycopg.OperationalError):
        apply(database)
    monkeypatch.undo()
    assert day_ago(4) in days_of(database, LANDING)
    assert recount(database) == before
    assert len(apply(database).dropped) == 2
    assert recount(database).confirmed


def cut_after(moment: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server end retention's session right after the statement of this name, as a kill would."""
    text = getattr(retention_run.SQL, moment) if moment != "append" else "INSERT INTO audit.entry"
    begins = text.split("{")[0].strip()
    real = psycopg.Connection.execute

    def execute(self: psycopg.Connection[Any], query: Any, *rest: Any, **options: Any) -> Any:
        done = real(self, query, *rest, **options)
        said = query if isinstance(query, str) else query.as_string(self)
        if self.info.parameter_status("application_name") == "sitevault-retention" and begins in said:
            with connect(database.admin_conninfo, autocommit=True) as admin:
                real(admin, "SELECT pg_terminate_backend(%s, 5000)", (self.info.backend_pid,))
        return done

    monkeypatch.setattr(psycopg.Connection, "execute", execute)


def test_a_table_in_use_is_left_alone_after_a_while_and_its_day_stays(
    database: Database, spa: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_run, "ATTEMPTS", 3)
    old_day(database, spa, 4)
    with database.connect(Role.JUDGE) as reader:
        reader.execute("SELECT count(*) FROM raw.landed_event")
        began = time.monotonic()
        landing = apply(database).held[0]
        assert [one.why for one in landing.held] == [Holds.BUSY]
        assert time.monotonic() - began < 20
    assert apply(database).dropped
    assert recount(database).confirmed


def test_a_long_reader_delays_no_collector_for_longer_than_one_wait(
    database: Database, spa: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention_run, "ATTEMPTS", 6)
    old_day(database, spa, 4)
    with database.connect(Role.JUDGE) as reader:
        reader.execute("SELECT count(*) FROM raw.landed_event")
        thread = threading.Thread(target=apply, args=(database,))
        thread.start()
        slowest = 0.0
        with database.connect(Role.COLLECTOR, autocommit=True) as collector:
            while thread.is_alive():
                began = time.monotonic()
                with collector.transaction():
                    collector.execute("LOCK TABLE ONLY raw.landed_event IN ROW EXCLUSIVE MODE")
                slowest = max(slowest, time.monotonic() - began)
        thread.join()
    # The longest of six waits is 0.6 s and all of them 2.1 s; the rest is this machine.
    assert 0.05 < slowest < 1.5


def test_landing_and_loading_go_on_while_days_are_dropped(database: Database, spa: Sender) -> None:
    for days in range(3, 9):
        old_day(database, spa, days)
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(apply(database)))
    thread.start()
    sent = 0
    while thread.is_alive() or sent < 30:
        land(database, [row(spa, page_view(1000 + sent + n)) for n in range(10)])
        drain(database)
        sent += 10
    thread.join()
    (outcome,) = outcomes
    assert (len(outcome.dropped), outcome.held) == (12, [])
    found = recount(database)
    assert found.confirmed, found.disagreements
    assert found.ledger.total.vaulted == sent + 12


def test_a_worker_drops_what_is_due_by_itself(database: Database, spa: Sender) -> None:
    old_day(database, spa, 4)
    Housekeeper(database, KEEP_TWO_DAYS).drop_what_is_old(threading.Event())
    assert day_ago(4) not in days_of(database, LANDING)


def test_no_role_but_the_migrator_can_drop_a_day(database: Database, spa: Sender) -> None:
    old_day(database, spa, 4)
    for role in (Role.WORKER, Role.COLLECTOR, Role.ERASER):
        with database.connect(role) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(f"DROP TABLE raw.landed_event_p{day_ago(4):%Y%m%d}")  # type: ignore[arg-type]
