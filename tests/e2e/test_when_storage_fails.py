"""Durable before acknowledged, whatever is killed; quick refusals while PostgreSQL is away; and back again."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from collecting import EVENT, RunningCollector, StartCollector, Tenant, make_tenant, own_process
from db.lifecycle import kill_all, processes
from sitevault.collector import server as collector_server
from sitevault.config import Config
from sitevault.db import embedded
from sitevault.db.connect import Database, connect, open_embedded
from sitevault.db.migrate import migrate
from sitevault.errors import SitevaultError

TRACK = "/api/v1/track"


@contextmanager
def flushes_held(database: Database) -> Iterator[None]:
    """Inside, no flush can commit."""
    with connect(database.admin_conninfo) as conn:
        conn.execute("LOCK TABLE raw.batch IN ACCESS EXCLUSIVE MODE")
        yield


def wait_until(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def post(url: str, key: str, event: dict[str, Any] = EVENT) -> httpx.Response:
    return httpx.post(url + TRACK, json=event, headers={"X-Api-Key": key}, timeout=20)


def end_landing_connections(admin: psycopg.Connection[Any]) -> int:
    """Cut the writers' connections; how many there were."""
    ended = admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'sitevault-collector-landing' AND datname = current_database()"
    )
    return len(ended.fetchall())


def landed(admin: psycopg.Connection[Any]) -> int:
    row = admin.execute("SELECT count(*) FROM raw.landed_event").fetchone()
    assert row
    return int(row[0])


def test_a_graceful_stop_answers_what_is_in_flight(database: Database, tenant: Tenant, admin: Any):
    with own_process(database) as (process, url), ThreadPoolExecutor(20) as pool:
        with flushes_held(database):
            sent = [pool.submit(post, url, tenant.secret) for _ in range(20)]
            wait_until(lambda: "\nsitevault_collector_queue_events 20.0" in httpx.get(f"{url}/metrics").text)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert process.poll() is None
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{url}/health/live", timeout=2)
        assert [answer.result().status_code for answer in sent] == [200] * 20
        assert process.wait(10) == 0
    assert landed(admin) == 20


def test_an_idle_keep_alive_connection_does_not_hold_up_the_stop(database: Database):
    with own_process(database) as (process, url), httpx.Client(base_url=url) as client:
        assert client.get("/health/live").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0


