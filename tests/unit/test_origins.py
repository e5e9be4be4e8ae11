"""An origin is allowed by being on the list, never by resembling what is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitevault.errors import UsageError
from sitevault.tenancy.keyring import KeyGrant, origin_allowed
from sitevault.tenancy.keys import KeyKind
from sitevault.tenancy.origins import checked, matches, normalise

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
HOST = st.lists(LABEL, min_size=2, max_size=5).map(".".join)
SCHEME = st.sampled_from(["http", "https"])


def grant(kind: KeyKind, *origins: str) -> KeyGrant:
    return KeyGrant(bytes(32), bytes(32), kind, tuple(checked(origins)), None)


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("https://example.com", "https://example.com"),
        ("https://Example.COM", "HTTPS://example.com"),
        ("https://example.com:443", "https://example.com"),
        ("http://example.com", "http://example.com:80"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("https://*.example.com", "https://www.example.com"),
        ("https://*.example.com", "https://a.b.example.com"),
        ("https://*.example.com:8443", "https://www.example.com:8443"),
        ("http://*.localhost", "http://shop.localhost"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*", "https://anything.example"),
        ("null", "null"),
    ],
)
def test_a_listed_origin_is_allowed(entry: str, origin: str) -> None:
    assert matches(checked([entry]), origin)


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("https://example.com", "http://example.com"),
        ("https://example.com", "https://www.example.com"),
        ("https://example.com", "https://example.com.evil.test"),
        ("https://example.com", "https://evil-example.com"),
        ("https://example.com", "https://example.com:8443"),
        ("https://example.com", "https://example.com/"),
        ("https://example.com", "https://evil.test@example.com"),
        ("https://example.com", "https://example.com\n"),
        ("https://*.example.com", "https://example.com"),
        ("https://*.example.com", "https://.example.com"),
        ("https://*.example.com", "https://evil-example.com"),
        ("https://*.example.com", "https://evil.test?.example.com"),
        ("https://*.example.com", "https://evil.test/.example.com"),
        ("https://*.example.com", "https://evil.test:1/.example.com"),
        ("https://*.example.com", "https://*.example.com"),
        ("https://*.example.com", "http://www.example.com"),
        ("https://*.example.com", "https://www.example.com:8443"),
        ("*", "null"),
        ("*", "not an origin"),
        ("*", ""),
        ("null", "https://null"),
    ],
)
def test_what_only_resembles_a_listed_origin_is_not_allowed(entry: str, origin: str) -> None:
    assert not matches(checked([entry]), origin)


@pytest.mark.parametrize(
    ("entry", "advice"),
    [
        ("example.com", "https://example.com"),
        ("https://example.com/", "without a path"),
        ("https://münchen.example", "xn--"),
        ("https://*.com", "Name the domain"),
        ("https://www.*.com", "scheme://host"),
        ("https://example.com:0", "scheme://host"),
        ("https://example.com:99999", "scheme://host"),
        ("https://", "scheme://host"),
        ("", "https://"),
    ],
)
def test_an_entry_no_browser_could_send_is_refused_with_advice(entry: str, advice: str) -> None:
    with pytest.raises(UsageError) as refusal:
        checked([entry])
    assert advice in (refusal.value.fix or "")


def test_a_list_is_stored_once_each_in_its_order() -> None:
    assert checked(["https://b.test", "HTTPS://a.test:443", "https://a.test"]) == [
        "https://b.test",
        "https://a.test",
    ]


def test_secret_keys_are_not_bound_to_origins() -> None:
    assert origin_allowed(grant(KeyKind.SECRET), "https://anywhere.example")


def test_a_request_without_an_origin_is_no_page_and_passes() -> None:
    assert origin_allowed(grant(KeyKind.PUBLIC, "https://example.com"), None)


def test_a_public_key_is_bound_to_its_list() -> None:
    public = grant(KeyKind.PUBLIC, "https://example.com")
    assert origin_allowed(public, "https://example.com")
    assert not origin_allowed(public, "https://example.org")
    assert not origin_allowed(public, "null")


@given(SCHEME, HOST, st.none() | st.integers(1, 65535))
def test_every_well_formed_origin_is_its_own_entry(scheme: str, host: str, port: int | None) -> None:
    origin = f"{scheme}://{host}" + ("" if port is None else f":{port}")
    assert matches(checked([origin.upper()]), origin)


@given(SCHEME, HOST, HOST)
def test_a_wildcard_covers_exactly_the_hosts_below_its_domain(scheme: str, domain: str, host: str) -> None:
    allowed = checked([f"{scheme}://*.{domain}"])
    assert matches(allowed, f"{scheme}://{host}.{domain}")
    assert not matches(allowed, f"{scheme}://{domain}")
    assert matches(allowed, f"{scheme}://{host}") == host.endswith(f".{domain}")


@given(st.text(max_size=60))
def test_normalising_is_total_and_stable(text: str) -> None:
    normal = normalise(text)
    assert normal is None or normalise(normal) == normal


@given(st.text(max_size=60))
def test_no_text_passes_a_list_it_is_not_on(text: str) -> None:
    if normalise(text) != "https://example.com":
        assert not matches(["https://example.com"], text)
