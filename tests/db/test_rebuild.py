"""Rebuild: an intact database is rebuilt as it is; damage is found, and mended only where that is agreed to."""

from __future__ import annotations

import threading

import pytest

from given import Sender, land, page_view, row, sender
from observing import accept_poison, as_superuser, drain, land_every_fate
from replaying import MARTS, VAULT, assert_confirmed, contents, replay
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.replay.rebuild import LEVELS, Level, Rebuilt, rebuild

STAGING = "staging.site_tracking_events_s"


@pytest.fixture
def loaded(database: Database) -> Sender:
    """A tenant with events of every fate, users and campaigns, in several loads; and another tenant."""
    who = sender(database)
    other = sender(database, "Test Company")
    land_every_fate(database, who)
    accept_poison(database)
    drain(database)
    for number in range(3):
        more = [
            page_view(
                10 * number + place + 10,
                page_title=f"Title {number}",
                user_id=f"user-{place % 2}",
                page_url=f"https://spa.example/{place}?utm_source=news&utm_campaign=c{number}",
            )
            for place in range(6)
        ]
        land(database, [row(who, event) for event in more], [row(other, event) for event in more])
        drain(database)
    return who


def rebuilt(database: Database, level: Level, *, accept: bool = False) -> Rebuilt:
    return rebuild(database, Config(), level, accept_differences=accept)


@pytest.mark.parametrize("level", LEVELS)
def test_an_intact_database_is_rebuilt_as_it_is(database: Database, loaded: Sender, level: Level) -> None:
    result = rebuilt(database, level)
    assert result.as_dict()["tenants"] == {}
    assert result.as_dict()["identical"]


def test_replayed_and_patched_events_are_rebuilt_as_they_are(database: Database, loaded: Sender) -> None:
    from test_replay import NAME_IT, nameless

    land(database, [row(loaded, nameless(500)), row(loaded, nameless(501))])
    drain(database)
    replay(database, statuses=("INVALID", "ERROR"), steps=NAME_IT, reason="mended")
    for level in LEVELS:
        assert rebuilt(database, level).as_dict()["tenants"] == {}, level


@pytest.mark.parametrize(
    ("level", "sabotage", "table", "kind"),
    [
        ("staging", "UPDATE {} SET page_title = 'x' WHERE page_title = 'Title 1'", STAGING, "changed"),
        ("staging", "DELETE FROM {} WHERE page_title = 'Title 1'", STAGING, "missing"),
        ("vault", "UPDATE {} SET channel = 'paid'", "business.site_event_nl", "changed"),
        ("vault", "DELETE FROM {} WHERE channel IS NOT NULL", "business.site_event_nl", "missing"),
        ("vault", "UPDATE {} SET client_ip = '192.0.2.1'", "business.site_event_pii_ns", "changed"),
        ("vault", "DELETE FROM {} WHERE visitor_bk IS NOT NULL", "business.site_visitor_h", "missing"),
        ("vault", "UPDATE {} SET page_bk = page_bk || 'x'", "business.site_page_h", "changed"),
        ("vault", "DELETE FROM {}", "business.site_session_visitor_l", "missing"),
        ("vault", "UPDATE {} SET browser = 'Lynx'", "business.site_visitor_details_s", "changed"),
        ("vault", "DELETE FROM {}", "business.site_event_duplicate", "missing"),
        ("marts", "UPDATE {} SET events = events + 1", "mart.session_f", "changed"),
        ("marts", "DELETE FROM {}", "mart.page_day_f", "missing"),
        ("marts", "UPDATE {} SET event_type = 'y' || event_type", "mart.event_day_f", "extra"),
    ],
)  # fmt: skip
def test_damage_is_found_and_mended_where_that_is_agreed(
    database: Database, loaded: Sender, level: Level, sabotage: str, table: str, kind: str
) -> None:
    before = contents(database, table)
    as_superuser(database, sabotage.format(table))
    damaged = contents(database, table)
    assert damaged != before
    found = rebuilt(database, level)
    assert any(counts.get(table, {}).get(kind) for counts in found.as_dict()["tenants"].values())
    assert contents(database, table) == damaged
    assert rebuilt(database, level, accept=True).swapped
    assert rebuilt(database, level).as_dict()["tenants"] == {}
    if kind == "changed":
        assert contents(database, table) == before
    assert_confirmed(database)


def test_the_marts_follow_a_mended_vault(database: Database, loaded: Sender) -> None:
    before = contents(database, *MARTS)
    as_superuser(
        database,
        "UPDATE business.site_event_nl SET is_bot = NOT is_bot",
        "UPDATE mart.session_f SET is_bot = NOT is_bot",
    )
    rebuilt(database, "vault", accept=True)
    assert contents(database, *MARTS) == before


def test_personal_data_that_was_erased_does_not_come_back(database: Database, loaded: Sender) -> None:
    as_superuser(database, "DELETE FROM business.site_event_pii_ns")
    assert rebuilt(database, "vault", accept=True).as_dict()["identical"]
    assert contents(database, "business.site_event_pii_ns")["business.site_event_pii_ns"] == []


def test_what_has_no_raw_any_more_is_kept(database: Database, loaded: Sender) -> None:
    before = contents(database, *VAULT)
    as_superuser(database, "DELETE FROM raw.landed_event")
    result = rebuilt(database, "vault", accept=True)
    assert not result.swapped
    kinds = {
        kind for tables in result.as_dict()["tenants"].values() for kinds in tables.values() for kind in kinds
    }
    assert kinds == {"kept"}
    assert contents(database, *VAULT) == before


def test_an_event_the_rules_judge_otherwise_today_is_left_to_a_replay(database: Database, loaded: Sender) -> None:
    as_superuser(
        database,
        "INSERT INTO staging.event_schema_s SELECT tenant_hk, 'page_view', now(),"
        " '{\"required\": [\"no such field\"]}', 'active', 'test' FROM auth.tenant_h",
    )
    vault = contents(database, *VAULT)
    result = rebuilt(database, "vault", accept=True)
    counts = result.as_dict()["tenants"][loaded.tenant_bk]["business.site_event_nl"]
    assert set(counts) == {"moved"}
    assert (
        contents(database, "business.site_event_nl")["business.site_event_nl"] == vault["business.site_event_nl"]
    )
    assert_confirmed(database)


def test_workers_go_on_while_everything_is_rebuilt(database: Database, loaded: Sender) -> None:
    stop = threading.Event()

    def traffic() -> None:
        number = 10_000
        while not stop.is_set():
            land(database, [row(loaded, page_view(number + place)) for place in range(20)])
            drain(database)
            number += 20

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        as_superuser(database, "UPDATE mart.page_day_f SET events = events + 5 WHERE day < current_date + 1")
        for level in LEVELS:
            found = rebuilt(database, level, accept=True)
            if level != "marts":
                assert found.as_dict()["tenants"] == {} or found.swapped
    finally:
        stop.set()
        thread.join()
    for level in LEVELS:
        assert rebuilt(database, level).as_dict()["tenants"] == {}, level
    assert_confirmed(database)