def test_killing_the_collector_loses_no_acknowledged_event(database: Database, tenant: Tenant, admin: Any):
    acknowledged: list[str] = []

    def send(url: str) -> None:
        with httpx.Client(base_url=url, headers={"X-Api-Key": tenant.secret}, timeout=20) as client:
            while True:
                try:
                    acknowledged.append(client.post(TRACK, json=EVENT).json()["event_id"])
                except httpx.TransportError:
                    return

    with own_process(database) as (process, url):
        threads = [threading.Thread(target=send, args=(url,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(acknowledged) > 200)
        process.kill()
        for thread in threads:
            thread.join()
    kept = {row[0] for row in admin.execute("SELECT event_id::text FROM raw.landed_event").fetchall()}
    assert set(acknowledged) <= kept
    assert len(set(acknowledged)) == len(acknowledged)


def test_postgresql_killed_is_a_quick_503_and_then_it_recovers(home: Path):
    # Not durable: this server would answer before its commits are on disk, if the writer did not insist.
    with embedded.attach(home, durable=False) as first:
        database = open_embedded(Config(home=home), first)
        migrate(database)
        tenant = make_tenant(database)
        collector = RunningCollector(database, Config(port=0)).start()
        try:
            answered = [post(collector.url, tenant.secret).json()["event_id"] for _ in range(5)]
            kill_all(processes(first))
            for wait in (0.0, 1.0, 0.0):
                time.sleep(wait)
                began = time.monotonic()
                answer = post(collector.url, tenant.secret)
                assert time.monotonic() - began < 1
                assert (answer.status_code, answer.json()["code"]) == (503, "collect.storage_unavailable")
                assert int(answer.headers["retry-after"]) >= 1
            assert httpx.get(f"{collector.url}/health/live").status_code == 200
            assert httpx.get(f"{collector.url}/health/ready").status_code == 503
            with embedded.attach(home, durable=False):
                wait_until(lambda: post(collector.url, tenant.secret).status_code == 200)
                wait_until(lambda: httpx.get(f"{collector.url}/health/ready").status_code == 200)
                with connect(database.admin_conninfo) as conn:
                    kept = {row[0] for row in conn.execute("SELECT event_id::text FROM raw.landed_event")}
                assert set(answered) <= kept
                collector.stop()
        finally:
            collector.stop()


def test_a_connection_lost_while_idle_costs_nobody_an_answer(
    collector: RunningCollector, tenant: Tenant, admin: Any
):
    assert end_landing_connections(admin) == 1
    assert post(collector.url, tenant.secret).status_code == 200
    assert landed(admin) == 1


def test_a_commit_of_unknown_outcome_is_a_503_and_is_not_sent_again(
    collector: RunningCollector, tenant: Tenant, admin: Any, database: Database
):
    with ThreadPoolExecutor(2) as pool:
        with flushes_held(database):
            held = pool.submit(post, collector.url, tenant.secret, {"n": "in flight"})
            time.sleep(0.4)
            # This one is only queued: it was never sent, so it may be sent over the next connection.
            queued = pool.submit(post, collector.url, tenant.secret, {"n": "queued"})
            time.sleep(0.2)
            assert end_landing_connections(admin) == 1
            answer = held.result(5)
            assert (answer.status_code, answer.json()["code"]) == (503, "collect.storage_unavailable")
        assert queued.result(5).status_code == 200
    assert post(collector.url, tenant.secret, {"n": "later"}).status_code == 200
    assert admin.execute("SELECT payload->>'n' FROM raw.landed_event ORDER BY raw_event_id").fetchall() == [
        ("queued",),
        ("later",),
    ]


def test_a_flush_that_hangs_is_a_503_in_time(start_collector: StartCollector, tenant: Tenant, database: Database):
    collector = start_collector(flush_timeout_seconds=0.5)
    with flushes_held(database):
        began = time.monotonic()
        answer = post(collector.url, tenant.secret)
        assert 0.4 < time.monotonic() - began < 2
        assert (answer.status_code, answer.json()["code"]) == (503, "collect.storage_unavailable")
    wait_until(lambda: post(collector.url, tenant.secret).status_code == 200)


@pytest.mark.parametrize("limit", [{"max_queue_events": 5}, {"max_queue_bytes": 2_000}])
def test_a_full_queue_refuses_at_once_and_keeps_what_it_took(
    start_collector: StartCollector, tenant: Tenant, admin: Any, database: Database, limit: dict[str, int]
):
    collector = start_collector(**limit)
    with ThreadPoolExecutor(30) as pool:
        with flushes_held(database):
            sent = [pool.submit(post, collector.url, tenant.secret) for _ in range(30)]
            wait_until(lambda: sum(future.done() for future in sent) >= 20)
        answers = [future.result() for future in sent]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {answer.json()["code"] for answer in refused} == {"collect.overloaded"}
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert landed(admin) == 30 - len(refused)
    assert 1 <= landed(admin) <= 10


def test_without_postgresql_it_starts_and_says_so(
    start_collector: StartCollector, database: Database, tmp_path: Path
):
    nowhere = Database(
        {**database.where, "host": str(tmp_path)},
        database.passwords,
        database.admin_conninfo,
        database.server_version,
    )
    began = time.monotonic()
    collector = start_collector(on=nowhere)
    assert time.monotonic() - began < 2
    with collector.client(headers={"X-Api-Key": "sv_sec_" + "0" * 43}) as client:
        assert client.get("/health/live").status_code == 200
        for answer in (client.get("/health/ready"), client.post(TRACK, json=EVENT)):
            assert (answer.status_code, answer.json()["code"]) == (503, "collect.storage_unavailable")


def test_a_taken_port_is_an_error_in_plain_words(start_collector: StartCollector, collector: RunningCollector):
    with pytest.raises(SitevaultError, match=f"cannot listen on 127.0.0.1:{collector.port()}"):
        start_collector(port=collector.port())


def test_headers_that_never_end_are_cut_off(start_collector: StartCollector, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(collector_server, "HEADER_MILLISECONDS", 400)
    collector = start_collector()
    began = time.monotonic()
    with connection_to(collector) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nX-A: ")
        assert connection.recv(65_536) == b""
    assert 0.3 < time.monotonic() - began < 3


def test_a_body_that_never_ends_is_incomplete(start_collector: StartCollector, tenant: Tenant):
    collector = start_collector(body_timeout_seconds=0.3)
    head = f"POST {TRACK} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {tenant.secret}\r\nContent-Length: 100\r\n\r\n{{"
    with connection_to(collector) as connection:
        connection.sendall(head.encode())
        assert b"collect.body_incomplete" in connection.recv(65_536)


@contextmanager
def connection_to(collector: RunningCollector) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", collector.port()), timeout=10) as connection:
        yield connection
