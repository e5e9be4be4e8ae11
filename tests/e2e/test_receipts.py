"""What became of an event: receipts, waiting for the vault, and the tenant's ledger, over HTTP."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest

from aging import KEEP_TWO_DAYS, old_day
from collecting import EVENT, RunningCollector, StartCollector, Tenant, make_tenant
from given import Sender, page_view
from sitevault.collector.loads import ranges
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.landing import retention_run
from sitevault.worker.run import Worker

TRACK, BATCH = "/api/v1/track", "/api/v1/track/batch"
VAULTED = {**EVENT, "event_id": "e-1", "timestamp": "2026-01-01T00:00:00Z"}


@contextmanager
def worker(database: Database) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=Worker(database, Config(), lanes=1).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def drain(database: Database) -> None:
    Worker(database, Config(), lanes=1).drain()


def test_a_receipt_says_where_an_event_is_before_and_after_the_worker(client: httpx.Client, database: Database):
    event_id = client.post(TRACK, json=EVENT).json()["event_id"]
    (before,) = client.get(f"/api/v1/events/{event_id}").json()["receipts"]
    assert (before["event_id"], before["state"], before["outcome"]) == (event_id, "PENDING", None)
    assert "staging" not in before
    drain(database)
    (after,) = client.get(f"/api/v1/events/{event_id}").json()["receipts"]
    assert (after["state"], after["outcome"]) == ("PROCESSED", "vaulted")
    assert after["staging"]["validation_status"] == "VALID"
    assert 0.3 <= after["staging"]["quality_score"] <= 1
    assert isinstance(after["staging"]["reasons"], list)
    assert after["staging"]["load_id"] > 0
    assert after["vault"]["load_date"] >= after["landing"]["received_timestamp"]
    assert all(len(after["vault"][key]) == 64 for key in ("session_hk", "visitor_hk", "page_hk"))
    assert before["landing"] == {**after["landing"], "processed_timestamp": None}


def test_waiting_for_the_vault_answers_with_what_each_stage_did(client: httpx.Client, database: Database):
    with worker(database):
        answer = client.post(TRACK, json=EVENT, params={"wait": "vault"}).json()
        batch = client.post(BATCH, json=[VAULTED, 7, VAULTED, {"nothing": 1}], params={"wait": "vault"}).json()
    assert (answer["success"], answer["status"]) == (True, "vaulted")
    assert answer["receipt"]["event_id"] == answer["event_id"]
    assert [result.get("receipt", {}).get("outcome") for result in batch["results"]] == [
        "vaulted",
        None,
        "duplicate",
        "invalid",
    ]
    reasons = [reason["code"] for reason in batch["results"][3]["receipt"]["staging"]["reasons"]]
    assert "validate.event_type_missing" in reasons


def test_the_same_id_with_another_body_is_a_conflict(client: httpx.Client, database: Database):
    event_id = client.post(TRACK, json=VAULTED).json()["event_id"]
    drain(database)
    client.post(TRACK, json={**VAULTED, "page_url": "https://www.example.com/other"})
    drain(database)
    receipts = client.get(f"/api/v1/events/{event_id}").json()["receipts"]
    assert [receipt["outcome"] for receipt in receipts] == ["vaulted", "conflict"]


def test_a_wait_that_ends_first_is_still_a_200_and_says_pending(start_collector: StartCollector, tenant: Tenant):
    collector = start_collector(wait_timeout_seconds=0.3)
    with collector.client(headers={"X-Api-Key": tenant.secret}) as client:
        began = time.monotonic()
        answer = client.post(TRACK, json=EVENT, params={"wait": "vault"})
    assert 0.25 < time.monotonic() - began < 3
    assert (answer.status_code, answer.json()["status"]) == (200, "landed")
    assert answer.json()["receipt"]["state"] == "PENDING"


def test_the_notice_of_a_load_ends_the_wait(
    client: httpx.Client, database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sitevault.collector.loads.POLL_SECONDS", 60)
    with worker(database):
        began = time.monotonic()
        answer = client.post(TRACK, json=EVENT, params={"wait": "vault"})
    assert answer.json()["status"] == "vaulted"
    assert time.monotonic() - began < 5


def test_another_tenants_event_is_as_absent_as_none(
    collector: RunningCollector, client: httpx.Client, database: Database
):
    event_id = client.post(TRACK, json=EVENT).json()["event_id"]
    other = make_tenant(database, "Other")
    with collector.client(headers={"X-Api-Key": other.secret}) as elsewhere:
        theirs = elsewhere.get(f"/api/v1/events/{event_id}")
        nowhere = elsewhere.get("/api/v1/events/01a20678-d942-7d13-88a5-9de8e52f2934")
    assert theirs.status_code == nowhere.status_code == 404
    assert theirs.content == nowhere.content


def test_two_tenants_in_one_flush_each_see_their_own(collector: RunningCollector, database: Database):
    tenants = [make_tenant(database, f"Tenant {n}") for n in range(2)]
    for number, tenant in enumerate(tenants, start=1):
        with collector.client(headers={"X-Api-Key": tenant.secret}) as client:
            client.post(BATCH, json=[EVENT] * number)
            assert client.get("/api/v1/status").json()["ledger"]["landed"] == number


def test_the_status_is_a_ledger_that_balances_at_every_step(client: httpx.Client, database: Database):
    def status() -> dict[str, Any]:
        return client.get("/api/v1/status").json()

    nothing = {"pending": 0, "processed": 0, "vaulted": 0, "duplicate": 0, "invalid": 0, "error": 0}
    empty = status()
    assert empty["ledger"] == {"landed": 0, **nothing, "balances": True}
    assert (empty["oldest_pending_seconds"], empty["today"]) == (None, {"staged": 0, "average_quality": None})
    client.post(BATCH, json=[VAULTED, VAULTED, {"nothing": 1}, EVENT])
    waiting = status()
    assert waiting["ledger"] == {**nothing, "landed": 4, "pending": 4, "balances": True}
    assert 0 <= waiting["oldest_pending_seconds"] < 60
    drain(database)
    client.post(TRACK, json=EVENT)
    after = status()
    assert after["ledger"] == {
        "landed": 5,
        "pending": 1,
        "processed": 4,
        "vaulted": 2,
        "duplicate": 1,
        "invalid": 1,
        "error": 0,
        "balances": True,
    }
    assert after["today"]["staged"] == 4
    assert 0 < after["today"]["average_quality"] <= 1


def test_unknown_parameters_are_ignored(client: httpx.Client):
    answer = client.post(TRACK, json=EVENT, params={"utm_source": "x", "_": "1"})
    assert answer.json()["status"] == "landed"


def test_a_notice_names_batches_by_range_or_one_by_one():
    assert list(ranges("3-5,9")) == [(3, 5), (9, 9)]
    assert list(ranges("")) == []
    assert list(ranges("x, 7 ,-,8-,1-2-3")) == [(7, 7)]


def test_metrics_count_without_naming_a_tenant(client: httpx.Client, tenant: Tenant):
    client.post(BATCH, json=[EVENT, 7, 8])
    client.post(TRACK, content=b"{")
    shown = client.get("/metrics").text
    for line in (
        'sitevault_collector_requests_total{route="/api/v1/track/batch",status="200"} 1.0',
        'sitevault_collector_events_accepted_total{protocol="track"} 1.0',
        'sitevault_collector_refused_total{reason="collect.event_not_an_object"} 2.0',
        'sitevault_collector_refused_total{reason="collect.json_malformed"} 1.0',
        "sitevault_collector_queue_events 0.0",
        "sitevault_collector_flush_events_count 1.0",
    ):
        assert line in shown.splitlines()
    assert tenant.tenant_bk not in shown
    assert tenant.tenant_hk.hex() not in shown


def test_health_answers_head_without_a_body(client: httpx.Client):
    for path in ("/health/live", "/health/ready", "/openapi.yaml"):
        answer = client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


def test_an_event_whose_landing_retention_removed_has_the_vaults_answer(
    tenant: Tenant, client: httpx.Client, database: Database
) -> None:
    sent = Sender(tenant.tenant_bk, tenant.tenant_hk, hashlib.sha256(tenant.secret.encode()).digest(), "")
    old_day(database, sent, 5, page_view(1), {"page_url": "https://spa.example/"})
    with connect(database.admin_conninfo) as admin:
        landed = admin.execute("SELECT event_id FROM raw.landed_event ORDER BY raw_event_id").fetchall()
    vaulted, invalid = (event_id for (event_id,) in landed)
    (before,) = client.get(f"/api/v1/events/{vaulted}").json()["receipts"]
    retention_run.apply(database, KEEP_TWO_DAYS)
    (after,) = client.get(f"/api/v1/events/{vaulted}").json()["receipts"]
    assert (after["state"], after["outcome"], after["vault"]) == ("PROCESSED", "vaulted", before["vault"])
    assert after["landing"]["removed"] is True
    assert after["landing"]["received_timestamp"] == before["landing"]["received_timestamp"]
    refused = client.get(f"/api/v1/events/{invalid}")
    assert (refused.status_code, refused.json()["code"]) == (404, "collect.event_removed")
    unknown = client.get(f"/api/v1/events/{uuid4()}")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "collect.event_not_found")
    assert client.get("/api/v1/status").json()["ledger"]["balances"] is True
