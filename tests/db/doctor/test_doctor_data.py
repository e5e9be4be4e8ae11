"""Tenancy, drift and data: each check finds its fault, and is quiet beside it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given as varied
from hypothesis import settings
from hypothesis import strategies as st
from tests import given
from tests.doctoring import look, run
from tests.observing import drain

from sitevault.db.connect import Database, connect
from sitevault.doctor.checks.data import duplicates, hash_keys, literals, orphans, timestamps, unstaged
from sitevault.doctor.checks.drift import keys, null_columns
from sitevault.doctor.checks.tenancy import carried, provenance
from sitevault.doctor.model import Finding, Verdict
from sitevault.doctor.provenance import Evidence, Provenance, judge
from sitevault.doctor.sample import SampledEvent

SPA, TEST = b"\x01", b"\x02"
TENANTS = "INSERT INTO auth.tenant_h VALUES ('\\x01', 'the-one-spa'), ('\\x02', 'test-company')"
KEYS = (
    "CREATE TABLE auth.api_key_h (tenant_hk bytea, api_key_hash text)",
    "ALTER TABLE raw.site_tracking_events_r ADD api_key_hash text",
    "INSERT INTO auth.api_key_h VALUES ('\\x01', 'k1'), ('\\x02', 'k2')",
)
STAGE = (
    "INSERT INTO staging.site_tracking_events_s (raw_event_id, tenant_hk, event_type)"
    " SELECT raw_event_id, tenant_hk, 'page_view' FROM raw.site_tracking_events_r"
)


def insert(
    where: str, tenant: bytes, *payloads: dict[str, Any], key: str | None = None, age: str = "1 hour"
) -> None:
    columns = "tenant_hk, raw_payload, processing_status, received_timestamp" + (", api_key_hash" if key else "")
    values = "%s, %s, 'PROCESSED', now() - %s::interval" + (", %s" if key else "")
    with connect(where) as admin, admin.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO raw.site_tracking_events_r ({columns}) VALUES ({values})",
            [(tenant, json.dumps(one), age, *([key] if key else [])) for one in payloads],
        )


def view(host: str = "spa.example", **more: Any) -> dict[str, Any]:
    return {"event_type": "page_view", "page_url": f"https://{host}/"} | more


def worst(findings: tuple[Finding, ...]) -> dict[Verdict, str]:
    return {one.verdict: one.subject for one in findings}


# -- tenancy ---------------------------------------------------------------------------------------------------


def test_an_event_under_another_tenant_than_its_keys_is_a_contradiction(guide: str) -> None:
    run(guide, TENANTS, *KEYS)
    insert(guide, SPA, view(), view(), key="k1")
    insert(guide, TEST, view(), view(), key="k1")
    (finding,) = look(guide, provenance.CHECK).findings
    assert finding.verdict is Verdict.PROBLEM
    assert finding.subject == "tenant test-company"
    assert "2 of 2" in finding.message
    assert "tenant the-one-spa's" in finding.evidence[0].says


def test_events_with_their_own_keys_are_consistent(guide: str) -> None:
    run(guide, TENANTS, *KEYS)
    insert(guide, SPA, view(), key="k1")
    insert(guide, TEST, view("spa.example"), key="k2")
    outcome = look(guide, provenance.CHECK)
    assert outcome.findings == ()
    assert "consistent 1" in outcome.notes[1]


def test_a_key_in_the_payload_is_held_against_the_digest_that_is_kept(guide: str) -> None:
    digest = hashlib.sha256(b"pk_secret").hexdigest()
    run(guide, TENANTS, *KEYS, f"INSERT INTO auth.api_key_h VALUES ('\\x01', '{digest}')")
    insert(guide, TEST, view(api_key="pk_secret"))
    (finding,) = look(guide, provenance.CHECK).findings
    assert finding.verdict is Verdict.PROBLEM
    assert "pk_secret" not in repr(finding)


def test_without_provenance_nothing_is_ok(guide: str) -> None:
    run(guide, TENANTS)
    insert(guide, SPA, *[view("shop.example") for _ in range(5)])
    outcome = look(guide, provenance.CHECK)
    assert outcome.verdict is Verdict.UNKNOWN
    assert "neither confirmed nor refuted" in outcome.findings[0].message


def test_a_host_that_is_another_tenants_makes_an_event_suspect_and_no_more(guide: str) -> None:
    run(guide, TENANTS)
    insert(guide, SPA, *[view("shop.example") for _ in range(3)])
    insert(guide, TEST, view("shop.example"))
    found = worst(look(guide, provenance.CHECK).findings)
    assert found[Verdict.WARNING] == "tenant test-company"
    assert Verdict.UNKNOWN in found


def test_a_host_with_another_tenants_name_makes_an_event_suspect(guide: str) -> None:
    run(guide, TENANTS)
    insert(guide, TEST, view("www.theonespa.example"))
    insert(guide, SPA, view("theonespa.example"))
    found = worst(look(guide, provenance.CHECK).findings)
    assert found[Verdict.WARNING] == "tenant test-company"


def test_a_platforms_host_makes_nobody_suspect(guide: str) -> None:
    run(guide, *(f"INSERT INTO auth.tenant_h VALUES ('\\x0{n}', 'tenant-{n}')" for n in range(1, 7)))
    for number in range(1, 7):
        insert(guide, bytes([number]), *[view("pages.example") for _ in range(number)])
    assert Verdict.WARNING not in worst(look(guide, provenance.CHECK).findings)


def test_a_payload_that_names_another_tenant_contradicts(guide: str) -> None:
    run(guide, TENANTS)
    insert(guide, TEST, view(customer_id="the-one-spa"), view(customer_id="somebody's own number"))
    found = worst(look(guide, provenance.CHECK).findings)
    assert found[Verdict.PROBLEM] == "tenant test-company"


def test_a_key_that_is_nobodys_contradicts_in_our_house(database: Database) -> None:
    one, other = given.sender(database), given.sender(database, "Test Company")
    given.land(database, [given.row(one._replace(tenant_hk=other.tenant_hk), given.page_view(1))])
    (finding,) = look(database, provenance.CHECK).findings
    assert finding.verdict is Verdict.PROBLEM
    assert finding.subject == f"tenant {other.tenant_bk}"


@settings(max_examples=200)
@varied(
    st.lists(
        st.tuples(st.sampled_from([SPA, TEST, b"\x03"]), st.sampled_from(["k1", "k2", None, "odd"]),
                  st.sampled_from(["a.example", "b.example", None, "10.0.0.1", "not a url["])),
        max_size=20,
    )
)  # fmt: skip
def test_only_a_proof_makes_an_event_consistent(events: list[tuple[bytes, str | None, str | None]]) -> None:
    owners = {"k1": frozenset([SPA]), "k2": frozenset([TEST])}
    sampled = [
        SampledEvent("1", tenant, None, None, key, None, {"page_url": host and f"https://{host}/"}, None)
        for tenant, key, host in events
    ]
    for event, judged in zip(sampled, judge(sampled, Evidence(owners, {}, False)), strict=True):
        known = owners.get(event.api_key or "")
        if known is None:
            assert judged.verdict in (Provenance.UNVERIFIABLE, Provenance.SUSPECT)
        else:
            right = Provenance.CONSISTENT if event.tenant_hk in known else Provenance.CONTRADICTION
            assert judged.verdict is right


def test_a_staged_row_under_another_tenant_is_found(guide: str) -> None:
    run(guide, TENANTS)
    insert(guide, SPA, view(), view())
    run(guide, STAGE)
    assert look(guide, carried.CHECK).findings == ()
    run(guide, "UPDATE staging.site_tracking_events_s SET tenant_hk = '\\x02' WHERE raw_event_id = 1")
    (finding,) = look(guide, carried.CHECK).findings
    assert finding.evidence[0].counts == {"contradiction": 1}


# -- drift -----------------------------------------------------------------------------------------------------


def history(where: str, before: dict[str, Any], now: dict[str, Any], count: int = 200) -> None:
    run(where, TENANTS)
    insert(where, SPA, *[before] * count, age="3 days")
    insert(where, SPA, *[now] * count, age="1 hour")


CHANGES = [
    (view(event_data={"session_id": "s"}), view(event_data={"sessionId": "s"}), {"vanished", "appeared"}),
    (view(price=5), view(price="5"), {"was a number"}),
    (view(), view(title="t"), {"appeared"}),
]


@pytest.mark.parametrize(("before", "now", "what"), CHANGES, ids=["renamed", "type", "new"])
def test_a_key_that_changed_is_found(
    guide: str, before: dict[str, Any], now: dict[str, Any], what: set[str]
) -> None:
    history(guide, before, now)
    (finding,) = look(guide, keys.CHECK).findings
    said = " ".join(one.says for one in finding.evidence)
    assert all(one in said for one in what)


@pytest.mark.parametrize("count", [1, 5, 40])
def test_few_events_do_not_cry_wolf(guide: str, count: int) -> None:
    history(guide, view(a=1), view(b=2), count=count)
    outcome = look(guide, keys.CHECK)
    assert outcome.findings == ()
    assert "too few events" in outcome.notes[1]


def test_a_key_that_is_there_now_and_then_does_not_cry_wolf(guide: str) -> None:
    run(guide, TENANTS)
    insert(guide, SPA, *[view(utm="x") if number % 3 else view() for number in range(400)])
    assert look(guide, keys.CHECK).findings == ()


def test_a_nested_key_whose_column_stays_empty_is_found(guide: str) -> None:
    run(guide, TENANTS)
    insert(guide, SPA, *[view(event_data={"session_id": "s", "page_title": "t"})] * 5)
    run(guide, STAGE, "UPDATE staging.site_tracking_events_s SET page_title = 't', page_url = 'u'")
    (finding,) = look(guide, null_columns.CHECK).findings
    assert finding.subject == "staging.site_tracking_events_s.session_id"
    assert finding.evidence[0].object == "event_data.session_id"


def test_a_column_that_no_payload_fills_may_be_empty(guide: str) -> None:
    run(guide, TENANTS)
    insert(guide, SPA, *[view(event_data={"session_id": None})] * 5)
    run(guide, STAGE, "UPDATE staging.site_tracking_events_s SET page_url = 'u'")
    assert look(guide, null_columns.CHECK).findings == ()


# -- data ------------------------------------------------------------------------------------------------------


def test_processed_and_never_staged_is_found(guide: str) -> None:
    run(guide, TENANTS)
    insert(guide, SPA, view(), view(), view())
    run(guide, STAGE)
    assert look(guide, unstaged.CHECK).findings == ()
    run(guide, "DELETE FROM staging.site_tracking_events_s WHERE raw_event_id = 2")
    (finding,) = look(guide, unstaged.CHECK).findings
    assert finding.evidence[0].counts == {"missing": 1}


def test_an_event_of_the_house_in_no_place_is_found(database: Database) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(number)) for number in range(5)])
    drain(database)
    run(
        database,
        "DELETE FROM business.site_event_nl WHERE raw_event_id % 65536 = 3",
        "DELETE FROM staging.site_tracking_events_s WHERE raw_event_id % 65536 = 3",
    )
    (finding,) = look(database, unstaged.CHECK).findings
    assert finding.evidence[0].counts == {"missing": 1}


def test_a_staged_row_without_its_event_is_found(guide: str) -> None:
    run(
        guide,
        TENANTS,
        "ALTER TABLE staging.site_tracking_events_s DROP CONSTRAINT site_tracking_events_s_raw_event_id_fkey",
    )
    insert(guide, SPA, view())
    run(guide, STAGE)
    assert look(guide, orphans.CHECK).findings == ()
    run(guide, "UPDATE staging.site_tracking_events_s SET raw_event_id = 77")
    assert look(guide, orphans.CHECK).findings[0].evidence[0].counts == {"orphans": 1}


def test_a_staged_row_of_the_house_whose_landing_was_deleted_is_found(database: Database) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(number)) for number in range(5)])
    drain(database)
    run(database, "DELETE FROM raw.landed_event WHERE raw_event_id % 65536 = 3")
    assert look(database, orphans.CHECK).findings[0].evidence[0].counts == {"orphans": 1}


def test_an_event_staged_twice_is_found(guide: str) -> None:
    run(guide, TENANTS)
    insert(guide, SPA, view(), view())
    run(guide, STAGE)
    assert look(guide, duplicates.CHECK).findings == ()
    run(guide, f"{STAGE} WHERE raw_event_id = 1")
    assert look(guide, duplicates.CHECK).findings[0].evidence[0].counts == {"twice": 1}


def test_an_event_from_the_future_is_found(guide: str) -> None:
    run(guide, TENANTS)
    insert(guide, SPA, view())
    assert look(guide, timestamps.CHECK).findings == ()
    insert(guide, SPA, view(), age="-2 days")
    (finding,) = look(guide, timestamps.CHECK).findings
    assert "future" in finding.message


ILLEGAL = [
    "SELECT count(*) FROM staging.site_tracking_events_s WHERE validation_status = 'PASSED'",
    "SELECT count(*) FILTER (WHERE \"validation_status\" IN ('VALID', 'OK')) FROM staging.site_tracking_events_s",
    "SELECT 1 FROM staging.site_tracking_events_s AS s\nWHERE s.validation_status\n  <> 'FAILED'",
    "SELECT 1 FROM raw.site_tracking_events_r WHERE processing_status = 'COMPLETED'",
]
LEGAL = [
    "SELECT count(*) FROM staging.site_tracking_events_s WHERE validation_status = 'VALID'",
    "SELECT count(*) FROM staging.site_tracking_events_s WHERE validation_status IN ('VALID', 'INVALID')",
    "SELECT 1 FROM staging.site_tracking_events_s WHERE enrichment_status = 'ANYTHING'",
    "SELECT 1 FROM staging.site_tracking_events_s WHERE event_type = 'PASSED' -- validation_status = 'PASSED'",
    "SELECT 1 FROM auth.other AS o WHERE o.validation_status = 'PASSED' AND EXISTS"
    " (SELECT FROM staging.site_tracking_events_s)",
]


@pytest.mark.parametrize("kind", ["VIEW", "FUNCTION"])
@pytest.mark.parametrize(("query", "found"), [*((one, 1) for one in ILLEGAL), *((one, 0) for one in LEGAL)])
def test_a_comparison_that_can_never_be_true_is_found(guide: str, kind: str, query: str, found: int) -> None:
    run(guide, "CREATE TABLE auth.other (validation_status text)")
    if kind == "VIEW":
        run(guide, f"CREATE VIEW staging.monitor AS {query}")
    else:
        run(guide, f"CREATE FUNCTION staging.monitor() RETURNS bigint LANGUAGE sql AS $$ {query} $$")
    findings = look(guide, literals.CHECK).findings
    assert len(findings) == found


def test_a_hash_key_that_does_not_recompute_is_found(database: Database) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(number)) for number in range(5)])
    drain(database)
    run(
        database,
        "UPDATE business.site_session_h SET session_bk = session_bk || 'x' WHERE session_bk = 'session-1'",
    )
    (finding,) = look(database, hash_keys.CHECK).findings
    assert finding.subject == "business.site_session_h"
    assert finding.evidence[0].counts == {"wrong": 1}
