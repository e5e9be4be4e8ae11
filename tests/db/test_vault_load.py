"""The set-based load: what staged events become in the vault, the marts and the ledger."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.types.json import set_json_dumps

from sitevault import pipeline
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.hashkeys import GHOST, hash_key
from sitevault.marts import refresh
from sitevault.staging.model import StagedEvent
from sitevault.tenancy.tenants import add_tenant
from sitevault.timestamps import event_day
from sitevault.vault import load as vault
from sitevault.vault.arrivals import Arrivals
from sitevault.vault.load import settle_events
from sitevault.vault.model import HUBS, SATELLITES

NOON = datetime(2026, 6, 27, 12, tzinfo=UTC)
VAULT: tuple[LiteralString, ...] = (
    "business.site_event_nl",
    "business.site_event_pii_ns",
    "business.site_visitor_h",
    "business.site_session_h",
    "business.site_page_h",
    "business.site_session_visitor_l",
    "business.site_session_details_s",
    "business.site_visitor_details_s",
    "mart.session_f",
    "mart.page_day_f",
    "mart.event_day_f",
)
_MARTS = (
    ("mart.session_f", refresh.SQL.recompute_sessions),
    ("mart.page_day_f", refresh.SQL.recompute_pages),
    ("mart.event_day_f", refresh.SQL.recompute_events),
)


@pytest.fixture
def other_tenant(database: Database) -> bytes:
    return a_tenant(database, "Test Company")


def uuid7(at: datetime, tail: int) -> UUID:
    return UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | tail)


batch_numbers = itertools.count(1000)


def a_tenant(database: Database, name: str = "The ONE Spa") -> bytes:
    with database.connect(Role.MIGRATOR) as admin:
        return add_tenant(admin, name).tenant.tenant_hk


def staged(
    tenant_hk: bytes, number: int, *, place: int | None = None, at: datetime = NOON, **fields: Any
) -> StagedEvent:
    """A staged page view; `number` makes its id, and its place in its batch where none is given."""
    session, visitor = fields.setdefault("session_id", "s1"), fields.setdefault("visitor_id", "v1")
    page = fields.setdefault("page_url", "https://spa.example/")
    event_id = fields.pop("event_id", None) or uuid7(at, number)
    batch_id = fields.pop("batch_id", 1)
    return StagedEvent(
        tenant_hk=tenant_hk,
        batch_id=batch_id,
        raw_event_id=batch_id * 65536 + (number if place is None else place),
        event_id=event_id,
        event_day=event_day(event_id),
        received_timestamp=at,
        occurred_at=at,
        event_type=fields.pop("event_type", "page_view"),
        mapping_hk=bytes(16),
        record_source="test",
        session_hk=hash_key("session", tenant_hk, session) if session else GHOST,
        visitor_hk=hash_key("visitor", tenant_hk, visitor) if visitor else GHOST,
        page_hk=hash_key("page", tenant_hk, page.partition("://")[2]) if page else GHOST,
        **fields,
    )


class Bench(NamedTuple):
    """A database to load into: how to load, who looks, and for whom."""

    load: Callable[..., pipeline.Load]
    judge: psycopg.Connection
    tenant: bytes


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    with (
        database.connect(Role.WORKER, autocommit=True) as worker,
        database.connect(Role.COLLECTOR, autocommit=True) as collector,
        database.connect(Role.JUDGE, autocommit=True) as judge,
    ):
        set_json_dumps(lambda ready_made: ready_made, worker)

        def load(*events: StagedEvent) -> pipeline.Load:
            """Load staged events as one load, after making the manifests of the batches they name."""
            for batch_id, in_batch in itertools.groupby(events, key=lambda event: event.batch_id):
                counts = Counter(event.tenant_hk for event in in_batch)
                collector.execute(
                    "INSERT INTO raw.batch (batch_id, received_timestamp, events, tenant_hks, tenant_events)"
                    " VALUES (%s, %s, %s, %s, %s)",
                    (batch_id, NOON, counts.total(), [*counts], [*counts.values()]),
                )
            with worker.transaction():
                return pipeline.load(worker, events, "test", {})

        yield Bench(load, judge, a_tenant(database))


@pytest.fixture
def load(bench: Bench) -> Callable[..., pipeline.Load]:
    return bench.load


@pytest.fixture
def judge(bench: Bench) -> psycopg.Connection:
    return bench.judge


@pytest.fixture
def tenant(bench: Bench) -> bytes:
    return bench.tenant


def rows(conn: psycopg.Connection, query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    return conn.execute(query, parameters).fetchall()


def count(conn: psycopg.Connection, table: LiteralString) -> int:
    (number,) = rows(conn, sql.SQL("SELECT count(*) FROM {}").format(sql.SQL(table)).as_string(conn))[0]  # type: ignore[arg-type]
    return int(number)


def test_an_event_is_one_row_of_the_link_and_one_of_each_hub(load, judge, tenant) -> None:
    done = load(staged(tenant, 1))
    assert (done.events, done.vaulted, done.duplicate, done.invalid) == (1, 1, 0, 0)
    assert count(judge, "business.site_event_nl") == 1
    for hub in ("visitor", "session", "page"):
        keys = rows(judge, f"SELECT {hub}_bk FROM business.site_{hub}_h WHERE {hub}_bk IS NOT NULL")
        assert len(keys) == 1, hub


def test_a_load_repeated_changes_nothing_and_counts_duplicates(load, judge, tenant) -> None:
    load(*(staged(tenant, number) for number in range(5)))
    before = {table: count(judge, table) for table in VAULT}
    again = load(*(staged(tenant, number, batch_id=2) for number in range(5)))
    assert (again.vaulted, again.duplicate) == (0, 5)
    assert {table: count(judge, table) for table in VAULT} == before
    assert_marts_equal_the_vault(judge)


def test_the_same_id_with_another_body_is_recorded_as_a_conflict(load, judge, tenant) -> None:
    load(staged(tenant, 1, payload_digest=1))
    load(staged(tenant, 1, payload_digest=2, batch_id=2))
    assert rows(judge, "SELECT is_conflict FROM business.site_event_duplicate") == [(True,)]


def test_an_id_twice_in_one_load_is_vaulted_once(load, judge, tenant) -> None:
    first = staged(tenant, 1)
    second = staged(tenant, 2, event_id=first.event_id)
    done = load(first, second)
    assert (done.vaulted, done.duplicate) == (1, 1)


def test_invalid_events_are_staged_and_stay_out_of_the_vault(load, judge, tenant) -> None:
    done = load(staged(tenant, 1, validation_status="INVALID", event_type=None))
    assert (done.vaulted, done.invalid) == (0, 1)
    assert count(judge, "staging.site_tracking_events_s") == 1
    assert count(judge, "business.site_event_nl") == 0


def test_the_same_ids_in_two_tenants_never_meet(load, judge, tenant, other_tenant) -> None:
    event_id = uuid7(NOON, 7)
    done = load(staged(tenant, 1, event_id=event_id), staged(other_tenant, 2, event_id=event_id))
    assert done.vaulted == 2
    pages = rows(judge, "SELECT page_hk FROM business.site_page_h WHERE page_bk = 'spa.example/'")
    assert len(set(pages)) == 2


def test_a_reference_is_never_without_its_hub(load, judge, tenant) -> None:
    load(
        staged(tenant, 1),
        staged(tenant, 2, session_id=None, visitor_id=None, page_url=None),
        staged(tenant, 3, user_bk="u", user_hk=hash_key("user", tenant, "u")),
        staged(tenant, 4, utm_source="x", campaign_hk=hash_key("campaign", tenant, "x", None, None)),
    )
    assert {orphans for _, orphans in rows(judge, vault.SQL.count_orphans)} == {0}


def test_the_orphan_count_sees_an_orphan(load, judge, tenant) -> None:
    load(staged(tenant, 1, user_hk=b"\x07" * 32))
    assert dict(rows(judge, vault.SQL.count_orphans))["site_event_nl.user_hk"] == 1


def test_a_satellite_gains_a_row_only_when_something_changed(load, judge, tenant) -> None:
    load(staged(tenant, 1, browser="Firefox"))
    load(staged(tenant, 2, browser="Firefox", batch_id=2, at=NOON + timedelta(minutes=1)))
    load(staged(tenant, 3, browser="Chrome", batch_id=3, at=NOON + timedelta(minutes=2)))
    details = rows(judge, "SELECT browser FROM business.site_visitor_details_s ORDER BY load_date")
    assert details == [("Firefox",), ("Chrome",)]


def test_a_satellites_validity_ends_where_the_next_row_begins(load, judge, tenant) -> None:
    load(staged(tenant, 1, page_title="Old"))
    load(staged(tenant, 2, page_title="New", batch_id=2, at=NOON + timedelta(minutes=1)))
    old, new = rows(judge, "SELECT load_date, load_end_date FROM business.site_page_details_v ORDER BY load_date")
    assert old[1] == new[0]
    assert new[1] is None


def test_a_visitor_counts_as_a_user_from_the_moment_it_was_seen_as_one(load, judge, tenant) -> None:
    first, second = hash_key("user", tenant, "first"), hash_key("user", tenant, "second")
    load(staged(tenant, 1, user_bk="first", user_hk=first))
    load(staged(tenant, 2, user_bk="second", user_hk=second, batch_id=2, at=NOON + timedelta(hours=1)))
    load(staged(tenant, 3, user_bk="first", user_hk=first, batch_id=3, at=NOON - timedelta(hours=1)))
    periods = rows(judge, "SELECT user_hk, effective_from FROM business.site_visitor_user_es ORDER BY load_date")
    assert periods == [(first, NOON), (second, NOON + timedelta(hours=1))], "a late event changes no later truth"


def test_a_late_event_moves_the_beginning_of_its_session(load, judge, tenant) -> None:
    load(staged(tenant, 1, channel="direct"))
    load(
        staged(
            tenant,
            2,
            batch_id=2,
            at=NOON - timedelta(minutes=5),
            channel="social",
            page_url="https://spa.example/a",
        )
    )
    (session,) = rows(judge, "SELECT first_at, channel, events, page_views FROM mart.session_f")
    assert session == (NOON - timedelta(minutes=5), "social", 2, 2)
    assert_marts_equal_the_vault(judge)


def test_event_hk_and_the_classical_names_are_views_over_the_link(load, judge, tenant) -> None:
    load(staged(tenant, 1))
    ((event_hk, event_id),) = rows(judge, "SELECT event_hk, event_bk FROM business.site_event_h")
    assert event_hk == hash_key("event", tenant, str(event_id))
    for view in ("site_event_session_l", "site_event_visitor_l", "site_event_page_l", "site_event_details_s"):
        assert rows(judge, f"SELECT event_hk FROM business.{view}") == [(event_hk,)]


def test_a_funnel_counts_sessions_that_took_the_steps_in_order(load, judge, tenant) -> None:
    def visit(number: int, session: str, *types: str) -> list[StagedEvent]:
        return [
            staged(
                tenant,
                number * 10 + place,
                at=NOON + timedelta(minutes=place),
                session_id=session,
                event_type=kind,
            )
            for place, kind in enumerate(types)
        ]

    load(
        *visit(1, "a", "page_view", "add_to_cart", "purchase"),
        *visit(2, "b", "page_view", "add_to_cart"),
        *visit(3, "c", "purchase", "page_view"),
    )
    steps = rows(
        judge,
        "SELECT step, event_type, sessions FROM mart.funnel(%s, %s, %s, 'page_view', 'add_to_cart', 'purchase')",
        tenant,
        NOON.date(),
        NOON.date(),
    )
    assert steps == [(1, "page_view", 3), (2, "add_to_cart", 2), (3, "purchase", 1)]


def test_a_step_of_a_funnel_is_after_the_one_before_and_may_be_of_its_type(load, judge, tenant) -> None:
    def visit(number: int, session: str, *minutes: int) -> list[StagedEvent]:
        return [
            staged(tenant, number * 10 + place, at=NOON + timedelta(minutes=minute), session_id=session)
            for place, minute in enumerate(minutes)
        ]

    load(*visit(1, "a", 0, 1, 2), *visit(2, "b", 0, 1), *visit(3, "c", 5, 5))

    def sessions(*steps: str) -> list[int]:
        listed = ", ".join(["%s"] * len(steps))
        query = f"SELECT sessions FROM mart.funnel(%s, %s, %s, {listed})"
        return [count for (count,) in rows(judge, query, tenant, NOON.date(), NOON.date(), *steps)]

    assert sessions("page_view") == [3]
    assert sessions("page_view", "page_view", "page_view") == [3, 2, 1]
    assert sessions("page_view", "purchase", "page_view") == [3, 0, 0]
    assert sessions("purchase", "page_view") == [0, 0]


def test_the_ledger_counts_what_became_of_each_event(load, judge, tenant) -> None:
    load(staged(tenant, 1), staged(tenant, 2, validation_status="INVALID"))
    load(staged(tenant, 1, batch_id=2))
    assert rows(judge, "SELECT vaulted, duplicate, invalid FROM ops.ledger_d") == [(1, 1, 1)]


def test_an_event_another_worker_commits_meanwhile_is_a_duplicate_and_costs_no_other(
    database, load, judge, tenant
) -> None:
    same, own = staged(tenant, 1), staged(tenant, 2, batch_id=2)
    with (
        database.connect(Role.WORKER, autocommit=True) as ahead,
        ThreadPoolExecutor(1) as beside,
    ):
        with ahead.transaction():
            settle_events(ahead, Arrivals([same]), 1, NOON)
            waiting = beside.submit(load, staged(tenant, 1, batch_id=2, place=7), own)
            until_someone_waits_for_a_lock(judge)
        done = waiting.result(timeout=20)
    assert (done.vaulted, done.duplicate) == (1, 1)
    assert count(judge, "business.site_event_nl") == 2
    assert rows(judge, "SELECT raw_event_id FROM business.site_event_duplicate") == [(2 * 65536 + 7,)]
    assert count(judge, "business.site_event_pii_ns") == 0, "none of these has personal data"


def until_someone_waits_for_a_lock(conn: psycopg.Connection) -> None:
    deadline = time.monotonic() + 20
    while not rows(conn, "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_key_that_refuses_what_is_new_is_no_race(database, load, judge, tenant) -> None:
    with psycopg.connect(database.admin_conninfo, autocommit=True) as admin:
        admin.execute("CREATE UNIQUE INDEX one_a_day ON business.site_event_nl (tenant_hk, event_day, event_type)")
    load(staged(tenant, 1))
    with pytest.raises(psycopg.errors.UniqueViolation):
        load(staged(tenant, 2, batch_id=2))


def test_properties_are_kept_as_they_came_and_read_as_jsonb(load, judge, tenant) -> None:
    load(staged(tenant, 1, properties=b'{"b": 1.50, "a": [true, null]}'))
    assert rows(judge, "SELECT properties::text FROM business.site_event_nl") == [
        ('{"b": 1.50, "a": [true, null]}',)
    ]
    assert rows(judge, "SELECT properties @> '{\"a\": [true]}' FROM business.site_event_details_s") == [(True,)]


def test_personal_data_of_an_event_is_written_once_and_nowhere_in_staging(load, judge, tenant) -> None:
    event = staged(tenant, 1, client_ip="203.0.113.0", user_agent="Curl/8", page_query="a=1")
    load(event)
    load(staged(tenant, 1, batch_id=2, client_ip="203.0.113.0", user_agent="Curl/8", page_query="a=1"))
    assert rows(judge, "SELECT host(client_ip), user_agent, page_query FROM business.site_event_pii_ns") == [
        ("203.0.113.0", "Curl/8", "a=1")
    ]
    assert "Curl/8" not in str(rows(judge, "SELECT to_jsonb(s) FROM staging.site_tracking_events_s AS s"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=3),
)
def test_marts_refreshed_in_any_order_equal_a_recomputation(database, bench, numbers, cuts) -> None:
    tenant = a_tenant(database)
    edges = sorted({0, *(min(cut, len(numbers)) for cut in cuts), len(numbers)})
    for begin, end in itertools.pairwise(edges):
        batch_id = next(batch_numbers)
        bench.load(
            *(
                staged(
                    tenant,
                    number,
                    place=place,
                    at=NOON + timedelta(hours=number),
                    batch_id=batch_id,
                    session_id=f"s{number % 4}",
                    event_type="page_view" if number % 3 else "click",
                    channel=f"c{number % 5}",
                    is_bot=number % 7 == 0,
                    page_url=f"https://spa.example/{number % 6}",
                )
                for place, number in enumerate(numbers[begin:end])
            )
        )
    assert_marts_equal_the_vault(bench.judge)
    vaulted = rows(bench.judge, "SELECT count(*) FROM business.site_event_nl WHERE tenant_hk = %s", tenant)
    assert vaulted == [(len(set(numbers)),)]


def test_the_model_as_data_is_the_model_in_the_database(judge) -> None:
    def columns(table: str) -> set[str]:
        return {
            name
            for (name,) in rows(
                judge,
                "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
                f"business.{table}",
            )
        }

    for hub in HUBS:
        assert {"tenant_hk", hub.hash_key, *hub.business_key} <= columns(hub.table)
    for satellite in SATELLITES:
        assert {"tenant_hk", satellite.parent_key, "hash_diff", *satellite.attributes} <= columns(satellite.table)


def assert_marts_equal_the_vault(conn: psycopg.Connection) -> None:
    for table, recomputation in _MARTS:
        expected = conn.execute(recomputation)
        assert expected.description is not None
        names = [column.name for column in expected.description]
        stored = conn.execute(
            sql.SQL("SELECT {} FROM {} ORDER BY 1, 2, 3").format(
                sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(table)
            )
        )
        assert sorted(map(repr, stored.fetchall())) == sorted(map(repr, expected.fetchall())), table
