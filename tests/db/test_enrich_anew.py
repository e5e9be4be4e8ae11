"""Enriching anew: raw and the event's row stay; what newer data says is a satellite row beside them."""

from __future__ import annotations

import pytest

from given import Sender, land, page_view, row, sender
from observing import as_superuser, drain, judging
from replaying import MARTS, VAULT, assert_confirmed, contents
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.replay.enrich import ENRICHMENTS, Enriched, enrich
from sitevault.replay.rebuild import rebuild
from sitevault.staging import steps

SATELLITE = "business.site_event_enrichment_s"


@pytest.fixture
def loaded(database: Database) -> Sender:
    who = sender(database)
    land(database, [row(who, page_view(number)) for number in range(9)])
    drain(database)
    return who


@pytest.fixture
def newer_bots(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot list that knows the browser of every test's visitor."""
    monkeypatch.setattr(steps, "bot_evidence", lambda text: "newer list")


def again(database: Database, name: str = "bot", *, dry_run: bool = False) -> Enriched:
    return enrich(database, Config(), name, dry_run=dry_run)


@pytest.mark.parametrize("name", ENRICHMENTS)
def test_the_same_data_says_the_same(database: Database, loaded: Sender, name: str) -> None:
    done = again(database, name)
    assert (done.looked_at, done.changed) == (9, 0)
    assert contents(database, SATELLITE)[SATELLITE] == []


def test_newer_data_becomes_a_row_beside_the_event(database: Database, loaded: Sender, newer_bots: None) -> None:
    before = contents(database, *VAULT, "raw.landed_event")
    done = again(database)
    assert done.changed == 9
    assert done.values == {("is_bot", "False", "True"): 9}
    assert contents(database, *VAULT, "raw.landed_event") == before
    with judging(database) as judge:
        found = judge.execute(
            "SELECT is_bot, enriched_at IS NULL, count(*) FROM business.site_event_v GROUP BY 1, 2"
        )
        assert found.fetchall() == [(True, False, 9)]
    assert_confirmed(database)


def test_a_dry_run_counts_and_writes_nothing(database: Database, loaded: Sender, newer_bots: None) -> None:
    done = again(database, dry_run=True)
    assert done.values == {("is_bot", "False", "True"): 9}
    assert contents(database, SATELLITE, "ops.replay") == {SATELLITE: [], "ops.replay": []}


def test_enriching_again_adds_nothing(database: Database, loaded: Sender, newer_bots: None) -> None:
    again(database)
    before = contents(database, SATELLITE, *MARTS)
    assert again(database).changed == 0
    assert contents(database, SATELLITE, *MARTS) == before


def test_the_marts_show_what_is_known_today(database: Database, loaded: Sender, newer_bots: None) -> None:
    again(database)
    with judging(database) as judge:
        assert judge.execute("SELECT bool_and(is_bot) FROM mart.session_f").fetchone() == (True,)
        assert judge.execute("SELECT sum(bot_events)::int FROM mart.event_day_f").fetchone() == (9,)
        assert judge.execute("SELECT sum(page_views)::int FROM mart.page_day_f").fetchone() == (0,)
    assert rebuild(database, Config(), "marts").as_dict()["identical"]


def test_a_later_enrichment_keeps_what_an_earlier_one_found(
    database: Database, loaded: Sender, newer_bots: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    again(database)
    as_superuser(database, "UPDATE raw.landed_event SET geo_hint = 'AT'")
    assert again(database, "geo").values == {("country", "None", "AT"): 9}
    with judging(database) as judge:
        found = judge.execute("SELECT DISTINCT is_bot, country FROM business.site_event_v")
        assert found.fetchall() == [(True, "AT")]
        assert judge.execute(f"SELECT count(*) FROM {SATELLITE}").fetchone() == (18,)  # type: ignore[arg-type]


def test_only_the_named_tenant_is_enriched(database: Database, loaded: Sender, newer_bots: None) -> None:
    other = sender(database, "Test Company")
    land(database, [row(other, page_view(1))])
    as_superuser(database, "UPDATE raw.landed_event SET geo_hint = NULL")
    drain(database)
    done = enrich(database, Config(), "bot", tenant_hk=loaded.tenant_hk)
    assert done.looked_at == 9
