"""What is answered is committed, once, byte for byte, for the tenant of the key."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from collecting import EVENT, PAGE, RunningCollector, StartCollector, Tenant, make_tenant
from sitevault.collector.limits import LONG_BODY_BYTES, Turns
from sitevault.db.connect import Database
from sitevault.landing.flush import EVENTS_PER_BATCH_ID


def test_an_answered_event_is_committed(client: httpx.Client, admin, tenant: Tenant):
    answer = client.post("/api/v1/track", json=EVENT)
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "event_id": answer.json()["event_id"], "status": "landed"}
    rows = admin.execute("SELECT event_id::text, tenant_hk, protocol FROM raw.landed_event").fetchall()
    assert rows == [(answer.json()["event_id"], tenant.tenant_hk, "track")]


def test_a_flush_is_its_rows_and_one_manifest_row(client: httpx.Client, admin, tenant: Tenant):
    client.post("/api/v1/track/batch", json=[EVENT] * 3)
    (manifest,) = admin.execute(
        "SELECT batch_id, events, tenant_hks, tenant_events, state FROM raw.batch"
    ).fetchall()
    batch_id = manifest[0]
    assert manifest[1:] == (3, [tenant.tenant_hk], [3], "PENDING")
    rows = admin.execute("SELECT batch_id, raw_event_id FROM raw.landed_event ORDER BY 2").fetchall()
    assert rows == [(batch_id, batch_id * EVENTS_PER_BATCH_ID + place) for place in range(3)]


def test_a_long_body_waits_for_its_turn_and_a_short_one_is_answered_meanwhile(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
):
    its_turn = threading.Event()

    async def wait(_: Turns) -> None:
        while not its_turn.is_set():  # noqa: ASYNC110 -- an event of the test's thread
            await asyncio.sleep(0.01)

    monkeypatch.setattr(Turns, "wait", wait)
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(client.post, "/api/v1/track/batch", json=[EVENT] * (LONG_BODY_BYTES // 50))
        time.sleep(0.3)
        assert client.post("/api/v1/track", json=EVENT).status_code == 200
        assert not long.done()
        its_turn.set()
        assert long.result(20).status_code == 200


def test_a_payload_is_kept_byte_for_byte(client: httpx.Client, admin):
    body = b' { "b" : 1.50,\t"a":"\\u00e9\xc3\xa9", "a" : [ ] } \n'
    assert client.post("/api/v1/track", content=body).status_code == 200
    (kept,) = admin.execute("SELECT payload::text FROM raw.landed_event").fetchone()
    assert kept.encode() == body


def test_a_batch_keeps_each_events_own_bytes_and_the_order(client: httpx.Client, admin):
    events = [b'{"n": %d , "x":[1,2]}' % n for n in range(5)]
    answer = client.post("/api/v1/track/batch", content=b'{"events": [ ' + b" , ".join(events) + b" ]}")
    ids = [result["event_id"] for result in answer.json()["results"]]
    rows = admin.execute(
        "SELECT payload::text, event_id::text FROM raw.landed_event ORDER BY raw_event_id"
    ).fetchall()
    assert rows == [(event.decode(), event_id) for event, event_id in zip(events, ids, strict=True)]


def test_a_bad_event_costs_only_itself(client: httpx.Client, admin):
    answer = client.post("/api/v1/track/bulk", content=b'{"batch": [{"n":1}, 7, {"n":"\\u0000"}, {"n":2}]}')
    content = answer.json()
    assert (answer.status_code, content["success"]) == (200, False)
    assert (content["accepted"], content["rejected"]) == (2, 2)
    assert [result.get("code") for result in content["results"]] == [
        None,
        "collect.event_not_an_object",
        "collect.json_nul_character",
        None,
    ]
    assert admin.execute("SELECT count(*) FROM raw.landed_event").fetchone() == (2,)


def test_a_batch_of_nothing_but_bad_events_is_a_400(client: httpx.Client, admin):
    answer = client.post("/api/v1/track/batch", json=[1, "two"])
    assert answer.status_code == 400
    assert answer.json()["code"] == "collect.event_not_an_object"
    assert [result["code"] for result in answer.json()["results"]] == ["collect.event_not_an_object"] * 2
    assert admin.execute("SELECT count(*) FROM raw.batch").fetchone() == (0,)


def test_a_tenant_named_in_the_payload_is_data(client: httpx.Client, admin, tenant: Tenant, database: Database):
    other = make_tenant(database, "Another")
    claims = {**EVENT, "tenant_hk": other.tenant_hk.hex(), "tenant_id": other.tenant_bk, "api_key": other.secret}
    assert client.post("/api/v1/track", json=claims).status_code == 200
    assert admin.execute("SELECT tenant_hk FROM raw.landed_event").fetchall() == [(tenant.tenant_hk,)]


def test_the_same_event_sent_twice_has_the_same_id(client: httpx.Client):
    event = {**EVENT, "event_id": "order-17", "timestamp": "2026-01-01T00:00:00Z"}
    first, second = (client.post("/api/v1/track", json=event).json()["event_id"] for _ in range(2))
    assert first == second


def test_json_is_json_whatever_the_content_type_says(client: httpx.Client):
    for content_type in ("text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "image/png", ""):
        answer = client.post("/api/v1/track", content=json.dumps(EVENT), headers={"Content-Type": content_type})
        assert answer.status_code == 200


def test_many_senders_share_flushes_and_every_answer_is_a_row(
    collector: RunningCollector, admin, database: Database
):
    tenants = [make_tenant(database, f"Tenant {n}") for n in range(3)]

    def send(number: int) -> str:
        with collector.client(headers={"X-Api-Key": tenants[number % 3].secret}) as client:
            return " ".join(client.post("/api/v1/track", json={"n": number}).json()["event_id"] for _ in range(10))

    # While another holds the manifest's table, everything queues up behind one flush.
    with ThreadPoolExecutor(30) as pool:
        with admin.transaction():
            admin.execute("LOCK TABLE raw.batch IN ACCESS EXCLUSIVE MODE")
            sent = pool.map(send, range(30))
            time.sleep(0.3)
        ids = {event_id for line in sent for event_id in line.split()}
    assert {row[0] for row in admin.execute("SELECT event_id::text FROM raw.landed_event").fetchall()} == ids
    assert len(ids) == 300
    per_tenant = admin.execute(
        "SELECT tenant_hk, sum(n)::int"
        " FROM raw.batch, unnest(tenant_hks, tenant_events) AS t (tenant_hk, n) GROUP BY 1"
    ).fetchall()
    assert dict(per_tenant) == {tenant.tenant_hk: 100 for tenant in tenants}
    flushes, largest = admin.execute("SELECT count(*), max(events) FROM raw.batch").fetchone()
    assert flushes < 300
    assert largest > 1


def test_every_manifest_agrees_with_its_rows(client: httpx.Client, admin):
    for size in (1, 7, 250):
        client.post("/api/v1/track/batch", json=[EVENT] * size)
    assert admin.execute(
        "SELECT b.events, count(e.*) FROM raw.batch b JOIN raw.landed_event e USING (batch_id)"
        " GROUP BY b.batch_id, b.events ORDER BY 1"
    ).fetchall() == [(1, 1), (7, 7), (250, 250)]


def test_workers_are_woken_by_the_commit(client: httpx.Client, admin):
    admin.execute("LISTEN sitevault_landed")
    client.post("/api/v1/track", json=EVENT)
    notices = list(admin.notifies(timeout=5, stop_after=1))
    assert [notice.channel for notice in notices] == ["sitevault_landed"]


def test_the_sender_is_recorded(collector: RunningCollector, admin, tenant: Tenant):
    with collector.client(headers={"X-Api-Key": tenant.public}) as client:
        headers = {"Origin": PAGE, "User-Agent": "Agent/1.0 \xe9" + "x" * 2000, "X-Forwarded-For": "203.0.113.9"}
        client.post("/api/v1/track", json=EVENT, headers=[(k, v.encode("latin-1")) for k, v in headers.items()])
    address, agent, origin, geo = admin.execute(
        "SELECT host(client_ip), user_agent, origin, geo_hint FROM raw.landed_event"
    ).fetchone()
    assert (address, origin, geo) == ("127.0.0.1", PAGE, None)  # the header of an untrusted peer is not believed
    assert agent == "Agent/1.0 \xe9" + "x" * (1024 - 11)


def test_a_trusted_proxy_tells_the_address_and_the_country(start_collector: StartCollector, admin, tenant: Tenant):
    collector = start_collector(trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"), geo_header="CF-IPCountry")
    hops = "192.0.2.1, 2001:db8::7, 10.0.0.3"
    with collector.client(headers={"X-Api-Key": tenant.secret}) as client:
        client.post("/api/v1/track", json=EVENT, headers={"X-Forwarded-For": hops, "CF-IPCountry": "DE"})
    assert admin.execute("SELECT host(client_ip), geo_hint FROM raw.landed_event").fetchall() == [
        ("2001:db8::7", "DE")
    ]


def test_two_collectors_write_to_one_landing(start_collector: StartCollector, admin, tenant: Tenant):
    collectors = [start_collector(), start_collector()]
    seen: list[str] = []

    def send(collector: RunningCollector) -> None:
        with collector.client(headers={"X-Api-Key": tenant.secret}) as client:
            seen.extend(client.post("/api/v1/track", json=EVENT).json()["event_id"] for _ in range(20))

    threads = [threading.Thread(target=send, args=(collector,)) for collector in collectors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert admin.execute("SELECT count(DISTINCT raw_event_id) FROM raw.landed_event").fetchone() == (40,)
    assert len(set(seen)) == 40
