"""A foreign database's jobs are paused by its own means, put back exactly, and it is said where nothing can."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import tuple_row
from tests.homes import temporary_home
from tests.release.targets import Heard, guide, until

from sitevault.config import Config
from sitevault.db import cluster, embedded
from sitevault.db.connect import Database, connect, open_embedded
from sitevault.demo import incident
from sitevault.errors import WorkersPausedError
from sitevault.release import pause, record
from sitevault.release.environments import Scheduler
from sitevault.release.events import Teller, silent
from sitevault.release.model import ReleaseBlockedError
from sitevault.replay import foreign

SILENT = Teller(silent, "testing")
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
PG_CRON = DEBIAN_15.parent / "lib" / "pg_cron.so"

SWITCH = Scheduler(
    pause="UPDATE util.job SET enabled = false",
    resume="UPDATE util.job SET enabled = true",
    busy="SELECT EXISTS (SELECT FROM util.job WHERE running)",
)


@pytest.fixture
def with_job(incident_database: Database) -> Database:
    """The incident, with a job of its owner's own making."""
    with connect(incident_database.admin_conninfo) as admin:
        admin.execute("CREATE TABLE util.job (enabled boolean NOT NULL, running boolean NOT NULL)")
        admin.execute("INSERT INTO util.job VALUES (true, false)")
    return incident_database


def job(database: Database) -> Any:
    with connect(database.admin_conninfo, autocommit=True) as admin:
        return admin.cursor(row_factory=tuple_row).execute("SELECT enabled FROM util.job").fetchone()


class OwnWorker(threading.Thread):
    """A foreign worker, as its owner wrote it: one event after another while its job is enabled."""

    def __init__(self, conninfo: str, may_begin: str) -> None:
        super().__init__()
        self._conninfo = conninfo
        self._may_begin = may_begin
        self.stop = threading.Event()

    def run(self) -> None:
        with connect(self._conninfo, autocommit=True) as conn:
            while not self.stop.wait(0.01):
                with conn.transaction():
                    conn.execute("SELECT pg_try_advisory_xact_lock_shared(hashtext('sitevault.pause'))")
                    if conn.execute(self._may_begin).fetchone() == (True,):  # type: ignore[call-overload]
                        conn.execute("SELECT staging.process_pending_events(1)")


