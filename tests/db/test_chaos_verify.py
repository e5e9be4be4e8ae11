"""The account of the chaos suite can say no: each kind of loss, doubling and alteration is noticed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from bench.house import Holder
from chaos import traffic
from chaos.journal import Fate, Journal
from chaos.run import refuse_poison
from chaos.verify import CHECKS, Account, description, verify
from psycopg.conninfo import make_conninfo

import given
from sitevault.config import Config
from sitevault.db.connect import Database, connect, open_embedded
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.migrate import migrate
from sitevault.worker.run import Worker

TENANTS = ("The ONE Spa", "Harbour Clinic")
Scene = tuple[psycopg.Connection[Any], Journal]


def events(number: int) -> dict[str, Any]:
    return given.page_view(number, user_id=f"user-{number % 4}", page_title=f"Page {number % 5}")


@pytest.fixture(scope="module")
def scene(server: EmbeddedServer) -> Iterator[Scene]:
    """Two tenants' events, some sent twice, some bad, all in their places; and what the clients know of it."""
    with connect(server.superuser_conninfo(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE chaos_verified TEMPLATE template0")
    try:
        database = _migrated(server)
        journal = Journal()
        senders = [given.sender(database, name) for name in TENANTS]
        with connect(database.admin_conninfo, autocommit=True) as conn:
            refuse_poison(conn)
        for who in senders:
            holder = Holder(None, who.tenant_hk, who.api_key_hk, who.key)  # type: ignore[arg-type]
            first, second = [], []
            for number in range(40):
                fate, event_type = Fate.GOOD, "page_view"
                if number in (7, 8):
                    fate, event_type = Fate.INVALID, "///"
                if number in (17, 18):
                    fate, event_type = Fate.POISON, traffic.POISON_TYPE
                body = json.dumps(events(number) | {"event_type": event_type, "of": who.tenant_bk}).encode()
                landed = given.row(who, body)
                journal.acknowledge(journal.note(holder, body, fate), str(_uuid(landed.event_id)))
                first.append(landed)
                if number % 5 == 0:
                    second.append(landed)
            given.land(database, first, second)
        Worker(database, Config()).drain()
        with connect(database.admin_conninfo) as conn:
            yield conn, journal
    finally:
        with connect(server.superuser_conninfo(), autocommit=True) as admin:
            admin.execute("DROP DATABASE chaos_verified WITH (FORCE)")


def _migrated(server: EmbeddedServer) -> Database:
    base = open_embedded(Config(home=server.home), server)
    database = base.clone("chaos_verified")
    from sitevault.db.roles import provision_roles

    with connect(make_conninfo(server.superuser_conninfo(), dbname="chaos_verified"), autocommit=True) as admin:
        provision_roles(admin, {})
    migrate(database)
    return database


def _uuid(raw: bytes) -> Any:
    from uuid import UUID

    return UUID(bytes=raw)


def broken_after(scene: Scene, change: str) -> set[str]:
    """The checks that fail once this was done to the tables; it is undone."""
    conn, journal = scene
    with conn.transaction(force_rollback=True):
        done = conn.execute(change)  # type: ignore[call-overload]
        assert done.rowcount == 1, "the change must change exactly one row"
        return {check.name for check in verify(conn, journal).broken}


def test_what_is_right_is_found_right(scene: Scene) -> None:
    conn, journal = scene
    account: Account = verify(conn, journal)
    assert account.broken == []
    found = account.found
    assert (found.landed, found.events) == (96, 80)
    assert (found.vaulted, found.duplicate, found.invalid, found.error) == (72, 16, 4, 4)


def one(table: str, key: str = "ctid", where: str = "true") -> str:
    return f"{table} WHERE (tableoid, {key}) = (SELECT tableoid, {key} FROM {table} WHERE {where} LIMIT 1)"


ONCE = "raw_event_id % 65536 = 1"  # the second of a flush was sent once, the first twice
VALID, INVALID = "validation_status = 'VALID'", "validation_status = 'INVALID'"
STAGED = "staging.site_tracking_events_s"
LOST = [
    (f"DELETE FROM {one('raw.landed_event', where=ONCE)}", "acknowledged_is_landed"),
    (f"DELETE FROM {one('raw.batch')}", "manifests"),
    (f"DELETE FROM {one('raw.dead_letter')}", "bad_is_where_it_belongs"),
    (f"DELETE FROM {one(STAGED, where=VALID)}", "staged_once"),
    (f"DELETE FROM {one(STAGED, where=INVALID)}", "one_place"),
    (f"DELETE FROM {one('business.site_event_nl')}", "vault_holds_each_once"),
    (f"DELETE FROM {one('business.site_event_duplicate')}", "one_place"),
    (f"DELETE FROM {one('business.site_event_pii_ns')}", "nothing_of_an_event_is_missing"),
    (f"DELETE FROM {one('business.site_session_h', where='session_bk IS NOT NULL')}", "event_hubs"),
    (f"DELETE FROM {one('business.site_visitor_h', where='visitor_bk IS NOT NULL')}", "links_have_both_ends"),
    (f"DELETE FROM {one('business.site_page_h', where='page_bk IS NOT NULL')}", "satellites_have_their_hub"),
    (f"DELETE FROM {one('business.site_user_h', where='user_bk IS NOT NULL')}", "event_hubs"),
    (f"DELETE FROM {one('business.site_campaign_h')}", "event_hubs"),
    (f"DELETE FROM {one('business.site_session_visitor_l')}", "nothing_of_an_event_is_missing"),
    (f"DELETE FROM {one('business.site_visitor_user_l')}", "nothing_of_an_event_is_missing"),
    (f"DELETE FROM {one('business.site_session_details_s')}", "nothing_of_an_event_is_missing"),
    (f"DELETE FROM {one('business.site_visitor_details_s')}", "nothing_of_an_event_is_missing"),
    (f"DELETE FROM {one('business.site_page_details_s')}", "nothing_of_an_event_is_missing"),
    (f"DELETE FROM {one('mart.session_f')}", "session_mart"),
    (f"DELETE FROM {one('mart.page_day_f')}", "page_mart"),
    (f"DELETE FROM {one('mart.event_day_f')}", "event_mart"),
    (f"DELETE FROM {one('ops.ledger_d')}", "ledger"),
    (f"DELETE FROM {one('ops.load')}", "loads"),
]


def again(table: str, change: str, where: str = "true") -> str:
    """One row of the table once more, with some of it changed so that no key stands in the way."""
    return (
        f"INSERT INTO {table} SELECT (jsonb_populate_record(r, {change}::jsonb)).*"
        f" FROM {table} AS r WHERE {where} LIMIT 1"
    )


NEXT_DAY = "jsonb_build_object('event_day', r.event_day + 40)"
NOBODY = "jsonb_build_object('session_hk', '\\x' || repeat('ab', 32))"
DOUBLED = [
    (again("raw.landed_event", "'{}'"), "one_number_once"),
    (again("raw.landed_event", "jsonb_build_object('raw_event_id', r.raw_event_id + 60000)"), "one_place"),
    (again("business.site_event_nl", NEXT_DAY), "vault_holds_each_once"),
    (again("business.site_event_nl", NEXT_DAY), "one_place"),
    (again(STAGED, "'{}'", VALID), "staged_once"),
    (again(STAGED, "'{}'", INVALID), "one_place"),
    (
        "INSERT INTO business.site_event_duplicate"
        " SELECT tenant_hk, raw_event_id, event_id, false, load_date, load_id FROM business.site_event_nl LIMIT 1",
        "one_place",
    ),
    (again("raw.batch", "jsonb_build_object('batch_id', r.batch_id + 1000)"), "manifests"),
    (again("ops.load", "jsonb_build_object('load_id', r.load_id + 1000)"), "loads"),
    (
        again("business.site_session_h", NOBODY, "session_bk IS NOT NULL"),
        "nothing_in_the_vault_is_of_nobody",
    ),
]

OTHER = "(SELECT t.tenant_hk FROM auth.tenant_h AS t WHERE t.tenant_hk <> x.tenant_hk LIMIT 1)"


def altered(table: str, change: str, where: str = "true") -> str:
    this = f"(SELECT tableoid, ctid FROM {table} WHERE {where} LIMIT 1)"
    return f"UPDATE {table} AS x SET {change} WHERE (x.tableoid, x.ctid) = {this}"


ALTERED = [
    (altered("raw.landed_event", "payload = (x.payload::text || ' ')::json", ONCE), "acknowledged_is_landed"),
    (altered("raw.landed_event", "payload = (x.payload::text || ' ')::json", ONCE), "landed_was_sent"),
    (altered("raw.landed_event", f"tenant_hk = {OTHER}"), "no_other_tenant"),
    (altered("raw.landed_event", "event_id = gen_random_uuid()", ONCE), "acknowledged_is_landed"),
    (altered("raw.landed_event", "api_key_hk = sha256('x')"), "landed_was_sent"),
    (altered("raw.batch", "state = 'PENDING'"), "nothing_pending"),
    (altered("raw.batch", "events = x.events + 1"), "manifests"),
    (altered("raw.dead_letter", "status = 'PENDING'"), "nothing_pending"),
    (altered("business.site_event_nl", f"tenant_hk = {OTHER}"), "places_are_of_landed"),
    (altered("business.site_event_nl", "event_type = 'click'"), "vaulted_as_staged"),
    (altered("business.site_event_nl", "session_hk = sha256('x')"), "event_hubs"),
    (altered("business.site_event_nl", "is_bot = NOT x.is_bot"), "event_mart"),
    (altered("business.site_event_duplicate", "is_conflict = true"), "no_conflict"),
    (altered("business.site_event_duplicate", "event_id = gen_random_uuid()"), "duplicates_have_their_original"),
    (altered(STAGED, "raw_event_id = 1"), "staged_is_landed"),
    (altered(STAGED, "validation_status = 'INVALID'", VALID), "bad_is_where_it_belongs"),
    (altered("business.site_session_visitor_l", "visitor_hk = sha256('x')"), "links_have_both_ends"),
    (altered("business.site_page_details_s", "page_hk = sha256('x')"), "satellites_have_their_hub"),
    (altered("mart.session_f", "events = x.events + 1"), "session_mart"),
    (altered("mart.page_day_f", "page_views = x.page_views + 1"), "page_mart"),
    (altered("mart.event_day_f", "quality_sum = x.quality_sum + 0.01"), "event_mart"),
    (altered("ops.ledger_d", "duplicate = x.duplicate + 1"), "ledger"),
    (altered("ops.ledger_d", "landed = x.landed + 1"), "recount"),
]


@pytest.mark.parametrize(("change", "check"), LOST)
def test_a_row_that_is_gone_is_noticed(scene: Scene, change: str, check: str) -> None:
    assert check in broken_after(scene, change)


@pytest.mark.parametrize(("change", "check"), DOUBLED)
def test_a_row_too_many_is_noticed(scene: Scene, change: str, check: str) -> None:
    assert check in broken_after(scene, change)


@pytest.mark.parametrize(("change", "check"), ALTERED)
def test_a_row_that_says_something_else_is_noticed(scene: Scene, change: str, check: str) -> None:
    assert check in broken_after(scene, change)


def broken_if(scene: Scene, number: int, **knowledge: Any) -> set[str]:
    """The checks that fail if the clients had known something else of one event."""
    conn, journal = scene
    sent = journal.sent[number]
    before = {name: getattr(sent, name) for name in knowledge}
    try:
        for name, value in knowledge.items():
            setattr(sent, name, value)
        return {check.name for check in verify(conn, journal).broken}
    finally:
        for name, value in before.items():
            setattr(sent, name, value)


def test_an_event_that_was_refused_and_stored_is_noticed(scene: Scene) -> None:
    assert "refused_is_nowhere" in broken_if(scene, 1, fate=Fate.REFUSED)


def test_an_event_that_was_sent_once_and_landed_twice_is_noticed(scene: Scene) -> None:
    assert "once_if_not_sent_again" in broken_if(scene, 5, repeatable=False)


def test_copies_of_one_event_with_two_ids_are_noticed(scene: Scene) -> None:
    conn, _ = scene
    with conn.transaction(force_rollback=True):
        conn.execute(
            "UPDATE raw.landed_event SET event_id = gen_random_uuid() WHERE raw_event_id ="
            " (SELECT raw_event_id FROM business.site_event_duplicate LIMIT 1)"
        )
        assert "one_id" in {check.name for check in verify(conn, scene[1]).broken}


def test_an_event_nobody_answered_is_noticed(scene: Scene) -> None:
    assert "everything_is_answered" in broken_if(scene, 1, event_id=None)


def test_two_answers_that_differ_are_noticed(scene: Scene) -> None:
    conn, _ = scene
    journal = Journal()
    holder = Holder(None, bytes(32), bytes(32), "")  # type: ignore[arg-type]
    one_event = journal.note(holder, b"{}", Fate.GOOD)
    journal.acknowledge(one_event, "0190163d-8694-739b-aea5-966c26f8ad90")
    journal.acknowledge(one_event, "0190163d-8694-739b-aea5-966c26f8ad91")
    assert "answers_agree" in {check.name for check in verify(conn, journal).broken}


def test_every_check_has_been_seen_to_fail() -> None:
    by_change = {check for _, check in (*LOST, *DOUBLED, *ALTERED)}
    alone = {"refused_is_nowhere", "once_if_not_sent_again", "one_id"}
    assert {name.removeprefix("check_") for name in CHECKS} <= by_change | alone


def test_every_check_says_what_it_proves() -> None:
    assert all(description(name).endswith((".", ").")) for name in CHECKS)
