"""Where a request came from: only what can be believed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitevault.collector.client import ClientReader
from sitevault.collector.request import Request
from sitevault.config import Config
from sitevault.db.wire import wire_address
from sitevault.errors import ConfigurationError

BEHIND_PROXY = Config(trusted_proxies=("10.0.0.0/8", "::1"), geo_header="X-Country")


def request(peer: str = "10.0.0.1", **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return made_of(raw, peer)


def made_of(raw: list[tuple[bytes, bytes]], peer: str = "10.0.0.1") -> Request:
    scope: dict[str, Any] = {
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": raw,
        "client": (peer, 1),
    }

    async def receive() -> dict[str, Any]:
        return {}

    return Request(scope, receive)


@pytest.mark.parametrize(
    ("hops", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("192.0.2.66, 203.0.113.9", "203.0.113.9"),  # what is further left was said by the client
        ("203.0.113.9, 10.1.1.1, 10.2.2.2", "203.0.113.9"),
        ("10.1.1.1", "10.1.1.1"),
        ("203.0.113.9:1234, 10.1.1.1", "203.0.113.9"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("unknown", "10.0.0.1"),
        ("203.0.113.9, rubbish, 10.1.1.1", "10.1.1.1"),
        ("", "10.0.0.1"),
        (",,,", "10.0.0.1"),
    ],
)
def test_the_client_is_the_rightmost_hop_that_is_no_proxy_of_ours(hops: str, address: str):
    client = ClientReader(BEHIND_PROXY).read(request(x_forwarded_for=hops))
    assert client.address == wire_address(address)


def test_a_header_sent_twice_is_one_list():
    raw = [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-for", b"10.1.1.1")]
    assert ClientReader(BEHIND_PROXY).read(made_of(raw)).address == wire_address("203.0.113.9")


def test_nothing_an_untrusted_peer_says_is_believed():
    client = ClientReader(BEHIND_PROXY).read(request("192.0.2.1", x_forwarded_for="203.0.113.9", x_country="DE"))
    assert (client.address, client.geo_hint) == (wire_address("192.0.2.1"), None)


def test_the_referers_origin_stands_in_for_a_missing_origin():
    read = ClientReader(Config()).read
    assert read(request(referer="https://shop.example:8443/a?b#c")).origin == "https://shop.example:8443"
    assert read(request(referer="android-app://x")).origin is None
    assert read(request(origin="null", referer="https://a.example/")).origin == "null"


def test_an_address_is_in_the_wire_form_of_inet():
    assert wire_address("192.0.2.1") == bytes([2, 32, 0, 4, 192, 0, 2, 1])
    assert wire_address("::1") == bytes([3, 128, 0, 16, *[0] * 15, 1])
    assert wire_address("x") is None
    assert wire_address("1.2.3.4\0") is None


def test_a_network_that_is_none_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="trusted_proxies"):
        ClientReader(Config(trusted_proxies=("10.0.0.1/8",)))


@given(
    raw=st.lists(
        st.tuples(
            st.sampled_from([b"x-forwarded-for", b"user-agent", b"origin", b"referer", b"x-country"]),
            st.binary(max_size=2_000),
        ),
        max_size=5,
    )
)
def test_no_header_whatever_it_holds_is_an_error_or_unbounded(raw: list[tuple[bytes, bytes]]):
    client = ClientReader(BEHIND_PROXY).read(made_of(raw))
    assert client.address is not None
    for text, longest in ((client.user_agent, 1_024), (client.origin, 512), (client.geo_hint, 64)):
        assert text is None or (0 < len(text) <= longest and "\0" not in text and text.encode())
