"""Tenants apart over the wire: whatever one asks, sends or names, it learns and changes nothing of another."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from collecting import EVENT, PAGE, RunningCollector, StartCollector, Tenant, make_tenant
from sitevault.audit.model import Verdict
from sitevault.audit.run import audit_isolation
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.embedded import EmbeddedServer
from sitevault.log import JsonFormatter
from sitevault.tenancy.keyring import RELOAD_INTERVAL_SECONDS, Keyring
from sitevault.tenancy.keys import KeyKind, make_key
from sitevault.worker.run import Worker

TENANTS = 20
REQUESTS = 10_000
CONNECTIONS = 16


@pytest.fixture
def other(database: Database) -> Tenant:
    return make_tenant(database, "Test Company")


def sent(client: httpx.Client, key: str, **fields: Any) -> str:
    """An event's id, once it is committed."""
    answer = client.post("/api/v1/track", json=EVENT | fields, headers={"X-Api-Key": key})
    assert answer.status_code == 200
    return str(answer.json()["event_id"])


def receipt(client: httpx.Client, key: str, event_id: str) -> httpx.Response:
    return client.get(f"/api/v1/events/{event_id}", headers={"X-Api-Key": key})


def without_date(answer: httpx.Response) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in answer.headers.items() if name != "date")


def test_not_yours_and_not_there_are_one_answer(
    collector: RunningCollector, tenant: Tenant, other: Tenant
) -> None:
    with collector.client() as client:
        theirs = receipt(client, tenant.secret, sent(client, other.secret))
        nowhere = receipt(client, tenant.secret, str(uuid4()))
    assert (theirs.status_code, nowhere.status_code) == (404, 404)
    assert theirs.content == nowhere.content
    assert without_date(theirs) == without_date(nowhere)


def test_not_yours_and_not_there_take_the_same_time(
    collector: RunningCollector, tenant: Tenant, other: Tenant
) -> None:
    with collector.client() as client:
        theirs = sent(client, other.secret)
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for number in range(300):
            exists = number % 2 == 0
            asked = theirs if exists else str(uuid4())
            start = time.perf_counter()
            receipt(client, tenant.secret, asked)
            seconds[exists].append(time.perf_counter() - start)
    there, nowhere = (statistics.median(seconds[exists]) for exists in (True, False))
    # A lookup that met the other's row would read its batch, its staging and its vault row as well.
    assert 0.6 < there / nowhere < 1.6


@pytest.mark.parametrize("place", ["payload", "header", "query", "path", "basic"])
def test_a_tenant_that_is_named_is_data_and_never_identity(
    collector: RunningCollector, admin: psycopg.Connection[Any], tenant: Tenant, other: Tenant, place: str
) -> None:
    path, headers, body = "/api/v1/track", {"X-Api-Key": tenant.secret}, dict(EVENT)
    names = {"tenant": other.tenant_bk, "tenant_id": other.tenant_bk, "tenant_hk": other.tenant_hk.hex()}
    match place:
        case "payload":
            body |= names | {"__proto__": names, "event_data": {"session_id": "s", **names}}
        case "header":
            headers |= {f"X-{name.replace('_', '-')}": value for name, value in names.items()}
            headers |= {"X-Forwarded-User": other.tenant_bk, "Host": f"{other.tenant_bk}.example"}
        case "query":
            path += f"?tenant={other.tenant_bk}&tenant_hk={other.tenant_hk.hex()}&api_key={other.secret}"
        case "path":
            path = f"/k/{other.secret}{path}"  # a header beats a path
        case "basic":
            token = base64.b64encode(f"{tenant.secret}:{other.tenant_bk}".encode()).decode()
            headers = {"Authorization": f"Basic {token}"}
    with collector.client() as client:
        assert client.post(path, json=body, headers=headers).status_code == 200
    assert admin.execute("SELECT tenant_hk FROM raw.landed_event").fetchall() == [(tenant.tenant_hk,)]


def test_a_public_key_reads_nothing_not_even_its_own(collector: RunningCollector, tenant: Tenant) -> None:
    with collector.client() as client:
        event_id = sent(client, tenant.secret)
        headers = {"X-Api-Key": tenant.public, "Origin": PAGE}
        for path in (f"/api/v1/events/{event_id}", "/api/v1/status"):
            assert client.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "origin",
    [
        "https://www.example.com.evil.test",
        "https://evil.test/https://www.example.com",
        "https://www.example.com@evil.test",
        "https://evilwww.example.com",
        "http://www.example.com",
        "https://www.example.com:444",
        "https://www.example.com, https://evil.test",
        "HTTPS://EVIL.TEST",
        "null",
    ],
)
def test_no_other_origin_talks_its_way_in(collector: RunningCollector, tenant: Tenant, origin: str) -> None:
    with collector.client() as client:
        refused = client.post("/api/v1/track", json=EVENT, headers={"X-Api-Key": tenant.public, "Origin": origin})
        asked = client.options(f"/k/{tenant.public}/api/v1/track", headers={"Origin": origin})
    assert refused.status_code == 403
    for answer in (refused, asked):
        assert "access-control-allow-origin" not in answer.headers
        assert "access-control-allow-credentials" not in answer.headers


