"""Clock, user agent, bots, addresses and places."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from landed import CHROME, RECEIVED, SECRET, TENANT, codes, findings, page_view, page_view_with, stage
from sitevault.errors import ConfigurationError
from sitevault.staging.enrich.bot import bot_evidence
from sitevault.staging.enrich.clock import derive_time
from sitevault.staging.enrich.ip import keep_ip, read_ip
from sitevault.staging.enrich.user_agent import read_user_agent
from sitevault.staging.model import TenantRules
from sitevault.staging.stage import Stager

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.2 Mobile/15E148 Safari/604.1"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0"
GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


# -- clock ----------------------------------------------------------------------------------------------------
def at(seconds: float) -> datetime:
    return RECEIVED + timedelta(seconds=seconds)


def test_a_good_clock_is_believed() -> None:
    assert derive_time(at(-10), at(-1), RECEIVED, 30) == (at(-10), False, False, False)


@pytest.mark.parametrize("skew", [-86_400 * 365 * 50, -3600, -6, 6, 3600, 86_400 * 365])
def test_a_wrong_clock_is_corrected_by_what_it_says_it_is(skew: float) -> None:
    derived = derive_time(at(skew - 10), at(skew), RECEIVED, 30)
    assert (derived.occurred_at, derived.corrected) == (at(-10), True)


def test_five_seconds_are_a_journey_and_no_error() -> None:
    assert derive_time(at(-10), at(-5), RECEIVED, 30).corrected is False


def test_nothing_happens_after_it_was_sent() -> None:
    assert derive_time(at(4000), at(3600), RECEIVED, 30).occurred_at == RECEIVED


def test_an_event_kept_offline_for_days_keeps_its_time() -> None:
    assert derive_time(at(-3 * 86_400), at(0), RECEIVED, 30).occurred_at == at(-3 * 86_400)


@pytest.mark.parametrize("away", [-31 * 86_400, 86_401])
def test_what_cannot_be_believed_is_replaced_by_the_received_time(away: float) -> None:
    derived = derive_time(at(away), None, RECEIVED, 30)
    assert (derived.occurred_at, derived.too_old, derived.in_future) == (RECEIVED, away < 0, away > 0)


def test_a_correction_is_noted_and_costs_nothing() -> None:
    event = stage(page_view(timestamp="2026-01-15T08:00:00Z", sent_at="2026-01-15T08:00:11Z"))
    assert event.occurred_at == datetime(2026, 1, 15, 9, 59, 50, tzinfo=UTC)
    assert findings(event) == [("enrich.clock_corrected", "occurred_at")]
    assert (event.validation_status, str(event.quality_score)) == ("VALID", "1.00")


def test_an_unreadable_sent_at_corrects_nothing() -> None:
    assert codes(stage(page_view(sent_at="soon"))) == []


# -- user agent -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "client"),
    [
        (CHROME, ("Chrome", "120", "Windows", "10", "desktop")),
        (IPHONE, ("Mobile Safari", "17.2", "iOS", "17.2", "mobile")),
        (FIREFOX, ("Firefox", "121", "Linux", None, "desktop")),
        ("nonsense", (None, None, None, None, "other")),
    ],
)
def test_a_user_agent_says_browser_system_and_device(text: str, client: tuple[str | None, ...]) -> None:
    assert read_user_agent(text) == client


@pytest.mark.parametrize(
    ("text", "device_class"),
    [
        (
            "Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
            "tablet",
        ),
        ("Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36", "tablet"),
        (
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/120.0.0.0 Mobile Safari/537.36",
            "mobile",
        ),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 Version/6.0 TV Safari/537.36", "tv"),
        ("Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 Chrome/79.0.3945.79 Safari/537.36", "tv"),
        ("Mozilla/5.0 (X11; CrOS x86_64 15236.80.0) AppleWebKit/537.36 Chrome/109.0.0.0 Safari/537.36", "desktop"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.1 Safari/605.1.15",
            "desktop",
        ),
        (GOOGLEBOT, "bot"),
    ],
)
def test_a_user_agent_says_the_class_of_device(text: str, device_class: str) -> None:
    assert read_user_agent(text).device_class == device_class


def test_a_client_that_declares_its_class_is_believed() -> None:
    assert stage(page_view_with(device_type="Tablet")).device_class == "tablet"


def test_a_class_nobody_knows_is_not() -> None:
    assert stage(page_view_with(device_type="toaster")).device_class == "desktop"


def test_a_bot_cannot_declare_itself_a_desktop() -> None:
    assert stage(page_view_with(device_type="desktop"), user_agent=GOOGLEBOT).device_class == "bot"


def test_a_server_may_relay_its_visitors_user_agent() -> None:
    event = stage(page_view(context={"userAgent": IPHONE}), user_agent="python-httpx/0.27")
    assert (event.user_agent, event.browser, event.is_bot) == (IPHONE, "Mobile Safari", False)


def test_without_a_user_agent_the_client_s_own_words_are_taken() -> None:
    event = stage(page_view_with(browser="Chrome", os="Windows", device_type="desktop"), user_agent=None)
    assert (event.browser, event.os, event.device_class) == ("Chrome", "Windows", "desktop")


# -- bots -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        (GOOGLEBOT, "crawler: Googlebot\\/"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/120.0.0.0",
            "headless: HeadlessChrome",
        ),
        ("curl/8.4.0", "crawler: ^curl"),
        (CHROME, None),
        (IPHONE, None),
        (FIREFOX, None),
    ],
)
def test_a_program_is_known_by_its_user_agent(text: str, evidence: str | None) -> None:
    assert bot_evidence(text) == evidence


def test_every_crawler_the_community_lists_is_known_and_by_the_communitys_own_patterns() -> None:
    for row in CRAWLER_USER_AGENTS_DATA:
        for user_agent in row["instances"]:
            evidence = bot_evidence(user_agent)
            assert evidence is not None
            kind, _, pattern = evidence.partition(": ")
            assert kind == "headless" or re.search(pattern, user_agent)


@pytest.mark.parametrize("user_agent", [None, "", "  "])
def test_no_user_agent_is_evidence_of_a_program(user_agent: str | None) -> None:
    event = stage(page_view(), user_agent=user_agent)
    assert (event.is_bot, event.bot_evidence, event.user_agent) == (True, "user_agent: empty", None)


def test_a_driven_browser_gives_itself_away() -> None:
    event = stage(page_view_with(webdriver=True))
    assert (event.is_bot, event.bot_evidence) == (True, "webdriver")
    assert stage(page_view_with(webdriver=False)).is_bot is False


def test_a_bot_is_flagged_and_never_dropped() -> None:
    event = stage(page_view(), user_agent=GOOGLEBOT)
    assert (event.validation_status, event.is_bot, codes(event)) == ("VALID", True, ["enrich.bot_detected"])
    assert str(event.quality_score) == "1.00"


# -- addresses ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("address", "policy", "kept"),
    [
        ("203.0.113.77", "truncate", "203.0.113.0"),
        ("203.0.113.77", "full", "203.0.113.77"),
        ("203.0.113.77", "none", None),
        ("203.0.113.77", "a policy nobody knows", None),
        ("203.0.113.77:4711", "full", "203.0.113.77"),
        ("2001:db8:1234:5678:9abc:def0:1:2", "truncate", "2001:db8:1234::"),
        ("[2001:db8:1234::1]:443", "truncate", "2001:db8:1234::"),
        ("fe80::1%eth0", "full", "fe80::1"),
        ("::ffff:203.0.113.77", "truncate", "203.0.113.0"),
        ("not an address", "full", None),
        ("", "full", None),
        ("999.1.1.1", "truncate", None),
    ],
)
def test_of_an_address_as_much_is_kept_as_the_policy_allows(address: str, policy: str, kept: str | None) -> None:
    assert keep_ip(address, policy) == kept


def test_addresses_are_cut_unless_the_tenant_says_otherwise() -> None:
    assert stage(page_view()).client_ip == "203.0.113.0"
    assert stage(page_view(), rules=TenantRules(TENANT, SECRET, "full")).client_ip == "203.0.113.77"
    assert stage(page_view(), rules=TenantRules(TENANT, SECRET, "none")).client_ip is None


def test_a_relayed_address_that_is_none_gives_way_to_the_connections() -> None:
    assert stage(page_view(ip="unknown")).client_ip == "203.0.113.0"


def test_an_address_is_read_whatever_surrounds_it() -> None:
    assert str(read_ip(" [::1%lo]:80 ")) == "::1"


# -- places ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def geo_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="Test-City", languages=["en"])
    writer.insert_network(
        IPSet(["203.0.113.64/26"]),
        {
            "country": {"iso_code": "DE", "names": {"en": "Germany"}},
            "subdivisions": [{"iso_code": "BE", "names": {"en": "Land Berlin"}}],
            "city": {"names": {"en": "Berlin"}},
        },
    )
    writer.insert_network(IPSet(["198.51.100.0/24"]), {"registered_country": {"iso_code": "FR"}})
    writer.insert_network(IPSet(["192.0.2.0/24"]), {"country": "broken"})
    path = tmp_path_factory.mktemp("geo") / "city.mmdb"
    writer.to_db_file(str(path))
    return path


def test_an_address_is_looked_up_before_it_is_cut(geo_database: Path) -> None:
    event = stage(page_view(), stager=Stager(geo_database=geo_database))
    assert (event.country, event.region, event.city) == ("DE", "Land Berlin", "Berlin")
    assert event.client_ip == "203.0.113.0"  # on its own it would be found nowhere


def test_a_place_without_city_is_a_country(geo_database: Path) -> None:
    event = stage(page_view(), stager=Stager(geo_database=geo_database), client_ip="198.51.100.1")
    assert (event.country, event.region, event.city) == ("FR", None, None)


def test_the_proxys_hint_counts_where_the_database_knows_nothing(geo_database: Path) -> None:
    stager = Stager(geo_database=geo_database)
    assert stage(page_view(), stager=stager, client_ip="8.8.8.8", geo_hint="us").country == "US"
    assert stage(page_view(), stager=stager, geo_hint="us").country == "DE"


@pytest.mark.parametrize("hint", ["XX", "T1", "Germany", "", "1"])
def test_a_hint_that_names_no_country_is_none(hint: str) -> None:
    assert stage(page_view(), geo_hint=hint).country is None


def test_the_proxys_hint_is_not_about_a_relayed_address() -> None:
    assert stage(page_view(ip="198.51.100.9"), geo_hint="US").country is None


def test_a_broken_entry_costs_the_place_and_not_the_event(geo_database: Path) -> None:
    event = stage(page_view(), stager=Stager(geo_database=geo_database), client_ip="192.0.2.1")
    assert (event.enrichment_status, event.country) == ("PARTIAL", None)
    assert findings(event) == [("enrich.step_failed", "locate")]


def test_a_geo_database_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mmdb"
    broken.write_bytes(b"not a database")
    for path in (broken, tmp_path / "absent.mmdb"):
        with pytest.raises(ConfigurationError, match="geo database"):
            Stager(geo_database=path)
