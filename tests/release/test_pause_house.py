"""The workers of the house pause and go on: nothing refused, nothing lost, and who is at work is known."""

from __future__ import annotations

import pickle
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from tests import given
from tests.collecting import EVENT, StartCollector, make_tenant
from tests.collecting import start_collector as start_collector
from tests.release.targets import Heard, house, own_process, pending, until, working
from tests.replaying import assert_confirmed

from sitevault import clock
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.errors import Exit, WorkersPausedError
from sitevault.observe import health
from sitevault.release import pause, record
from sitevault.release.events import Teller, silent
from sitevault.release.model import ReleaseBlockedError
from sitevault.release.target import Target
from sitevault.replay import book, run
from sitevault.replay.enrich import enrich
from sitevault.replay.rebuild import rebuild
from sitevault.replay.selection import Selection
from sitevault.worker.claim import claim_batches
from sitevault.worker.run import Worker

SILENT = Teller(silent, "testing")


@pytest.fixture
def target(database: Database) -> Iterator[Target]:
    with house(database) as target:
        yield target


def land(database: Database, events: int = 10) -> None:
    who = given.sender(database)
    given.land(database, *([given.row(who, given.page_view(number))] for number in range(events)))


def test_a_paused_worker_claims_nothing_and_a_resumed_one_everything(database: Database, target: Target) -> None:
    land(database)
    pause.pause(target, "r1", "trying", SILENT)
    assert Worker(database, Config(), lanes=1).drain() == 0
    assert pause.resume(target, SILENT, "r1")
    assert Worker(database, Config(), lanes=1).drain() == 10
    assert assert_confirmed(database).vaulted == 10


def test_requeued_dead_letters_wait_for_the_end_of_a_pause(database: Database, target: Target) -> None:
    land(database, 1)
    with connect(database.admin_conninfo) as admin:
        admin.execute("ALTER TABLE business.site_event_nl ADD CONSTRAINT own CHECK (event_type <> 'page_view')")
    Worker(database, Config(), lanes=1).drain()
    with connect(database.admin_conninfo) as admin:
        admin.execute("ALTER TABLE business.site_event_nl DROP CONSTRAINT own")
        admin.execute("UPDATE raw.dead_letter SET status = 'PENDING', requeued_at = now()")
    pause.pause(target, "r1", "trying", SILENT)
    assert Worker(database, Config(), lanes=1).drain() == 0
    pause.resume(target, SILENT)
    assert Worker(database, Config(), lanes=1).drain() == 1


def test_while_paused_the_collector_refuses_nothing_and_all_of_it_is_vaulted_afterwards(
    database: Database, target: Target, start_collector: StartCollector
) -> None:
    tenant = make_tenant(database)
    collector = start_collector()
    with working(database, poll_seconds=60), collector.client(headers={"X-Api-Key": tenant.secret}) as client:
        assert client.post("/api/v1/track", json=EVENT).status_code == 200
        until(lambda: pending(target.judge) == 0)
        pause.pause(target, "r1", "deploying", SILENT)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: client.post("/api/v1/track", json=EVENT).status_code, range(40)))
        assert answers == [200] * 40
        assert pending(target.judge) == 40
        pause.resume(target, SILENT, "r1")
        # poll_seconds is a minute: only the bell can have woken them
        until(lambda: pending(target.judge) == 0, seconds=30)
    assert assert_confirmed(database).landed == 41


def test_a_pause_waits_for_a_claim_in_flight(database: Database, target: Target) -> None:
    land(database)
    heard, done = Heard(), threading.Event()
    with database.connect(Role.WORKER, autocommit=True, application_name="slow") as worker:
        with worker.transaction():
            assert claim_batches(worker, 1000) is not None
            pausing = threading.Thread(
                target=lambda: (pause.pause(target, "r1", "trying", heard.teller), done.set())
            )
            pausing.start()
            until(lambda: heard.said("slow"))
            assert not done.is_set()
        pausing.join(30)
    assert done.is_set()
    assert heard.said("Nobody carries events any more")


def test_work_that_does_not_end_gives_the_pause_up_and_the_workers_go_on(
    database: Database, target: Target
) -> None:
    land(database)
    with database.connect(Role.WORKER, autocommit=True, application_name="stuck") as worker, worker.transaction():
        assert claim_batches(worker, 5) is not None
        with pytest.raises(ReleaseBlockedError, match="stuck") as refusal:
            pause.pause(target, "r1", "trying", SILENT, patience=0.3)
        assert refusal.value.exit_code == Exit.BLOCKED
        assert pause.in_force(target) is None
    assert Worker(database, Config(), lanes=1).drain() == 10


