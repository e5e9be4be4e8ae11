"""A release takes its locks all at once or not at all: it keeps nobody waiting, and is in no deadlock."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
from targets import guide

from sitevault.db.connect import Database, connect
from sitevault.release import locks, probe
from sitevault.release.model import Bundle, Expectation, seal
from sitevault.release.target import Target

RAW, STAGING = "raw.site_tracking_events_r", "staging.site_tracking_events_s"


@pytest.fixture
def target(incident_database: Database) -> Iterator[Target]:
    with guide(incident_database) as made:
        yield made


def test_while_one_table_is_not_to_be_had_nobody_waits_for_the_other(
    target: Target, incident_database: Database
) -> None:
    """Two seconds of attempts, and every insert in between finds the table free at once or in an instant."""
    done = threading.Event()
    inserted: list[int] = []

    def site() -> None:
        with connect(incident_database.admin_conninfo, autocommit=True) as conn:
            conn.execute("SET lock_timeout = '500ms'")
            while not done.is_set():
                conn.execute(
                    "UPDATE raw.site_tracking_events_r SET retry_count = retry_count WHERE raw_event_id = 1"
                )
                inserted.append(1)

    def attempt() -> None:
        with target.ground.transaction():
            locks.take(target, [RAW, STAGING], seconds=1)

    with connect(incident_database.admin_conninfo) as report:
        report.execute("LOCK TABLE staging.site_tracking_events_s IN ACCESS SHARE MODE")
        traffic = threading.Thread(target=site)
        traffic.start()
        try:
            with pytest.raises(psycopg.errors.LockNotAvailable):
                attempt()
        finally:
            done.set()
            traffic.join()
        assert len(inserted) > 10
    attempt()


def test_an_event_that_somebody_works_on_is_left_out_and_not_waited_for(
    target: Target, incident_database: Database
) -> None:
    with connect(incident_database.admin_conninfo) as job:
        job.execute("SELECT 1 FROM raw.site_tracking_events_r WHERE raw_event_id = 2 FOR UPDATE")
        with target.ground.transaction():
            found = probe.probe(target)
    assert found.outputs
    assert all(set(outputs) == {1, 3, 4, 5} for outputs in found.outputs.values())


def test_an_event_that_was_in_use_is_neither_better_nor_worse(target: Target, incident_database: Database) -> None:
    with connect(incident_database.admin_conninfo) as job, target.ground.transaction():
        old = probe.probe(target)
        job.execute("SELECT 1 FROM raw.site_tracking_events_r WHERE raw_event_id = 2 FOR UPDATE")
        new = probe.probe(target)
    verdicts = {one.verdict for one in probe.compare(old, new).events if one.event == 2}
    assert verdicts == {probe.Verdict.SAME}


def test_the_tables_of_a_bundle_are_those_it_alters(target: Target) -> None:
    made = seal(
        bundle(
            Expectation("column", f"{STAGING}.extra", '{"relation": "staging.site_tracking_events_s"}'),
            Expectation("column", f"{RAW}.error_message", None),
            Expectation("function", "staging.browser_of(p_event_data jsonb)", "{}"),
        )
    )
    assert locks.relations(made, target.snapshot()) == [RAW, STAGING]


def bundle(*expected: Expectation) -> Bundle:
    return Bundle(
        format=1, name="fix", version="1", shape="guide", author="grace", sitevault="0", postgresql=15,
        base_sha256="", migrations=(), objects=(), settings=(), staging="", parameters=(), claims=(),
        expected=expected,
    )  # fmt: skip
