"""Pages: one spelling each; campaign tags and click ids."""

from __future__ import annotations

import json

import pytest

from landed import codes, page_view, page_view_with, stage
from sitevault.hashkeys import GHOST, hash_key
from sitevault.staging.enrich.url import canonical_url, query_tags, split_url


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM/Path/CaSe", "https://example.com/Path/CaSe"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("http://example.com:80/a", "http://example.com/a"),
        ("http://example.com:8080/a", "http://example.com:8080/a"),
        ("https://example.com:/a", "https://example.com/a"),
        ("https://example.com./a", "https://example.com/a"),
        ("https://jane:secret@example.com/a", "https://example.com/a"),
        ("https://bücher.example/ä b", "https://xn--bcher-kva.example/%C3%A4%20b"),
        ("https://BÜCHER.example/", "https://xn--bcher-kva.example/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("http://[2001:DB8::1]:8080/a", "http://[2001:db8::1]:8080/a"),
        ("http://localhost:3000/", "http://localhost:3000/"),
        ("https://example.com/a%2Fb/%7Ec", "https://example.com/a%2Fb/%7Ec"),
        ("  https://example.com/a ", "https://example.com/a"),
    ],
)
def test_a_page_has_one_spelling(sent: str, canonical: str) -> None:
    found = canonical_url(sent)
    assert found is not None
    assert found.url == canonical


@pytest.mark.parametrize(
    "sent",
    [
        "", "example.com/a", "/a", "app://home", "file:///etc/hosts", "javascript:alert(1)", "https://", "https:///a",
        "https://exa mple.com/", "https://example.com:port/", "https://example.com:123456/",
        "https://example.com:65536/", "https://example.com:٣/", "https://<b>/",
        "https://a..ü/",
        "https://[::1/", "https://[::1]x/", "about:blank", "http//example.com",
    ],
)  # fmt: skip
def test_this_is_no_page(sent: str) -> None:
    assert canonical_url(sent) is None


def test_query_and_fragment_are_not_part_of_a_page() -> None:
    assert split_url("https://e.com/a?x=1#top?no=1") == ("https://e.com/a", "x=1")
    assert split_url("https://e.com/a#top?no=1") == ("https://e.com/a", None)
    assert split_url("https://e.com/a?") == ("https://e.com/a", None)


def test_the_query_is_kept_apart() -> None:
    event = stage(page_view(page_url="https://example.com/a?x=1&y=2#z"))
    assert (event.page_url, event.page_query) == ("https://example.com/a", "x=1&y=2")


def test_a_path_without_a_host_is_of_the_requests_origin() -> None:
    assert stage(page_view(page_url="/pricing?x=1")).page_url == "https://example.com/pricing"
    assert stage(page_view(page_url="//cdn.example.com/a")).page_url == "https://cdn.example.com/a"
    assert codes(stage(page_view(page_url="/pricing"), origin=None)) == ["validate.page_url_malformed"]


def test_pages_that_differ_only_in_their_query_are_one_page() -> None:
    one, other = (stage(page_view(page_url=f"https://EXAMPLE.com:443/a?x={n}")) for n in (1, 2))
    assert one.page_hk == other.page_hk == hash_key("page", one.tenant_hk, "example.com/a")


def test_an_event_without_a_page_refers_to_the_ghost() -> None:
    assert stage(page_view(event_type="click", page_url=None)).page_hk == GHOST


def test_campaign_tags_are_read_from_the_pages_query() -> None:
    query = (
        "utm_source=News%20Letter&UTM_Medium=e-mail&utm_campaign=spring+sale&utm_term=a&utm_content=b&utm_term=c"
    )
    event = stage(page_view(page_url=f"https://example.com/?{query}"))
    tags = (event.utm_source, event.utm_medium, event.utm_campaign, event.utm_term, event.utm_content)
    assert tags == ("News Letter", "e-mail", "spring sale", "a", "b")


def test_a_tag_in_the_payload_beats_the_pages_query() -> None:
    event = stage(page_view(utm_source="own", page_url="https://example.com/?utm_source=query&utm_medium=email"))
    assert (event.utm_source, event.utm_medium) == ("own", "email")


def test_an_encoded_nul_in_a_tag_does_not_reach_the_database() -> None:
    event = stage(page_view(page_url="https://example.com/?utm_source=a%00b"))
    assert event.utm_source == "ab"


@pytest.mark.parametrize("kind", ["gclid", "fbclid", "msclkid", "ttclid"])
def test_of_a_click_id_only_the_kind_is_read(kind: str) -> None:
    event = stage(page_view(page_url=f"https://example.com/?{kind}=Cj0KCQ"))
    assert event.click_id_kind == kind
    assert event.properties is None


def test_an_empty_click_id_is_none() -> None:
    assert query_tags("gclid=&x=1").click_id is None


def test_a_query_of_very_many_parameters_is_read_in_part() -> None:
    assert query_tags("&".join(["x=1"] * 5000 + ["utm_source=late"])).utm == {}


def test_campaign_keys_tell_missing_tags_apart() -> None:
    campaigns = [
        stage(page_view_with(utm_source=source, utm_medium=medium)).campaign_hk
        for source, medium in (("a", "b"), ("a", None), (None, "a"), (None, None), ("ab", None))
    ]
    assert len(set(campaigns)) == 5
    assert campaigns[3] == GHOST


def test_a_page_that_is_no_url_leaves_no_trace_in_the_page_columns() -> None:
    event = stage(page_view(page_url="app://home?utm_source=x"))
    assert (event.page_url, event.page_query, event.utm_source) == (None, None, None)
    assert json.loads(event.validation_errors) == [{"code": "validate.page_url_malformed", "field": "page_url"}]
