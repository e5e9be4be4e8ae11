"""What the door says to those who do not speak HTTP, or speak it to do harm; meanwhile others are served."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collecting import RunningCollector, StartCollector, Tenant, own_process
from sitevault.collector import server as collector_server
from sitevault.db.connect import Database

BODY = b'{"event_type":"page_view"}'
MANY = 10_000
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
_EVENT_ID = re.compile(rb'"event_id":"([0-9a-f-]{36})","status":"landed"')


class Said(NamedTuple):
    """Everything a connection was answered, and whether it was closed."""

    data: bytes
    closed: bool

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", self.data)]


def head(tenant: Tenant, *headers: bytes, version: bytes = b"1.1") -> bytes:
    lines = [b"POST /api/v1/track HTTP/" + version, b"Host: x", b"X-Api-Key: " + tenant.secret.encode(), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def whole(tenant: Tenant) -> bytes:
    return head(tenant, b"Content-Length: %d" % len(BODY)) + BODY


def chunked(tenant: Tenant, *chunks: bytes) -> bytes:
    return head(tenant, b"Transfer-Encoding: chunked") + b"".join(chunks)


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def said(port: int, wire: bytes, *, then_end: bool = False, wait: float = 10.0, answers: int = 0) -> Said:
    """What comes back until the connection is closed, or as many answers are there."""
    with connected(port) as connection:
        with contextlib.suppress(OSError):  # some are hung up on before they have said all
            connection.sendall(wire)
            if then_end:
                connection.shutdown(socket.SHUT_WR)
        return heard(connection, wait, answers)


def heard(connection: socket.socket, wait: float = 10.0, answers: int = 0) -> Said:
    data, deadline = b"", time.monotonic() + wait
    while not answers or len(Said(data, False).statuses) < answers or not data.endswith(b"}"):
        connection.settimeout(max(deadline - time.monotonic(), 0.01))
        try:
            piece = connection.recv(65_536)
        except TimeoutError:
            return Said(data, False)
        except OSError:
            return Said(data, True)
        if not piece:
            return Said(data, True)
        data += piece
    return Said(data, False)


def landed(admin: psycopg.Connection[Any]) -> set[str]:
    return {row[0] for row in admin.execute("SELECT event_id::text FROM raw.landed_event")}


# -- requests that are none -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        pytest.param(b"GET /health/live\r\n\r\n", 400, id="http-0.9"),
        pytest.param(bytes.fromhex("16030100c8010000c40303") + b"\1" * 200, 400, id="tls-client-hello"),
        pytest.param(bytes(range(256)) * 40, 400, id="garbage"),
        pytest.param(b"\0" * 100_000, 400, id="zeros"),
        pytest.param(GET + b"A : b\r\n\r\n", 400, id="space-before-colon"),
        pytest.param(GET + b"A: b\r\n c\r\n\r\n", 400, id="folded-header"),
        pytest.param(GET + b"X-A: " + b"a" * 20_000_000, 431, id="20-mb-header"),
        pytest.param(GET + b"X-A: a\r\n" * 100_000 + b"\r\n", 431, id="100000-headers"),
        pytest.param(b"\r\n" * 50_000, 431, id="empty-lines"),
    ],
)
def test_what_is_not_http_is_refused_and_closed(collector: RunningCollector, wire: bytes, status: int) -> None:
    answer = said(collector.port(), wire)
    assert answer.statuses == [status]
    assert answer.closed


def test_http_2_is_closed_without_an_answer(collector: RunningCollector) -> None:
    assert said(collector.port(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0") == Said(b"", True)


def test_http_1_0_is_served_once(collector: RunningCollector, tenant: Tenant, admin: Any) -> None:
    wire = head(tenant, b"Content-Length: %d" % len(BODY), version=b"1.0") + BODY
    answer = said(collector.port(), wire * 2)
    assert answer.statuses == [200]
    assert answer.closed
    assert len(landed(admin)) == 1


# -- bodies that are not as announced -----------------------------------------------------------------------------


def test_chunked_nonsense_is_incomplete_and_lands_nothing(
    collector: RunningCollector, tenant: Tenant, admin: Any
) -> None:
    for chunks in (
        b"zz\r\nabc\r\n",
        b"-1\r\nabc\r\n",
        b"ffffffffffffffffff\r\nabc\r\n",
        b"3\r\nabcdef0\r\n\r\n",
        b"1a;" + b"x" * 1_000_000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
        b"".join(b"1;" + b"x" * 2_000 + b"\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n",
        b"1a\r\n" + BODY + b"\r\n0\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
    ):
        answer = said(collector.port(), chunked(tenant, chunks))
        assert answer.statuses == [400], chunks[:20]
        assert b"collect.body_incomplete" in answer.data
        assert answer.closed
    assert landed(admin) == set()


def test_a_body_that_ends_early_is_incomplete_and_lands_nothing(
    collector: RunningCollector, tenant: Tenant, admin: Any
) -> None:
    for wire in (
        head(tenant, b"Content-Length: %d" % (len(BODY) + 1)) + BODY,
        chunked(tenant, b"1a\r\n", BODY),
        chunked(tenant, b"1a\r\n", BODY, b"\r\n"),
    ):
        answer = said(collector.port(), wire, then_end=True)
        assert answer.statuses == [400]
        assert b"collect.body_incomplete" in answer.data
    assert landed(admin) == set()


def test_chunks_as_they_should_be_land(collector: RunningCollector, tenant: Tenant, admin: Any) -> None:
    wire = chunked(tenant, b"a;x=y\r\n", BODY[:10], b"\r\n10\r\n", BODY[10:], b"\r\n0\r\nT: x\r\n\r\n")
    assert said(collector.port(), wire, answers=1).statuses == [200]
    assert len(landed(admin)) == 1


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_announcements_the_chunks_count_and_nothing_behind_them(
    collector: RunningCollector, tenant: Tenant, admin: Any, order: int
) -> None:
    both = (b"Content-Length: 5", b"Transfer-Encoding: chunked")[::order]
    answer = said(collector.port(), head(tenant, *both) + b"1a\r\n" + BODY + b"\r\n0\r\n\r\n" + whole(tenant))
    assert answer.statuses == [200]
    assert answer.closed
    assert len(landed(admin)) == 1


def test_two_lengths_that_differ_and_other_encodings_are_not_http(
    collector: RunningCollector, tenant: Tenant
) -> None:
    for headers in ((b"Content-Length: 26", b"Content-Length: 5"), (b"Transfer-Encoding: gzip",)):
        answer = said(collector.port(), head(tenant, *headers) + BODY)
        assert (answer.statuses, answer.closed) == ([400], True)


def test_a_body_without_an_end_is_too_large(start_collector: StartCollector, tenant: Tenant) -> None:
    collector = start_collector(max_body_bytes=100_000, max_event_bytes=1_000)
    answer = said(collector.port(), chunked(tenant, (b"2710\r\n" + b" " * 10_000 + b"\r\n") * 4_000))
    assert answer.statuses == [413]
    assert answer.closed


# -- connections that are not as usual ----------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_their_order(
    collector: RunningCollector, tenant: Tenant, admin: Any
) -> None:
    answer = said(collector.port(), (whole(tenant) + GET + b"\r\n") * 100, answers=200)
    assert answer.statuses == [200] * 200
    parts = re.findall(rb'"status":"(landed|live)"', answer.data)
    assert parts == [b"landed", b"live"] * 100
    assert {found.decode() for found in _EVENT_ID.findall(answer.data)} == landed(admin)


def test_who_ends_his_half_gets_a_true_answer_or_none(
    collector: RunningCollector, tenant: Tenant, admin: Any
) -> None:
    answers = [said(collector.port(), whole(tenant), then_end=True) for _ in range(20)]
    assert all(answer.closed and answer.statuses in ([], [200]) for answer in answers)
    acknowledged = {found.decode() for answer in answers for found in _EVENT_ID.findall(answer.data)}
    assert acknowledged <= landed(admin)


def test_who_never_reads_his_answers_is_hung_up_on(
    start_collector: StartCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector_server, "UNREAD_MILLISECONDS", 1_500)
    collector = start_collector()
    with connected(collector.port()) as connection:
        connection.setblocking(False)
        deadline, wire, sent = (
            time.monotonic() + 20,
            (GET.replace(b"health/live", b"openapi.yaml") + b"\r\n") * 500,
            0,
        )
        with contextlib.suppress(ConnectionError, TimeoutError):
            while time.monotonic() < deadline:
                try:
                    sent += connection.send(wire)
                except BlockingIOError:
                    time.sleep(0.05)
        assert time.monotonic() < deadline
    assert sent < 64 * 1024 * 1024
    assert httpx.get(f"{collector.url}/health/live").status_code == 200


def test_bodies_that_arrive_too_slowly_make_room_for_others(
    start_collector: StartCollector, tenant: Tenant
) -> None:
    collector = start_collector(max_reading_bytes=10 * 17_000, max_body_bytes=65_536, max_event_bytes=1_000)
    slow = [connected(collector.port()) for _ in range(20)]
    try:
        for connection in slow:
            connection.sendall(head(tenant, b"Content-Length: 100") + b"{")
            time.sleep(0.01)
        first = [heard(connection, 5, answers=1) for connection in slow[:5]]
        assert all(b"collect.overloaded" in answer.data for answer in first)
        assert said(collector.port(), whole(tenant), answers=1).statuses == [200]
        slow[-1].sendall(b" " * 73 + BODY)  # the last to come is still heard out
        assert heard(slow[-1], 5, answers=1).statuses == [400]
    finally:
        for connection in slow:
            connection.close()


def test_who_hangs_up_before_his_answer_does_not_hold_up_the_stop(
    start_collector: StartCollector, tenant: Tenant, admin: Any
) -> None:
    collector = start_collector()
    for _ in range(20):
        with connected(collector.port()) as connection:
            connection.sendall(whole(tenant))
    began = time.monotonic()
    collector.stop()
    assert time.monotonic() - began < 5


# -- everything at once -------------------------------------------------------------------------------------------


class Honest:
    """A client that does as it should, one event after the other, and remembers what it was told."""

    def __init__(self, url: str, tenant: Tenant) -> None:
        self._client = httpx.Client(base_url=url, headers={"X-Api-Key": tenant.secret}, timeout=20)
        self.acknowledged: set[str] = set()
        self.taken: list[float] = []
        self.refused: list[Any] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Honest:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        self._client.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                # A fresh connection now and then: newcomers are served, too.
                fresh = {"Connection": "close"} if len(self.taken) % 5 == 0 else {}
                answer = self._client.post("/api/v1/track", content=BODY, headers=fresh)
            except httpx.HTTPError as error:
                self.refused.append(error)
                continue
            self.taken.append(time.monotonic() - began)
            if answer.status_code == 200:
                self.acknowledged.add(answer.json()["event_id"])
            else:
                self.refused.append(answer.text)
            time.sleep(0.005)

    def p99(self) -> float:
        """Of what was taken since the last call."""
        taken, self.taken = sorted(self.taken), []
        return taken[int(len(taken) * 0.99)]


def most_connections() -> int:
    """10,000, or what this process may open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Only one end of each is ours: the collector is another process.
    return MANY if hard == resource.RLIM_INFINITY else min(MANY, hard - 1_000)