def test_no_claim_begins_between_the_row_and_the_lock(database: Database, target: Target) -> None:
    """The order that would be lost by a snapshot taken before the lock: the row is read after it."""
    land(database)
    with connect(database.admin_conninfo) as holder, database.connect(Role.WORKER, autocommit=True) as worker:
        holder.execute("SELECT pg_advisory_xact_lock(hashtext('sitevault.pause'))")
        with worker.transaction():
            assert claim_batches(worker, 1000) is None
        holder.rollback()
        # the claim's own snapshot is older than the commit of the pause
        with worker.transaction():
            worker.execute("DECLARE old CURSOR FOR SELECT ops.begin_work()")
            pause.pause(target, "r1", "trying", SILENT)
            assert worker.execute("FETCH old").fetchone() == (False,)


def test_pausing_twice_is_one_pause(target: Target) -> None:
    first = pause.pause(target, "r1", "trying", SILENT)
    second = pause.pause(target, "r1", "trying", SILENT)
    assert (first.already, second.already) == (False, True)
    assert first.since == second.since


def test_a_second_holder_is_refused_and_told_who_holds_the_pause_and_why(target: Target) -> None:
    pause.pause(target, "r1", "deploying fix 1", SILENT)
    with pytest.raises(ReleaseBlockedError, match=r"for release r1 since .*: deploying fix 1") as refusal:
        pause.pause(target, "r2", "deploying fix 2", SILENT)
    assert refusal.value.command == "sitevault release resume --env testing"
    with pytest.raises(ReleaseBlockedError, match="r1"):
        pause.resume(target, SILENT, "r2")
    assert pause.in_force(target) is not None


def test_of_two_pausers_at_once_one_holds_the_pause(database: Database, target: Target) -> None:
    barrier = threading.Barrier(2)

    def attempt(release_id: str) -> str | None:
        with house(database) as mine:
            barrier.wait()
            try:
                pause.pause(mine, release_id, "racing", SILENT)
            except ReleaseBlockedError:
                return None
            return release_id

    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            held = [one for one in pool.map(attempt, ["r1", "r2"]) if one]
        now = pause.in_force(target)
        assert now is not None
        assert held == [now.release_id]
        pause.resume(target, SILENT)


def test_resuming_what_was_never_paused_changes_nothing(target: Target) -> None:
    assert pause.resume(target, SILENT) is False
    assert record.journal(target.ground) == []


def test_pause_and_resume_are_in_the_journal_and_in_the_audit_chain(database: Database, target: Target) -> None:
    pause.pause(target, "r1", "trying", SILENT)
    pause.resume(target, SILENT)
    assert [entry.step for entry in record.journal(target.ground, "r1")] == ["pause", "resume"]
    with database.connect(Role.AUDITOR) as auditor:
        rows = auditor.execute("SELECT action FROM audit.entry ORDER BY seq").fetchall()
    assert [action for (action,) in rows][-2:] == ["workers.pause", "workers.resume"]


_PAUSE_AND_STAY = """
import pickle, sys, time
from sitevault.release import pause
from sitevault.release.events import Teller
from tests.release.targets import house
database = pickle.loads(bytes.fromhex(sys.stdin.readline()))
with house(database) as target:
    pause.pause(target, "r1", "deploying", Teller(lambda event: print(event.message, flush=True), "testing"))
    time.sleep(600)
"""

_CLAIM_AND_STAY = """
import pickle, sys, time
from sitevault.db.roles import Role
from sitevault.worker.claim import claim_batches
database = pickle.loads(bytes.fromhex(sys.stdin.readline()))
with database.connect(Role.WORKER, autocommit=True, application_name="killed") as conn, conn.transaction():
    print(len(claim_batches(conn, 1000).events), flush=True)
    time.sleep(600)
"""


@contextmanager
def begun(code: str, database: Database) -> Iterator[subprocess.Popen[str]]:
    with own_process(code) as process:
        assert process.stdin
        process.stdin.write(pickle.dumps(database).hex() + "\n")
        process.stdin.flush()
        yield process


def test_a_pauser_that_is_killed_while_it_waits_leaves_a_pause_that_is_taken_up_again(
    database: Database, target: Target
) -> None:
    land(database)
    with database.connect(Role.WORKER, autocommit=True, application_name="slow") as worker:
        with worker.transaction():
            assert claim_batches(worker, 4) is not None
            with begun(_PAUSE_AND_STAY, database) as process:
                assert process.stdout
                while "Waiting for" not in process.stdout.readline():
                    pass
                process.send_signal(signal.SIGKILL)
                process.wait(20)
            held = pause.in_force(target)
            assert held is not None
            assert (held.release_id, held.message) == ("r1", "deploying")
        assert Worker(database, Config(), lanes=1).drain() == 0
    assert pause.pause(target, "r1", "deploying", SILENT).already
    pause.resume(target, SILENT, "r1")
    Worker(database, Config(), lanes=1).drain()
    assert assert_confirmed(database).vaulted == 10


