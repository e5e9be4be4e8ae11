"""Where visitors come from: source and channel."""

from __future__ import annotations

import pytest

from landed import page_view, page_view_with, stage
from sitevault.staging.enrich.referrer import CLICK_IDS, TABLE, Channel, is_internal, known_host, origin_of

LISTED = [(host.replace(".*", ".co.uk"), row.name, row.channel) for row in TABLE.source for host in row.hosts]


@pytest.mark.parametrize(("host", "name", "channel"), LISTED, ids=lambda text: str(text))
def test_every_listed_host_and_its_subdomains_are_found(host: str, name: str, channel: str) -> None:
    assert known_host(host) == (name, channel)
    assert known_host(f"www.{host}") == (name, channel)


def test_every_host_is_listed_once() -> None:
    hosts = [host for host, _, _ in LISTED]
    assert len(hosts) == len(set(hosts))


@pytest.mark.parametrize(
    "host", ["google.evil.com", "notgoogle.com", "facebook.com.evil.net", "com", "example.com"]
)
def test_a_host_that_only_looks_like_a_known_one_is_not(host: str) -> None:
    assert known_host(host) is None


@pytest.mark.parametrize(
    ("referrer", "source", "channel"),
    [
        (None, "direct", "direct"),
        ("https://example.com/other", "example.com", "internal"),
        ("https://www.example.com/other", "example.com", "internal"),
        ("https://shop.example.com/", "example.com", "internal"),
        ("https://www.google.de/", "google", "organic_search"),
        ("https://duckduckgo.com/", "duckduckgo", "organic_search"),
        ("https://l.facebook.com/l.php?u=x", "facebook", "social"),
        ("https://t.co/abc", "x", "social"),
        ("https://chatgpt.com/", "chatgpt", "ai_assistant"),
        ("https://www.perplexity.ai/search", "perplexity", "ai_assistant"),
        ("https://mail.google.com/", "gmail", "email"),
        ("https://gemini.google.com/app", "gemini", "ai_assistant"),
        ("android-app://com.google.android.gm/", "gmail", "email"),
        ("https://www.blog.example.org/post", "blog.example.org", "referral"),
        ("not a url", "direct", "direct"),
    ],
)
def test_a_referrer_says_source_and_channel(referrer: str | None, source: str, channel: str) -> None:
    event = stage(page_view_with(referrer=referrer))
    assert (event.source, event.channel) == (source, channel)


@pytest.mark.parametrize(
    ("source", "medium", "expected"),
    [
        ("google", "cpc", ("google", "paid_search")),
        ("facebook", "cpc", ("facebook", "paid_social")),
        ("fb", "paid_social", ("facebook", "paid_social")),
        ("Newsletter", "Email", ("newsletter", "email")),
        ("partner-1", "affiliate", ("partner-1", "affiliate")),
        ("chatgpt.com", None, ("chatgpt", "ai_assistant")),
        ("instagram", None, ("instagram", "social")),
        ("google", None, ("google", "campaign")),
        ("poster", "qr", ("poster", "campaign")),
        (None, "email", (None, "email")),
    ],
)
def test_campaign_tags_say_source_and_channel(
    source: str | None, medium: str | None, expected: tuple[str | None, str]
) -> None:
    event = stage(page_view_with(utm_source=source, utm_medium=medium))
    assert (event.source, event.channel) == expected


def test_campaign_tags_come_before_the_referrer() -> None:
    event = stage(page_view_with(utm_source="news", utm_medium="email", referrer="https://www.google.com/"))
    assert (event.source, event.channel, event.referrer_host) == ("news", "email", "www.google.com")


@pytest.mark.parametrize("kind", list(CLICK_IDS))
def test_a_click_id_comes_before_the_referrer(kind: str) -> None:
    event = stage(page_view(page_url=f"https://example.com/?{kind}=1", referrer="https://www.example.org/"))
    assert (event.source, event.channel) == (CLICK_IDS[kind].source, CLICK_IDS[kind].channel)


def test_a_click_id_says_the_channel_when_the_tags_do_not() -> None:
    assert origin_of("google", None, "spring", "gclid", None, None) == ("google", Channel.PAID_SEARCH)


def test_a_campaign_without_a_source_takes_the_referrers() -> None:
    assert origin_of(None, None, "spring", None, "www.google.com", None) == ("google", Channel.CAMPAIGN)


def test_of_a_referrer_the_query_is_not_kept() -> None:
    event = stage(page_view_with(referrer="https://www.Example.org/search?q=my+illness#x"))
    assert event.referrer_url == "https://www.example.org/search"
    assert b"illness" not in (event.properties or b"")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a.com", "www.a.com", True),
        ("b.a.com", "a.com", True),
        ("xa.com", "a.com", False),
        ("a.com", "b.com", False),
    ],
)
def test_a_site_is_a_host_and_what_is_below_it(one: str, other: str, same: bool) -> None:
    assert is_internal(one, other) is same
