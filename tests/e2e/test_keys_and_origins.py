"""Where a key may be, which one counts, and what pages of other origins may see."""

from __future__ import annotations

import base64
import time
from typing import Any

import pytest

from collecting import EVENT, PAGE, RunningCollector, StartCollector, Tenant, make_tenant
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.tenancy.keys import KeyKind, create_key, revoke_key

TRACK = "/api/v1/track"


def test_a_key_may_come_in_any_of_five_places(collector: RunningCollector, admin: Any, tenant: Tenant):
    key = tenant.secret
    basic = base64.b64encode(f"{key}:ignored".encode()).decode()
    with collector.client() as client:
        for sent in (
            client.post(TRACK, json=EVENT, headers={"Authorization": f"bearer {key}"}),
            client.post(TRACK, json=EVENT, headers={"Authorization": f"Basic {basic}"}),
            client.post(TRACK, json=EVENT, headers={"X-Api-Key": key}),
            client.post(f"/k/{key}{TRACK}", json=EVENT),
            client.post(TRACK, json={**EVENT, "api_key": key}),
            client.post(f"{TRACK}/batch", json={"api_key": key, "events": [EVENT]}),
            client.post(f"/k/{key}{TRACK}/bulk", json=[EVENT]),
        ):
            assert sent.status_code == 200
    assert admin.execute("SELECT tenant_hk, count(*) FROM raw.landed_event GROUP BY 1").fetchall() == [
        (tenant.tenant_hk, 7)
    ]


def test_a_header_beats_the_path_and_the_path_beats_the_body(
    collector: RunningCollector, admin: Any, database: Database
):
    header, path, body = (make_tenant(database, name) for name in ("Header", "Path", "Body"))
    event = {**EVENT, "api_key": body.secret}
    with collector.client() as client:
        client.post(f"/k/{path.secret}{TRACK}", json=event, headers={"X-Api-Key": header.secret})
        client.post(f"/k/{path.secret}{TRACK}", json=event)
        client.post(TRACK, json=event)
    owners = admin.execute("SELECT tenant_hk FROM raw.landed_event ORDER BY raw_event_id").fetchall()
    assert owners == [(header.tenant_hk,), (path.tenant_hk,), (body.tenant_hk,)]


def test_the_same_key_twice_is_no_conflict(collector: RunningCollector, tenant: Tenant):
    headers = {"X-Api-Key": tenant.secret, "Authorization": f"Bearer {tenant.secret}"}
    with collector.client(headers=headers) as client:
        assert client.post(TRACK, json=EVENT).status_code == 200


def test_a_key_made_a_moment_ago_works_at_once(collector: RunningCollector, tenant: Tenant, database: Database):
    with database.connect(Role.MIGRATOR, autocommit=True) as conn:
        key = create_key(conn, tenant.tenant_bk, KeyKind.SECRET).key
    with collector.client(headers={"X-Api-Key": key}) as client:
        assert client.post(TRACK, json=EVENT).status_code == 200


def test_a_revoked_key_is_refused_within_a_second_in_every_process(
    start_collector: StartCollector, tenant: Tenant, database: Database
):
    collectors = [start_collector(), start_collector()]
    with database.connect(Role.MIGRATOR, autocommit=True) as conn:
        made = create_key(conn, tenant.tenant_bk, KeyKind.SECRET)
        for collector in collectors:
            with collector.client(headers={"X-Api-Key": made.key}) as client:
                assert client.post(TRACK, json=EVENT).status_code == 200
        revoke_key(conn, made.api_key)
    time.sleep(1)
    for collector in collectors:
        with collector.client(headers={"X-Api-Key": made.key}) as client:
            assert client.post(TRACK, json=EVENT).json()["code"] == "collect.auth_revoked_key"


@pytest.mark.parametrize("path", [TRACK, f"{TRACK}/batch"])
def test_a_page_may_ask_before_it_sends(collector: RunningCollector, path: str):
    with collector.client() as client:
        answer = client.options(
            path,
            headers={
                "Origin": "https://any.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,x-api-key,x-own",
            },
        )
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["access-control-allow-origin"] == "https://any.example"
    assert answer.headers["access-control-allow-methods"] == "POST, OPTIONS"
    assert answer.headers["access-control-allow-headers"] == "content-type,x-api-key,x-own"
    assert answer.headers["vary"] == "origin"


def test_a_key_in_the_path_decides_the_preflight(collector: RunningCollector, tenant: Tenant):
    asked = {"Access-Control-Request-Method": "POST"}
    with collector.client() as client:
        path = f"/k/{tenant.public}{TRACK}"
        allowed = client.options(path, headers={**asked, "Origin": PAGE})
        refused = client.options(path, headers={**asked, "Origin": "https://evil.example"})
    assert allowed.headers["access-control-allow-origin"] == PAGE
    assert "access-control-allow-origin" not in refused.headers


def test_only_an_allowed_page_may_read_the_answer(collector: RunningCollector, tenant: Tenant):
    with collector.client() as client:
        answers = {
            "sent": client.post(TRACK, json=EVENT, headers={"X-Api-Key": tenant.public, "Origin": PAGE}),
            "refused": client.post(TRACK, content=b"{", headers={"X-Api-Key": tenant.public, "Origin": PAGE}),
            "evil": client.post(
                TRACK, json=EVENT, headers={"X-Api-Key": tenant.public, "Origin": "https://evil.example"}
            ),
            "unknown": client.post(TRACK, json=EVENT, headers={"X-Api-Key": "x", "Origin": PAGE}),
            "secret": client.post(TRACK, json=EVENT, headers={"X-Api-Key": tenant.secret, "Origin": PAGE}),
            "server": client.post(TRACK, json=EVENT, headers={"X-Api-Key": tenant.public}),
        }
    shown = {name: answer.headers.get("access-control-allow-origin") for name, answer in answers.items()}
    assert shown == {
        "sent": PAGE,
        "refused": PAGE,
        "evil": None,
        "unknown": None,
        "secret": None,
        "server": None,
    }
    assert [answers[name].status_code for name in answers] == [200, 400, 403, 401, 200, 200]


def test_a_rate_is_per_key_and_says_when_to_come_back(collector: RunningCollector, database: Database):
    limited, free = make_tenant(database, "Limited", rate_limit=2), make_tenant(database, "Free")
    with collector.client() as client:
        codes = []
        for _ in range(3):
            answer = client.post(f"{TRACK}/batch", json=[EVENT] * 4, headers={"X-Api-Key": limited.secret})
            codes.append(answer.status_code)
        assert codes == [200, 429, 429]
        assert answer.json()["code"] == "collect.rate_limited"
        assert answer.headers["retry-after"] == "2"
        assert client.post(TRACK, json=EVENT, headers={"X-Api-Key": free.secret}).status_code == 200
        time.sleep(1.6)
        assert client.post(TRACK, json=EVENT, headers={"X-Api-Key": limited.secret}).status_code == 200