def test_a_worker_that_is_killed_in_flight_does_not_hold_up_a_pause_and_loses_nothing(
    database: Database, target: Target
) -> None:
    land(database)
    with begun(_CLAIM_AND_STAY, database) as process:
        assert process.stdout
        assert process.stdout.readline() == "10\n"
        with pytest.raises(ReleaseBlockedError, match="killed"):
            pause.pause(target, "r1", "deploying", SILENT, patience=0.2)
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    pause.pause(target, "r1", "deploying", SILENT)
    assert pending(target.judge) == 10
    pause.resume(target, SILENT)
    assert Worker(database, Config(), lanes=1).drain() == 10
    assert assert_confirmed(database).vaulted == 10


def test_the_collector_may_not_even_ask_whether_there_is_a_pause(database: Database) -> None:
    with (
        database.connect(Role.COLLECTOR, autocommit=True) as collector,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        collector.execute("SELECT ops.begin_work()")


def test_status_shows_the_pause_with_its_holder_its_reason_and_the_exact_command(
    database: Database, target: Target
) -> None:
    land(database, 1)
    pause.pause(target, "r1", "deploying fix 1", SILENT)
    with database.connect(Role.JUDGE) as judge:
        found = health.examine(judge, Config(pending_limit_seconds=0))
    assert found.exit_code is Exit.FINDINGS
    assert found.paused is not None
    assert "for release r1" in found.findings[0]
    assert "deploying fix 1" in found.findings[0]
    assert "sitevault release resume --env testing" in found.findings[0]
    assert found.findings[1].endswith("they wait for the end of the pause")
    pause.resume(target, SILENT)
    with database.connect(Role.JUDGE) as judge:
        assert health.examine(judge, Config()).paused is None


def test_a_replay_by_hand_is_told_of_the_pause_and_goes_on_where_that_is_meant(
    database: Database, target: Target
) -> None:
    land(database, 3)
    pause.pause(target, "r1", "deploying", SILENT)
    pending_ones = Selection(statuses=("PENDING",))
    with pytest.raises(WorkersPausedError, match="deploying") as refusal:
        run.start(database, Config(), pending_ones)
    assert refusal.value.exit_code is Exit.BLOCKED
    assert run.start(database, Config(), pending_ones, while_paused=True).vaulted == 3
    assert assert_confirmed(database).vaulted == 3


def test_a_replay_that_runs_when_the_pause_comes_stops_and_can_be_resumed(
    database: Database, target: Target
) -> None:
    land(database, 6)

    def then_pause(reached: int, _: int) -> None:
        if reached == 2:
            pause.pause(target, "r1", "deploying", SILENT)

    with pytest.raises(WorkersPausedError):
        run.start(database, Config(), Selection(statuses=("PENDING",)), batch=2, heard=then_pause)
    pause.resume(target, SILENT)
    with database.connect(Role.JUDGE) as judge:
        (stopped,) = book.newest(judge, 5)
    assert (stopped.state, stopped.reached) == ("STOPPED", 2)
    assert run.resume(database, Config(), stopped.replay_id).vaulted == 6


def test_rebuilding_and_enriching_by_hand_heed_the_pause(database: Database, target: Target) -> None:
    pause.pause(target, "r1", "deploying", SILENT)
    with pytest.raises(WorkersPausedError):
        rebuild(database, Config(), "vault", accept_differences=True)
    with pytest.raises(WorkersPausedError):
        enrich(database, Config(), "bot")
    assert rebuild(database, Config(), "vault").tenants == [], "looking changes nothing"
    enrich(database, Config(), "bot", while_paused=True)


def test_waiting_for_a_pause_is_nobodys_lateness_until_the_workers_had_their_time_again(target: Target) -> None:
    moment = clock.now() - timedelta(minutes=10)
    assert pause.stood_still(target, 60, moment) == 0
    pause.pause(target, "r1", "deploying", SILENT)
    assert pause.stood_still(target, 60, moment) >= 600
    pause.resume(target, SILENT)
    assert pause.stood_still(target, 60, moment) >= 600
    assert pause.stood_still(target, 0, moment) == 0


def test_under_traffic_no_load_is_written_once_a_pause_has_returned(database: Database, target: Target) -> None:
    who, stop, landed = given.sender(database), threading.Event(), []

    def keep_landing() -> None:
        while not stop.is_set():
            rows = [[given.row(who, given.page_view(len(landed) + flush))] for flush in range(5)]
            landed.extend(given.land(database, *rows))

    def loads() -> int:
        row = target.judge.execute("SELECT count(*) FROM ops.load").fetchone()
        assert row is not None
        return int(row[0])

    traffic = threading.Thread(target=keep_landing)
    with working(database, workers=2, claim_events=3):
        traffic.start()
        try:
            for cycle in range(5):
                before = loads()
                until(lambda before=before: loads() > before + 2)  # type: ignore[misc]
                pause.pause(target, f"r{cycle}", "deploying", SILENT)
                written = loads()
                assert not stop.wait(0.2)
                assert loads() == written
                pause.resume(target, SILENT)
        finally:
            stop.set()
            traffic.join()
        until(lambda: pending(target.judge) == 0)
    assert assert_confirmed(database).landed == len(landed)
