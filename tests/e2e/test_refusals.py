"""Every way to be refused at the door: status, code, and that nothing was stored."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from collecting import EVENT, PAGE, RunningCollector, StartCollector, Tenant, make_tenant
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.reasons import EXPLAINED, Reason
from sitevault.tenancy.keys import KeyKind, create_key, revoke_key
from sitevault.tenancy.tenants import suspend

TRACK, BATCH = "/api/v1/track", "/api/v1/track/batch"
LIMITS = {
    "max_body_bytes": 20_000,
    "max_event_bytes": 4_000,
    "max_batch_events": 10,
    "max_json_depth": 5,
    "max_string_bytes": 1_000,
}


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def expect(answer: httpx.Response, reason: Reason) -> None:
    content = answer.json()
    assert content["success"] is False
    assert (content["code"], content["message"]) == (reason.value, EXPLAINED[reason].meaning)
    assert answer.status_code == EXPLAINED[reason].http_status
    assert ("retry-after" in answer.headers) == (answer.status_code in (429, 503))


@pytest.fixture
def collector(start_collector: StartCollector) -> RunningCollector:
    return start_collector(**LIMITS)


@pytest.fixture(autouse=True)
def _nothing_is_stored(admin: Any) -> Iterator[None]:
    yield
    assert admin.execute("SELECT count(*) FROM raw.landed_event").fetchone() == (0,)


BODIES: list[tuple[str, bytes, Reason]] = [
    (TRACK, b"", Reason.JSON_MALFORMED),
    (TRACK, b"{", Reason.JSON_MALFORMED),
    (TRACK, b'{"a":1} x', Reason.JSON_MALFORMED),
    (TRACK, b"{'a':1}", Reason.JSON_MALFORMED),
    (TRACK, b'{"a":01}', Reason.JSON_MALFORMED),
    (TRACK, b'{"a":NaN}', Reason.JSON_MALFORMED),
    (TRACK, b'{"a":-Infinity}', Reason.JSON_MALFORMED),
    (TRACK, b'{"a":"\x00"}', Reason.JSON_MALFORMED),
    (TRACK, b'{"a":"\n"}', Reason.JSON_MALFORMED),
    (TRACK, b"\xef\xbb\xbf{}", Reason.JSON_MALFORMED),
    (TRACK, '{"a":"é"}'.encode("utf-16"), Reason.JSON_MALFORMED),
    (TRACK, b'{"a":"\xe9"}', Reason.JSON_NOT_UTF8),
    (TRACK, b'{"\xff":1}', Reason.JSON_NOT_UTF8),
    (TRACK, b'{"a":"\xed\xa0\x80"}', Reason.JSON_NOT_UTF8),
    (TRACK, b'{"a":"\\u0000"}', Reason.JSON_NUL_CHARACTER),
    (TRACK, b'{"a":[{"\\u0000":1}]}', Reason.JSON_NUL_CHARACTER),
    (TRACK, b'{"a":"\\ud800"}', Reason.JSON_LONE_SURROGATE),
    (TRACK, b'{"a":"\\uDC00 x"}', Reason.JSON_LONE_SURROGATE),
    (TRACK, b'{"a":"\\ud83d\\ud83d"}', Reason.JSON_LONE_SURROGATE),
    (TRACK, b'{"a":1e400}', Reason.JSON_NUMBER_OUT_OF_RANGE),
    (TRACK, b'{"a":-1e400}', Reason.JSON_NUMBER_OUT_OF_RANGE),
    (TRACK, b'{"a":1e-400}', Reason.JSON_NUMBER_OUT_OF_RANGE),
    (TRACK, b'{"a":0E-99999}', Reason.JSON_NUMBER_OUT_OF_RANGE),
    (TRACK, b'{"a":' + b"9" * 400 + b"}", Reason.JSON_NUMBER_OUT_OF_RANGE),
    (TRACK, b'{"a":0.' + b"0" * 2_000 + b"1}", Reason.JSON_NUMBER_OUT_OF_RANGE),
    (TRACK, nested(6), Reason.JSON_TOO_DEEP),
    (TRACK, b'{"a":' + b"[" * 500 + b"]" * 500 + b"}", Reason.JSON_TOO_DEEP),
    (TRACK, b'{"a":"' + b"x" * 1_001 + b'"}', Reason.STRING_TOO_LONG),
    (TRACK, b'{"' + b"x" * 1_001 + b'":1}', Reason.STRING_TOO_LONG),
    (TRACK, b'{"a":"' + "é".encode() * 501 + b'"}', Reason.STRING_TOO_LONG),
    (TRACK, b"[]", Reason.EVENT_NOT_AN_OBJECT),
    (TRACK, b"null", Reason.EVENT_NOT_AN_OBJECT),
    (TRACK, b'"event"', Reason.EVENT_NOT_AN_OBJECT),
    (TRACK, json.dumps({"a": ["x" * 900] * 5}).encode(), Reason.EVENT_TOO_LARGE),
    (TRACK, b"{}" + b" " * 20_000, Reason.BODY_TOO_LARGE),
    (BATCH, b"[]", Reason.BATCH_EMPTY),
    (BATCH, b'{"events":[]}', Reason.BATCH_EMPTY),
    (BATCH, b"{}", Reason.BATCH_NOT_A_LIST),
    (BATCH, b'{"events":{"a":1}}', Reason.BATCH_NOT_A_LIST),
    (BATCH, b"7", Reason.BATCH_NOT_A_LIST),
    (BATCH, b'"x"', Reason.BATCH_NOT_A_LIST),
    (BATCH, b"", Reason.JSON_MALFORMED),
    (BATCH, b'[{"a":1},]', Reason.JSON_MALFORMED),
    (BATCH, b'[{"a":NaN}]', Reason.JSON_MALFORMED),
    (BATCH, b'[{"a":"\xff"}]', Reason.JSON_NOT_UTF8),
    (BATCH, b"[" + b"{}," * 10 + b"{}]", Reason.BATCH_TOO_LARGE),
    (BATCH, b"[" + nested(6) + b"]", Reason.JSON_TOO_DEEP),
]


def test_every_bad_body_has_its_reason(client: httpx.Client):
    given = [(path, body[:60], client.post(path, content=body)) for path, body, _ in BODIES]
    codes = [(path, body, answer.json().get("code")) for path, body, answer in given]
    assert codes == [(path, body[:60], reason.value) for path, body, reason in BODIES]
    for (_, _, answer), (_, _, reason) in zip(given, BODIES, strict=True):
        expect(answer, reason)


def test_ten_thousand_levels_of_nesting_are_an_answer_and_not_a_crash(
    start_collector: StartCollector, tenant: Tenant
):
    collector = start_collector()
    with collector.client(headers={"X-Api-Key": tenant.secret}) as client:
        expect(client.post(TRACK, content=nested(10_000)), Reason.JSON_TOO_DEEP)
        expect(client.post(BATCH, content=b"[" + nested(10_000) + b"]"), Reason.JSON_TOO_DEEP)
        expect(client.post(TRACK, content=b"[" * 200_000), Reason.JSON_TOO_DEEP)
        expect(client.post(TRACK, content=b'{"a":"' + b"x" * 10_000_000 + b'"}'), Reason.BODY_TOO_LARGE)
        assert client.get("/health/live").status_code == 200


def test_a_gzip_bomb_stops_at_the_limit(client: httpx.Client):
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) > 20_000
    for body, reason in [
        (bomb, Reason.BODY_TOO_LARGE),
        (gzip.compress(b" " * 10_000_000), Reason.GZIP_TOO_LARGE),
        (gzip.compress(b" " * 20_001), Reason.GZIP_TOO_LARGE),
    ]:
        expect(client.post(TRACK, content=body, headers={"Content-Encoding": "gzip"}), reason)


def test_what_is_not_one_whole_gzip_member_is_malformed(client: httpx.Client):
    packed = gzip.compress(json.dumps(EVENT).encode())
    for body in (b"", b"{}", packed[:-1], packed[:20], packed + b"x", packed + packed, b"\x1f\x8b" + b"\0" * 30):
        answer = client.post(TRACK, content=body, headers={"Content-Encoding": "gzip"})
        expect(answer, Reason.GZIP_MALFORMED)


def test_other_encodings_are_not_supported(client: httpx.Client):
    for encoding in ("br", "deflate", "gzip, gzip", "zstd"):
        answer = client.post(TRACK, content=b"{}", headers={"Content-Encoding": encoding})
        expect(answer, Reason.ENCODING_UNSUPPORTED)


def test_a_body_that_ends_early_is_incomplete(collector: RunningCollector, tenant: Tenant):
    head = f"POST {TRACK} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {tenant.secret}\r\nContent-Length: 100\r\n\r\n{{"
    with socket.create_connection(("127.0.0.1", collector.port()), timeout=10) as connection:
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        said = connection.recv(65_536)
    assert b" 400 " in said.splitlines()[0]
    assert Reason.BODY_INCOMPLETE.value.encode() in said


def test_a_declared_length_over_the_limit_is_answered_without_reading(collector: RunningCollector, tenant: Tenant):
    head = f"POST {TRACK} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {tenant.secret}\r\nContent-Length: 99999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", collector.port()), timeout=10) as connection:
        connection.sendall(head.encode())
        assert Reason.BODY_TOO_LARGE.value.encode() in connection.recv(65_536)


def _head(path: str, *lines: str) -> bytes:
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: x", *lines, "", "")).encode()


def test_an_answer_before_the_body_ends_the_connection_and_says_so(collector: RunningCollector, tenant: Tenant):
    key = f"X-Api-Key: {tenant.secret}"
    expects = "Expect: 100-continue"
    for head, reason in [
        (_head(TRACK, key, "Content-Length: 99999999"), Reason.BODY_TOO_LARGE),
        (_head(TRACK, key, expects, "Content-Length: 20001"), Reason.BODY_TOO_LARGE),
        (_head(TRACK, "X-Api-Key: nonsense", expects, "Content-Length: 20"), Reason.AUTH_UNKNOWN_KEY),
        (_head("/nowhere", expects, "Transfer-Encoding: chunked"), Reason.PATH_NOT_FOUND),
        (_head(TRACK, "X-Api-Key: nonsense", "Content-Length: 20"), Reason.AUTH_UNKNOWN_KEY),
    ]:
        with socket.create_connection(("127.0.0.1", collector.port()), timeout=10) as connection:
            connection.sendall(head)
            said = connection.recv(65_536)
            assert reason.value.encode() in said
            assert b"\r\nconnection: close\r\n" in said.lower()
            assert connection.recv(65_536) == b""


def test_a_refusal_that_is_known_before_the_body_leaves_the_connection_usable(
    collector: RunningCollector, tenant: Tenant
):
    key = f"X-Api-Key: {tenant.secret}"
    nobody = "X-Api-Key: nonsense"
    chunked = _head("/metrics", "Transfer-Encoding: chunked")
    with socket.create_connection(("127.0.0.1", collector.port()), timeout=10) as connection:
        for head, body, reason in [
            (_head(TRACK, key, "Content-Length: 3000000"), b"x" * 3_000_000, Reason.BODY_TOO_LARGE),
            (_head(TRACK, nobody, "Content-Length: 2"), b"{}", Reason.AUTH_UNKNOWN_KEY),
            (_head(TRACK, key, "Content-Encoding: br", "Content-Length: 2"), b"{}", Reason.ENCODING_UNSUPPORTED),
            (_head("/nowhere", "Content-Length: 2"), b"{}", Reason.PATH_NOT_FOUND),
            (chunked, b"2\r\n{}\r\n0\r\n\r\n", Reason.METHOD_NOT_ALLOWED),
            (_head(TRACK, key, "Content-Length: 2"), b"[]", Reason.EVENT_NOT_AN_OBJECT),
        ]:
            connection.sendall(head)
            time.sleep(0.1)  # the refusal is known, the body is still on its way
            connection.sendall(body)
            said = connection.recv(65_536)
            assert reason.value.encode() in said
            assert b"connection: close" not in said.lower()


def test_keys_that_open_nothing(collector: RunningCollector, tenant: Tenant, database: Database):
    other = make_tenant(database, "Other")
    with database.connect(Role.MIGRATOR, autocommit=True) as conn:
        revoked = create_key(conn, tenant.tenant_bk, KeyKind.SECRET)
        revoke_key(conn, revoked.api_key)
        suspend(conn, other.tenant_bk)
    basic = base64.b64encode(f"{tenant.secret}:".encode()).decode()
    cases: list[tuple[dict[str, str], Reason]] = [
        ({}, Reason.AUTH_MISSING_KEY),
        ({"Authorization": "Bearer"}, Reason.AUTH_MISSING_KEY),
        ({"Authorization": "Digest abc"}, Reason.AUTH_MISSING_KEY),
        ({"Authorization": "Basic %%%"}, Reason.AUTH_MISSING_KEY),
        ({"X-Api-Key": ""}, Reason.AUTH_MISSING_KEY),
        ({"X-Api-Key": "nonsense"}, Reason.AUTH_UNKNOWN_KEY),
        ({"X-Api-Key": "x" * 5_000}, Reason.AUTH_UNKNOWN_KEY),
        ({"Authorization": f"Bearer {tenant.secret[:-1]}"}, Reason.AUTH_UNKNOWN_KEY),
        ({"Authorization": f"Bearer sv_sec_{'0' * 43}"}, Reason.AUTH_UNKNOWN_KEY),
        ({"X-Api-Key": revoked.key}, Reason.AUTH_REVOKED_KEY),
        ({"X-Api-Key": other.secret}, Reason.TENANT_SUSPENDED),
        ({"X-Api-Key": tenant.secret, "Authorization": f"Bearer {tenant.public}"}, Reason.AUTH_CONFLICTING_KEYS),
        ({"X-Api-Key": tenant.public, "Authorization": f"Basic {basic}"}, Reason.AUTH_CONFLICTING_KEYS),
        ({"X-Api-Key": tenant.public, "Origin": "https://evil.example"}, Reason.ORIGIN_NOT_ALLOWED),
        ({"X-Api-Key": tenant.public, "Origin": "null"}, Reason.ORIGIN_NOT_ALLOWED),
        ({"X-Api-Key": tenant.public, "Origin": f"{PAGE}.evil.example"}, Reason.ORIGIN_NOT_ALLOWED),
    ]
    with collector.client() as client:
        for headers, reason in cases:
            answer = client.post(TRACK, json=EVENT, headers=headers)
            expect(answer, reason)
            assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)


def test_a_header_sent_twice_with_two_keys_is_a_conflict(collector: RunningCollector, tenant: Tenant):
    with collector.client() as client:
        headers = [("X-Api-Key", tenant.secret), ("X-Api-Key", tenant.public)]
        expect(client.post(TRACK, json=EVENT, headers=headers), Reason.AUTH_CONFLICTING_KEYS)


def test_a_parameter_that_means_nothing_is_named(client: httpx.Client):
    for wait in ("", "landing", "VAULT"):
        expect(client.post(TRACK, json=EVENT, params={"wait": wait}), Reason.PARAMETER_INVALID)


def test_reading_takes_a_secret_key(collector: RunningCollector, tenant: Tenant):
    with collector.client(headers={"X-Api-Key": tenant.public}) as client:
        expect(client.get("/api/v1/status"), Reason.KEY_CANNOT_READ)
        expect(client.get(f"/api/v1/events/{uuid.uuid4()}"), Reason.KEY_CANNOT_READ)


def test_an_event_id_is_a_uuid(client: httpx.Client):
    for text in ("17", "x" * 36, "%00", "01a20678d9427d1388a59de8e52f2934x"):
        expect(client.get(f"/api/v1/events/{text}"), Reason.EVENT_ID_INVALID)
    expect(client.get(f"/api/v1/events/{uuid.uuid4()}"), Reason.EVENT_NOT_FOUND)


def test_unknown_paths_and_methods_have_the_same_shape(client: httpx.Client):
    for path in ("/", "/api/v1/track/", "/api/v1/events/", "/api/v1/events/a/b", "/k/", "/k/x", "/%ff%00"):
        expect(client.get(path), Reason.PATH_NOT_FOUND)
    for method, path, allowed in [
        ("GET", TRACK, "POST, OPTIONS"),
        ("PUT", BATCH, "POST, OPTIONS"),
        ("DELETE", "/health/live", "GET, HEAD, OPTIONS"),
        ("BREW", "/metrics", "GET, HEAD, OPTIONS"),
    ]:
        answer = client.request(method, path)
        expect(answer, Reason.METHOD_NOT_ALLOWED)
        assert answer.headers["allow"] == allowed


def test_hostile_headers_are_answered_by_the_server_itself(collector: RunningCollector):
    def said(head: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", collector.port()), timeout=10) as connection:
            with contextlib.suppress(OSError):  # it hangs up before it has all: that is the point
                connection.sendall(head)
            return connection.recv(65_536).split(b"\r\n")[0]

    start = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
    assert b" 431 " in said(start + b"X-A: " + b"a" * 20_000_000 + b"\r\n\r\n")
    assert b" 431 " in said(start + b"X-A: a\r\n" * 500 + b"\r\n")
    assert b" 400 " in said(start + b"X-A: a\x00b\r\n\r\n")
    assert b" 400 " in said(start + b"Content-Length: -5\r\n\r\n")
    assert b" 400 " in said(b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 200 " in said(start + b"User-Agent: \xff\xfe\x80\r\n\r\n")
