"""The release story's town: traffic that is remembered, jobs that can be paused, an account that can fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sitevault.db.connect import connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.demo import incident
from sitevault.demo.incident.scratch import scratch
from sitevault.demo.release import sources
from sitevault.demo.release.account import account, settle
from sitevault.demo.release.job import Job
from sitevault.demo.release.town import NAMES, build, town
from sitevault.demo.release.traffic import Traffic
from sitevault.release import bundle

RATE = 200.0


@pytest.fixture
def url(server: EmbeddedServer) -> Iterator[str]:
    with scratch(server, "release", build) as made:
        yield made


def until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.02)


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with connect(url) as conn:
        return conn.execute(statement.encode()).fetchall()


def test_what_was_acknowledged_is_there_as_sent_once_and_under_its_keys_owner(url: str) -> None:
    with connect(url) as conn:
        incident.mend(conn)
    with Traffic(url, RATE, seed=1).running() as traffic, Job(url).running():
        until(lambda: len(traffic.sent) > 100)
        traffic.stop()
        with connect(url, autocommit=True) as conn:
            assert settle(conn, 30) == 0
            found = account(conn, traffic.sent)
    assert found.complete
    assert found.outcomes == {"PROCESSED": found.acknowledged + 5}
    assert found.misplaced == (4, 5), "the incident's own, which its old door let in"
    assert not traffic.refused
    assert not traffic.in_doubt


@pytest.mark.parametrize(
    ("harm", "found_in"),
    [
        ("DELETE FROM raw.site_tracking_events_r WHERE raw_event_id = 6", "lost"),
        ("UPDATE raw.site_tracking_events_r SET raw_payload = '{}' WHERE raw_event_id = 6", "altered"),
        (
            "INSERT INTO raw.site_tracking_events_r (tenant_hk, api_key_hk, raw_payload) "
            "SELECT tenant_hk, api_key_hk, raw_payload FROM raw.site_tracking_events_r WHERE raw_event_id = 6",
            "doubled",
        ),
        (
            "UPDATE raw.site_tracking_events_r SET processing_status = 'PROCESSED' WHERE raw_event_id = 6",
            "in_no_place",
        ),
    ],
)
def test_the_account_finds_what_is_wrong(url: str, harm: str, found_in: str) -> None:
    with Traffic(url, RATE, seed=2).running() as traffic:
        until(lambda: len(traffic.sent) > 3)
    with connect(url, autocommit=True) as conn:
        assert account(conn, traffic.sent).complete
        conn.execute(harm.encode())
        found = account(conn, traffic.sent)
    assert getattr(found, found_in) == (6,)
    assert not found.complete


def test_a_job_that_is_paused_begins_nothing_and_events_go_on_coming(url: str) -> None:
    with connect(url) as conn:
        incident.mend(conn)
        conn.execute("UPDATE util.job SET active = false")
    with Traffic(url, RATE, seed=3).running() as traffic, Job(url).running():
        until(lambda: len(traffic.sent) > 50)
        assert rows(url, "SELECT count(*) FROM staging.site_tracking_events_s") == [(0,)]
        rows(url, "UPDATE util.job SET active = true RETURNING name")
        until(lambda: rows(url, "SELECT count(*) > 50 FROM staging.site_tracking_events_s") == [(True,)])


def test_traffic_that_is_refused_says_so_and_sends_the_same_event_again(url: str) -> None:
    with connect(url) as conn:
        incident.mend(conn)
        conn.execute("ALTER TABLE auth.api_key_h RENAME TO elsewhere")
    with Traffic(url, RATE, seed=4).running() as traffic:
        until(lambda: traffic.refused["42P01"] > 1)
        with connect(url) as conn:
            conn.execute("ALTER TABLE auth.elsewhere RENAME TO api_key_h")
        until(lambda: len(traffic.sent) > 3)
    with connect(url) as conn:
        assert account(conn, traffic.sent).complete


def test_the_town_has_four_environments_and_leaves_nothing_behind(server: EmbeddedServer) -> None:
    with town(server) as places:
        assert tuple(places) == NAMES
        until(lambda: all(place.traffic.sent for place in places.values()))
    with connect(server.superuser_conninfo()) as admin:
        left = admin.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'sitevault_release%' "
            "UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE 'sitevault_release%'"
        )
        assert left.fetchall() == []


@pytest.mark.parametrize("name", sources.RELEASES)
def test_each_release_of_the_story_is_one(tmp_path: Path, name: str) -> None:
    """Its authors did not see what is wrong with it, and neither does a build: that takes the environments."""
    made = bundle.build(sources.lay(tmp_path, name), "", lambda _: None)
    assert made.name == name
    assert made.claims


def test_the_function_that_was_edited_in_one_environment_has_the_same_name_and_another_digest(
    tmp_path: Path,
) -> None:
    directory = sources.lay(tmp_path, sources.SITE_FIX)
    before = bundle.build(directory, "", lambda _: None)
    sources.edit(directory)
    after = bundle.build(directory, "", lambda _: None)
    assert (after.name, after.version) == (before.name, before.version)
    assert after.digest != before.digest