def memory_mb(pid: int) -> float:
    line = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert line
    return int(line[1]) / 1024


@pytest.fixture
def limits_kept() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("limits_kept")
def test_under_siege_others_are_served_and_all_they_were_told_is_true(
    database: Database, tenant: Tenant, admin: Any
) -> None:
    idle: list[socket.socket] = []
    slow: list[socket.socket] = []
    with own_process(database, body_timeout_seconds=4.0) as (process, url), contextlib.ExitStack() as stack:
        port = httpx.URL(url).port or 0
        honest = stack.enter_context(Honest(url, tenant))
        time.sleep(2)
        before = honest.p99()
        began = time.monotonic()
        try:
            idle += [connected(port) for _ in range(most_connections())]
            for first in (
                b"GET /health/live HTTP/1.1\r\nX-A: ",  # headers that come a byte a second
                head(tenant, b"Content-Length: 100") + b"{",  # bodies that do
            ):
                trickling = [connected(port) for _ in range(200)]
                slow += trickling
                for connection in trickling:
                    connection.sendall(first)
            with ThreadPoolExecutor(4) as attackers:
                nonsense = [
                    GET + b"X-A: " + b"a" * 20_000_000,
                    bytes(range(256)) * 4_000,
                    chunked(tenant, b"zz\r\n"),
                ]
                for wire in nonsense * 5:
                    attackers.submit(said, port, wire, wait=5)
                while time.monotonic() < began + 12:
                    for connection in slow:
                        with contextlib.suppress(OSError):
                            connection.send(b" ")
                    time.sleep(1)
            meanwhile = honest.p99()
            ends = [heard(connection, 0.2) for connection in slow]
            still_open = sum(not heard(connection, 0.01).closed for connection in idle[:200])
        finally:
            for connection in (*idle, *slow):
                connection.close()
        peak = memory_mb(process.pid)
        stack.close()
        assert honest.refused == []
        assert process.poll() is None
    assert meanwhile < max(40 * before, 1.0)
    assert all(answer.closed for answer in ends)
    assert all(answer.data == b"" for answer in ends[:200])
    assert all(b"collect.body_incomplete" in answer.data for answer in ends[200:])
    assert still_open == 0  # idle for longer than a head may take
    assert peak < 250
    assert len(honest.acknowledged) > 50
    assert honest.acknowledged <= landed(admin)