def add_events(conn: psycopg.Connection[Any], most: int) -> None:
    conn.execute(
        sql.SQL(
            "INSERT INTO raw.site_tracking_events_r (tenant_hk, raw_payload) SELECT tenant_hk, raw_payload"
            " FROM raw.site_tracking_events_r CROSS JOIN generate_series(1, {})"
        ).format(sql.Literal(most // 5))
    )


def waiting(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute(
        "SELECT count(*) FROM raw.site_tracking_events_r WHERE processing_status = 'PENDING'"
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_the_owners_statements_pause_and_resume(with_job: Database) -> None:
    with guide(with_job, scheduler=SWITCH) as target:
        assert pause.pause(target, "r1", "deploying", SILENT).unpausable is None
        assert job(with_job) == (False,)
        assert pause.resume(target, SILENT, "r1")
        assert job(with_job) == (True,)
        assert [entry.step for entry in record.journal(target.ground)] == ["pause", "resume"]


def test_a_job_at_work_is_waited_for(with_job: Database) -> None:
    heard, done = Heard(), threading.Event()
    with guide(with_job, scheduler=SWITCH) as target, connect(with_job.admin_conninfo, autocommit=True) as admin:
        admin.execute("UPDATE util.job SET running = true")
        pausing = threading.Thread(
            target=lambda: (pause.pause(target, "r1", "deploying", heard.teller), done.set())
        )
        pausing.start()
        until(lambda: heard.said("Waiting for 1 at work"))
        assert not done.is_set()
        admin.execute("UPDATE util.job SET running = false")
        pausing.join(30)
        assert done.is_set()


def test_whoever_writes_staging_is_waited_for(with_job: Database) -> None:
    with guide(with_job, scheduler=SWITCH) as target, connect(with_job.admin_conninfo) as writer:
        writer.execute("UPDATE staging.site_tracking_events_s SET quality_score = 1")
        with pytest.raises(ReleaseBlockedError, match=r"Still at work: \w+ \(process"):
            pause.pause(target, "r1", "deploying", SILENT, patience=0.3)
        assert job(with_job) == (True,), "what could not be paused goes on"
        assert pause.in_force(target) is None


def test_landing_is_nobody_at_work(with_job: Database) -> None:
    with guide(with_job, scheduler=SWITCH) as target, connect(with_job.admin_conninfo) as collector:
        add_events(collector, 5)
        pause.pause(target, "r1", "deploying", SILENT, patience=0.3)


def test_a_statement_that_fails_leaves_everything_as_it_was(with_job: Database) -> None:
    broken = Scheduler(pause="SELECT nobody.pauses()", resume="UPDATE util.job SET enabled = true")
    with guide(with_job, scheduler=broken) as target:
        with pytest.raises(ReleaseBlockedError, match="asked to pause: 3F000"):
            pause.pause(target, "r1", "deploying", SILENT)
        assert pause.in_force(target) is None


def test_where_nothing_can_pause_the_jobs_it_is_said_and_the_row_is_set(incident_database: Database) -> None:
    heard = Heard()
    with guide(incident_database) as target:
        paused = pause.pause(target, "r1", "deploying", heard.teller)
        assert paused.unpausable is not None
        assert heard.said("[environments.testing.scheduler]")
        held = pause.in_force(target)
        assert held is not None
        assert held.message == "deploying"


def test_a_worker_that_asks_the_row_stands_still_in_a_pause_and_loses_nothing(incident_database: Database) -> None:
    may_begin = "SELECT NOT EXISTS (SELECT FROM sitevault_release.pause WHERE paused)"
    with guide(incident_database) as target, connect(incident_database.admin_conninfo, autocommit=True) as admin:
        incident.mend(admin)
        add_events(admin, 300)
        worker = OwnWorker(incident_database.admin_conninfo, may_begin)
        worker.start()
        try:
            until(lambda: waiting(admin) < 300)
            pause.pause(target, "r1", "deploying", SILENT)
            left = waiting(admin)
            add_events(admin, 5)
            landed = waiting(admin)
            assert not worker.stop.wait(0.3)
            assert waiting(admin) == landed > left > 0
            pause.resume(target, SILENT)
            until(lambda: waiting(admin) < landed)
        finally:
            worker.stop.set()
            worker.join()


def test_a_second_holder_is_refused_in_a_foreign_database_too(incident_database: Database) -> None:
    with guide(incident_database) as target:
        pause.pause(target, "r1", "first", SILENT)
        with pytest.raises(ReleaseBlockedError, match="first"):
            pause.pause(target, "r2", "second", SILENT)


# -- pg_cron -----------------------------------------------------------------------------------------------------


@pytest.fixture
def with_cron(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A server of its own with pg_cron in it; its jobs run in the database they are about."""
    settings = cluster._SETTINGS.read_text("utf-8")
    with temporary_home() as home:
        more = home / "postgresql.conf"
        more.write_text(settings + "\nshared_preload_libraries = 'pg_cron'\ncron.use_background_workers = on\n")
        monkeypatch.setattr(cluster, "_SETTINGS", more)
        with embedded.attach(home / "own", bindir=DEBIAN_15, durable=False) as server:
            database = open_embedded(Config(home=server.home), server).clone("postgres")
            with connect(database.admin_conninfo, autocommit=True) as admin:
                admin.execute("CREATE EXTENSION pg_cron")
                incident.build(admin)
                incident.mend(admin)
            yield database


@pytest.mark.skipif(not PG_CRON.exists(), reason="no pg_cron for PostgreSQL 15")
def test_the_jobs_of_pg_cron_are_set_inactive_and_exactly_those_set_back(with_cron: Database) -> None:
    with guide(with_cron) as target:
        schedule = "SELECT cron.schedule(%s, '* * * * *', 'SELECT staging.process_pending_events(10)')"
        jobs = [target.ground.one(schedule, (name,)) for name in ("stage", "off")]  # type: ignore[arg-type]
        off = (jobs[1] or (0,))[0]
        target.ground.one("SELECT cron.alter_job(%s, active => false)", (off,))  # type: ignore[arg-type]
        active = "SELECT jobname, active FROM cron.job ORDER BY jobid"
        pause.pause(target, "r1", "deploying", SILENT)
        assert target.ground.all(active) == [("stage", False), ("off", False)]
        pause.pause(target, "r1", "deploying", SILENT)
        pause.resume(target, SILENT)
        assert target.ground.all(active) == [("stage", True), ("off", False)]


def test_a_foreign_replay_by_hand_is_told_of_the_pause(incident_database: Database) -> None:
    with guide(incident_database) as target:
        incident.mend(target.ground.conn)
        pause.pause(target, "r1", "deploying", SILENT)
        through = foreign.choose(target.ground.conn, None)
        events = foreign.select(target.ground.conn, foreign.Selection(ids=(1, 2)))
        with pytest.raises(WorkersPausedError, match="deploying"):
            foreign.replay(target.ground.conn, through, events)
        assert foreign.replay(target.ground.conn, through, events[:1], while_paused=True).complete
        pause.resume(target, SILENT)
        assert foreign.replay(target.ground.conn, through, events[1:]).complete