def test_guessing_keys_costs_the_database_five_questions_a_second_and_customers_nothing(
    collector: RunningCollector, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings: list[float] = []
    read = Keyring._read

    async def counted(keyring: Keyring) -> None:
        readings.append(time.monotonic())
        await read(keyring)

    monkeypatch.setattr(Keyring, "_read", counted)

    async def guess_and_work() -> tuple[set[tuple[int, bytes]], Counter[int], float]:
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(base_url=collector.url, limits=limits, timeout=30) as client:
            guesses = [
                client.get("/api/v1/status", headers={"X-Api-Key": make_key(KeyKind.SECRET)}) for _ in range(200)
            ]
            work = [
                client.post("/api/v1/track", json=EVENT, headers={"X-Api-Key": tenant.secret}) for _ in range(40)
            ]
            start = time.monotonic()
            answers = await asyncio.gather(*guesses, *work)
            spent = time.monotonic() - start
        refused = {(one.status_code, one.content) for one in answers[:200]}
        return refused, Counter(one.status_code for one in answers[200:]), spent

    refused, worked, spent = asyncio.run(guess_and_work())
    assert len(refused) == 1
    assert {status for status, _ in refused} == {401}
    assert worked == {200: 40}
    assert len(readings) <= spent / RELOAD_INTERVAL_SECONDS + 2


class Listener(logging.Handler):
    """Every line any logger would write, but for the client's that the test itself is."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(JsonFormatter())
        self.addFilter(lambda record: not record.name.startswith(("httpx", "httpcore")))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def log() -> Iterator[list[str]]:
    root, listener = logging.getLogger(), Listener()
    before = root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    yield listener.lines
    root.removeHandler(listener)
    root.setLevel(before)


def test_no_key_and_nothing_of_a_person_is_in_any_log(
    collector: RunningCollector, database: Database, server: EmbeddedServer, tenant: Tenant, log: list[str]
) -> None:
    personal = {"email": "jane.roe@example.com", "name": "Jane Roe", "phone": "+49 170 5550199"}
    agent = "Mozilla/5.0 (a browser only Jane has)"
    unknown = make_key(KeyKind.SECRET)
    headers = {"X-Api-Key": tenant.secret, "User-Agent": agent, "X-Forwarded-For": "198.51.100.77"}
    server_log = server.home / "log" / "postgres.log"
    written_before = server_log.stat().st_size
    with collector.client(headers=headers) as client:
        event = EVENT | {"user_id": personal["email"], "event_data": {"session_id": "jane-s", **personal}}
        assert client.post("/api/v1/track", json=event).status_code == 200
        client.post("/api/v1/track", json=event | {"event_type": {"no": personal}})
        client.post("/api/v1/track", content=json.dumps(event)[:-1])
        client.post(f"/k/{tenant.public}/api/v1/track?email={personal['email']}", json=event)
        client.post("/api/v1/track", json=event, headers={"X-Api-Key": unknown})
        client.get(f"/api/v1/events/{personal['email']}")
    Worker(database, Config(), lanes=1).drain()
    with server_log.open("rb") as file:
        file.seek(written_before)
        text = "\n".join(log) + file.read().decode("utf-8", "replace")
    assert "load.done" in text
    hidden = [*personal.values(), agent, "198.51.100.77", "jane-s", tenant.secret, tenant.public, unknown]
    assert [value for value in hidden if value in text] == []


@dataclass
class Side:
    """A tenant as the traffic knows it: what it sent, and what was answered."""

    tenant: Tenant
    number: int
    events: list[str] = field(default_factory=list)
    acknowledged: int = 0

    @property
    def mark(self) -> str:
        return f"mark-of-{self.number:02}-{self.tenant.tenant_hk.hex()[:8]}"


class Wire:
    """One kept-alive connection: a request, its status and its body."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._host, self._port = place.hostname or "", place.port or 0

    async def __aenter__(self) -> Wire:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, bytes]:
        lines = [f"{method} {path} HTTP/1.1", f"host: {self._host}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"(?i)content-length: (\d+)", head)
        assert length is not None, head
        return int(head[9:12]), await self._reader.readexactly(int(length[1]))


class Traffic:
    """Random requests of many tenants, each answer looked through for anything of the others."""

    def __init__(self, sides: list[Side]) -> None:
        self.sides = sides
        self.chance = random.Random(20260627)
        self.left = REQUESTS
        self.foreign: list[str] = []
        self.statuses: Counter[tuple[str, int]] = Counter()

    async def run(self, url: str) -> None:
        async with Wire(url) as wire:
            while self.left > 0:
                self.left -= 1
                side, other = self.chance.sample(self.sides, 2)
                await self.chance.choice((self.send, self.send, self.own, self.theirs, self.status))(
                    wire, side, other
                )

    def headers(self, side: Side, other: Side) -> dict[str, str]:
        named = {"x-tenant-id": other.tenant.tenant_bk} if self.chance.random() < 0.3 else {}
        return {"x-api-key": side.tenant.secret, **named}

    def look(self, side: Side, what: str, status: int, body: bytes) -> None:
        self.statuses[what, status] += 1
        text = body.decode()
        for one in self.sides:
            if one is not side and (one.tenant.tenant_hk.hex() in text or one.mark in text):
                self.foreign.append(f"{what} of {side.number} shows {one.number}")

    async def send(self, wire: Wire, side: Side, other: Side) -> None:
        event = EVENT | {
            "page_title": side.mark,
            "session_id": side.mark,
            "tenant_hk": other.tenant.tenant_hk.hex(),
        }
        body = json.dumps(event).encode()
        status, answer = await wire.ask("POST", "/api/v1/track", self.headers(side, other), body)
        self.statuses["send", status] += 1
        if status == 200:
            side.acknowledged += 1
            side.events.append(json.loads(answer)["event_id"])

    async def own(self, wire: Wire, side: Side, other: Side) -> None:
        event_id = self.chance.choice(side.events) if side.events else str(UUID(int=self.chance.getrandbits(128)))
        found = bool(side.events)
        status, body = await wire.ask("GET", f"/api/v1/events/{event_id}", self.headers(side, other))
        self.look(side, "own", status, body)
        if (status == 200) is not found or (found and json.loads(body)["event_id"] != event_id):
            self.foreign.append(f"own event {event_id} of {side.number}: {status}")

    async def theirs(self, wire: Wire, side: Side, other: Side) -> None:
        if other.events:
            event_id = self.chance.choice(other.events)
            status, body = await wire.ask("GET", f"/api/v1/events/{event_id}", self.headers(side, other))
            self.look(side, "theirs", status, body)
            if status != 404 or event_id.encode() in body:
                self.foreign.append(f"event of {other.number} shown to {side.number}: {status}")

    async def status(self, wire: Wire, side: Side, other: Side) -> None:
        before = side.acknowledged
        status, body = await wire.ask("GET", "/api/v1/status", self.headers(side, other))
        self.look(side, "status", status, body)
        landed = json.loads(body)["ledger"]["landed"]
        # Sent is not yet acknowledged: at most one more a connection can be on its way.
        if not before <= landed <= side.acknowledged + CONNECTIONS:
            self.foreign.append(f"{side.number} has {landed} landed; it sent {before} to {side.acknowledged}")


def test_ten_thousand_requests_of_twenty_tenants_show_no_foreign_row(
    database: Database, start_collector: StartCollector, admin: psycopg.Connection[Any]
) -> None:
    sides = [Side(make_tenant(database, f"Tenant {number}"), number) for number in range(TENANTS)]
    collector = start_collector()
    traffic = Traffic(sides)

    async def all_at_once() -> None:
        await asyncio.gather(*(traffic.run(collector.url) for _ in range(CONNECTIONS)))

    asyncio.run(all_at_once())
    assert traffic.foreign == []
    assert set(traffic.statuses) <= {
        ("send", 200), ("own", 200), ("own", 404), ("theirs", 404), ("status", 200)
    }, traffic.statuses  # fmt: skip
    assert sum(traffic.statuses.values()) >= REQUESTS * 0.99

    Worker(database, Config(), lanes=1).drain()
    rows = admin.execute(
        "SELECT v.tenant_hk, d.page_title, count(DISTINCT v.event_id) FROM business.site_event_nl AS v"
        " JOIN business.site_page_details_s AS d ON d.tenant_hk = v.tenant_hk AND d.page_hk = v.page_hk"
        " GROUP BY 1, 2"
    ).fetchall()
    assert {(tenant_hk, title): count for tenant_hk, title, count in rows} == {
        (side.tenant.tenant_hk, side.mark): side.acknowledged for side in sides
    }
    report = audit_isolation(database)
    assert report.verdict is Verdict.OK
    assert {one.tenant_bk: one.consistent for one in report.provenance} == {
        side.tenant.tenant_bk: side.acknowledged for side in sides
    }