# -- anything -----------------------------------------------------------------------------------------------------

_WORDS = [
    b"POST /api/v1/track HTTP/1.1\r\n", b"GET /metrics HTTP/1.1\r\n", b"HTTP/1.1", b"\r\n", b"\r\n\r\n", b"\n",
    b"Host: x\r\n", b"Content-Length: 26\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Content-Encoding: gzip\r\n", b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Upgrade: h2c\r\n",
    b"KEY", b":", b"1a\r\n", b"0\r\n\r\n", BODY, b"\0", b"\xff", b";", b"?wait=vault", b"/k/", b"%00", b"-1",
    b"9" * 30,
]  # fmt: skip
_PIECES = st.lists(st.one_of(st.sampled_from(_WORDS), st.binary(max_size=40)), max_size=25).map(b"".join)
_PREFIXES = st.sampled_from([b"", b"POST /api/v1/track HTTP/1.1\r\nHost: x\r\nKEY"])


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(prefix=_PREFIXES, pieces=_PIECES)
def test_whatever_is_thrown_at_the_port_is_answered_in_http_or_closed(
    collector: RunningCollector, tenant: Tenant, admin: Any, prefix: bytes, pieces: bytes
) -> None:
    wire = (prefix + pieces).replace(b"KEY", b"X-Api-Key: " + tenant.secret.encode() + b"\r\n")
    answer = said(collector.port(), wire, then_end=True, wait=5)
    assert answer.closed
    assert answer.data == b"" or answer.data.startswith(b"HTTP/1.")
    assert not {500, 502, 503} & set(answer.statuses)
    assert {found.decode() for found in _EVENT_ID.findall(answer.data)} <= landed(admin)
    assert said(collector.port(), GET + b"\r\n", answers=1).statuses == [200]
