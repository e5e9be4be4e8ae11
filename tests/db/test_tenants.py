"""Tenants are told apart by id; nothing picks one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import UnknownTenantError, UsageError
from sitevault.hashkeys import GHOST, tenant_key
from sitevault.tenancy.context import administer, tenant_context
from sitevault.tenancy.rules import load_tenant_rules
from sitevault.tenancy.tenants import (
    IpPolicy,
    TenantStatus,
    add_tenant,
    change_tenant,
    default_id,
    find_tenant,
    list_tenants,
    read_mapping,
    resume,
    suspend,
)

Connection = psycopg.Connection[Any]


@pytest.fixture
def migrator(database: Database) -> Iterator[Connection]:
    with database.connect(Role.MIGRATOR) as conn:
        yield conn


@pytest.fixture
def judge(database: Database) -> Iterator[Connection]:
    with database.connect(Role.JUDGE, autocommit=True) as conn:
        yield conn


def test_two_tenants_may_have_the_same_name(migrator: Connection, judge: Connection) -> None:
    first = add_tenant(migrator, "The ONE Spa").tenant
    second = add_tenant(migrator, "The ONE Spa").tenant
    assert first.tenant_bk != second.tenant_bk
    assert first.tenant_hk != second.tenant_hk
    assert {found.tenant_bk for found in list_tenants(judge)} == {first.tenant_bk, second.tenant_bk}


def test_the_default_id_is_the_name_and_four_letters(migrator: Connection) -> None:
    tenant = add_tenant(migrator, "The ONE Spa").tenant
    assert tenant.tenant_bk.startswith("the-one-spa-")
    assert len(tenant.tenant_bk) == len("the-one-spa-") + 4
    assert tenant.tenant_hk == tenant_key(tenant.tenant_bk)


@pytest.mark.parametrize("name", ["日本語", "!!!", "x" * 200, "Crème Brûlée & Söhne", "-a-"])
def test_every_name_gives_an_id_the_database_accepts(migrator: Connection, name: str) -> None:
    assert add_tenant(migrator, name).tenant.name == name


def test_default_ids_keep_what_latin_letters_they_can() -> None:
    assert default_id("Crème Brûlée").startswith("creme-brulee-")


def test_adding_the_same_id_and_name_again_changes_nothing(migrator: Connection, judge: Connection) -> None:
    first = add_tenant(migrator, "The ONE Spa", "spa", "none")
    again = add_tenant(migrator, "The ONE Spa", "spa")
    assert (first.created, again.created) == (True, False)
    assert again.tenant == first.tenant
    assert judge.execute("SELECT count(*) FROM auth.tenant_profile_s").fetchone() == (1,)


def test_an_id_that_is_taken_by_another_name_is_refused(migrator: Connection) -> None:
    add_tenant(migrator, "The ONE Spa", "spa")
    with pytest.raises(UsageError, match="'The ONE Spa'"):
        add_tenant(migrator, "Another Spa", "spa")


def test_adding_again_with_another_ip_policy_says_how_to_change_it(migrator: Connection) -> None:
    add_tenant(migrator, "The ONE Spa", "spa")
    with pytest.raises(UsageError) as refusal:
        add_tenant(migrator, "The ONE Spa", "spa", "full")
    assert refusal.value.command == "sitevault tenant set spa --ip-policy full"


def test_two_at_once_add_one_tenant(database: Database, judge: Connection) -> None:
    made: list[bool] = []

    def add() -> None:
        with database.connect(Role.MIGRATOR) as conn:
            made.append(add_tenant(conn, "The ONE Spa", "spa").created)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert sorted(made) == [False, False, False, True]
    assert len(list_tenants(judge)) == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "two\nlines", "nul\0", "half \ud800"])
def test_a_name_that_cannot_be_shown_is_refused(migrator: Connection, name: str) -> None:
    with pytest.raises(UsageError):
        add_tenant(migrator, name)


@pytest.mark.parametrize("tenant_bk", ["", "The-One", "-a", "a_b", "x" * 64, "a b", "a\n", "ä"])
def test_an_id_of_another_form_is_refused(migrator: Connection, tenant_bk: str) -> None:
    with pytest.raises(UsageError):
        add_tenant(migrator, "A name", tenant_bk)


def test_a_new_tenant_has_the_unknown_member_in_every_hub(migrator: Connection, judge: Connection) -> None:
    tenant = add_tenant(migrator, "The ONE Spa").tenant
    hubs = judge.execute(
        "SELECT c.relname, replace(replace(c.relname, 'site_', ''), '_h', '_hk') FROM pg_class AS c"
        " WHERE c.relnamespace = 'business'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname LIKE '%\\_h'"
    ).fetchall()
    assert len(hubs) >= 5
    for hub, key in hubs:
        rows = judge.execute(f"SELECT tenant_hk, {key} FROM business.{hub}").fetchall()
        assert rows == [(tenant.tenant_hk, GHOST)], hub


def test_a_tenant_that_fails_halfway_is_not_there_at_all(
    database: Database, migrator: Connection, judge: Connection
) -> None:
    with psycopg.connect(database.admin_conninfo) as admin:
        admin.execute("ALTER TABLE business.site_campaign_h ADD CONSTRAINT nobody CHECK (false) NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        add_tenant(migrator, "The ONE Spa", "spa")
    assert list_tenants(judge) == []
    assert judge.execute("SELECT count(*) FROM business.site_visitor_h").fetchone() == (0,)


def test_every_tenant_has_a_secret_of_its_own(database: Database, migrator: Connection) -> None:
    for name in ("a", "b"):
        add_tenant(migrator, name)
    with database.connect(Role.WORKER) as worker:
        secrets = {rules.secret for rules in load_tenant_rules(worker).values()}
    assert len(secrets) == 2
    assert {len(secret) for secret in secrets} == {32}


@pytest.mark.parametrize("role", [Role.JUDGE, Role.READER, Role.COLLECTOR, Role.AUDITOR])
def test_nobody_but_the_worker_reads_the_secrets(database: Database, migrator: Connection, role: Role) -> None:
    add_tenant(migrator, "The ONE Spa")
    with database.connect(role) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("SELECT secret FROM auth.tenant_secret")


def test_a_name_is_answered_with_the_ids_that_have_it_and_none_is_picked(
    migrator: Connection, judge: Connection
) -> None:
    add_tenant(migrator, "The ONE Spa", "spa-1")
    add_tenant(migrator, "The ONE Spa", "spa-2")
    with pytest.raises(UnknownTenantError, match="spa-1, spa-2"):
        find_tenant(judge, "the one spa")


def test_a_name_is_not_even_an_address_when_only_one_tenant_has_it(
    migrator: Connection, judge: Connection
) -> None:
    add_tenant(migrator, "solo", "another-id")
    with pytest.raises(UnknownTenantError, match="another-id"):
        find_tenant(judge, "solo")


@pytest.mark.parametrize("text", ["nobody", "", "\0", "\ud800", "x" * 5000, "'; DROP TABLE auth.tenant_h; --"])
def test_an_unknown_id_is_said_to_be_unknown(judge: Connection, text: str) -> None:
    with pytest.raises(UnknownTenantError):
        find_tenant(judge, text)


def test_suspending_twice_writes_once_and_resuming_brings_it_back(migrator: Connection, judge: Connection) -> None:
    add_tenant(migrator, "The ONE Spa", "spa")
    assert [suspend(migrator, "spa"), suspend(migrator, "spa")] == [True, False]
    assert find_tenant(judge, "spa").status is TenantStatus.SUSPENDED
    assert [resume(migrator, "spa"), resume(migrator, "spa")] == [True, False]
    assert find_tenant(judge, "spa").status is TenantStatus.ACTIVE
    assert judge.execute("SELECT count(*) FROM auth.tenant_profile_s").fetchone() == (3,)


def test_suspending_nobody_is_an_error(migrator: Connection) -> None:
    with pytest.raises(UnknownTenantError):
        suspend(migrator, "nobody")


def test_one_tenants_change_leaves_the_other_as_it_was(migrator: Connection, judge: Connection) -> None:
    add_tenant(migrator, "Same", "a")
    other = add_tenant(migrator, "Same", "b").tenant
    change_tenant(migrator, "a", ip_policy="full", mapping={"session_id": ["sid"]})
    assert find_tenant(judge, "b") == other
    changed = find_tenant(judge, "a")
    assert (changed.ip_policy, changed.mapping) == (IpPolicy.FULL, {"session_id": ["sid"]})


def test_the_newest_state_counts_even_when_the_clock_was_set_back(
    database: Database, migrator: Connection, judge: Connection
) -> None:
    tenant = add_tenant(migrator, "The ONE Spa", "spa").tenant
    with administer(migrator, tenant.tenant_hk):
        migrator.execute("UPDATE auth.tenant_profile_s SET load_date = now() + interval '1 hour'")
    suspend(migrator, "spa")
    assert find_tenant(judge, "spa").status is TenantStatus.SUSPENDED


@pytest.mark.parametrize("text", ["[]", "{", '{"a": "b"}', '{"a": [""]}', '{"a": ["x\\u0000"]}', '{"A b": ["x"]}'])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_mapping(text)


def test_the_worker_gets_the_rules_of_every_tenant_suspended_ones_too(
    database: Database, migrator: Connection
) -> None:
    tenant = add_tenant(migrator, "The ONE Spa", "spa", "none").tenant
    change_tenant(migrator, "spa", mapping=read_mapping(json.dumps({"session_id": ["context.sid"]})))
    suspend(migrator, "spa")
    with database.connect(Role.WORKER) as worker:
        rules = load_tenant_rules(worker)
    assert set(rules) == {tenant.tenant_hk}
    row = rules[tenant.tenant_hk]
    assert (row.ip_policy, row.mapping, row.schemas) == ("none", {"session_id": ["context.sid"]}, {})
    assert row.secret.hex() not in repr(row)


def test_an_administrative_write_cannot_leave_its_tenant(migrator: Connection, judge: Connection) -> None:
    a, b = (add_tenant(migrator, name).tenant for name in ("a", "b"))
    with administer(migrator, a.tenant_hk):
        updated = migrator.execute("UPDATE auth.tenant_profile_s SET name = 'taken'").rowcount
    assert updated == 1
    assert find_tenant(judge, b.tenant_bk).name == "b"
    with pytest.raises(psycopg.errors.InsufficientPrivilege), administer(migrator, a.tenant_hk):
        migrator.execute("INSERT INTO auth.api_key_h VALUES (%s, %s, now(), 'test')", [b.tenant_hk, bytes(32)])


def test_a_reader_sees_the_tenant_of_its_context_and_nothing_after_it(
    database: Database, migrator: Connection
) -> None:
    a, _ = (add_tenant(migrator, name).tenant for name in ("a", "b"))
    with database.connect(Role.READER, autocommit=True) as reader:
        assert reader.execute("SELECT tenant_bk FROM auth.tenant_v").fetchall() == []
        with tenant_context(reader, a.tenant_hk):
            assert reader.execute("SELECT tenant_bk FROM auth.tenant_v").fetchall() == [(a.tenant_bk,)]
        assert reader.execute("SELECT tenant_bk FROM auth.tenant_v").fetchall() == []
        with pytest.raises(ZeroDivisionError), tenant_context(reader, a.tenant_hk):
            raise ZeroDivisionError
        assert reader.execute("SELECT tenant_bk FROM auth.tenant_v").fetchall() == []


def test_a_context_inside_a_transaction_is_refused_because_it_would_outlive_its_block(
    database: Database,
) -> None:
    with (
        database.connect(Role.READER, autocommit=True) as reader,
        reader.transaction(),
        pytest.raises(RuntimeError),
        tenant_context(reader, bytes(32)),
    ):
        pass


@pytest.mark.parametrize("tenant_hk", [b"", bytes(31), bytes(33)])
def test_a_context_of_the_wrong_length_is_refused(database: Database, tenant_hk: bytes) -> None:
    with (
        database.connect(Role.READER, autocommit=True) as reader,
        pytest.raises(ValueError, match="32 bytes"),
        tenant_context(reader, tenant_hk),
    ):
        pass
