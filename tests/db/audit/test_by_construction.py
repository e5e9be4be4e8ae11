"""What the database refuses by itself, whoever asks and whatever the program forgot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests import given

from sitevault.db.connect import Database
from sitevault.db.preflight import refuse_unsafe
from sitevault.db.roles import Role
from sitevault.errors import PreflightError
from sitevault.tenancy.context import administer, tenant_context
from sitevault.tenancy.tenants import resume, suspend

READABLE = "SELECT count(*) FROM auth.tenant_h"


@pytest.fixture
def migrator(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(Role.MIGRATOR, autocommit=True) as conn:
        yield conn


@pytest.fixture
def reader(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect(Role.READER, autocommit=True) as conn:
        yield conn


def test_a_suspended_tenants_reader_sees_nothing_until_it_is_resumed(
    database: Database, migrator: psycopg.Connection[Any], reader: psycopg.Connection[Any]
) -> None:
    tenant = given.sender(database)

    def seen() -> Any:
        with tenant_context(reader, tenant.tenant_hk):
            return reader.execute(READABLE).fetchone()

    assert seen() == (1,)
    suspend(migrator, tenant.tenant_bk)
    assert seen() == (0,)
    resume(migrator, tenant.tenant_bk)
    assert seen() == (1,)


def test_a_suspended_tenant_can_still_be_administered(
    database: Database, migrator: psycopg.Connection[Any]
) -> None:
    tenant = given.sender(database)
    suspend(migrator, tenant.tenant_bk)
    with administer(migrator, tenant.tenant_hk):
        assert migrator.execute(READABLE).fetchone() == (1,)


def test_a_tenant_nobody_knows_has_no_rows(database: Database, reader: psycopg.Connection[Any]) -> None:
    given.sender(database)
    with tenant_context(reader, bytes(range(32))):
        assert reader.execute(READABLE).fetchone() == (0,)
        assert reader.execute("SELECT auth.tenant_is_active()").fetchone() == (False,)


def test_whether_a_tenant_is_active_is_asked_once_in_a_statement(
    database: Database, reader: psycopg.Connection[Any]
) -> None:
    tenant = given.sender(database)
    given.land(database, [given.row(tenant, given.page_view(number)) for number in range(100)])
    with tenant_context(reader, tenant.tenant_hk):
        plan = reader.execute(
            "EXPLAIN (ANALYZE, TIMING off, COSTS off, FORMAT json) SELECT count(*) FROM raw.landed_event"
        ).fetchone()
    text = str(plan)
    assert "One-Time Filter" in text
    assert text.count("'Parent Relationship': 'InitPlan'") <= 3


@pytest.mark.parametrize("dialect", ["plain", "citus"])
def test_both_dialects_of_the_policies_keep_tenants_apart(
    database: Database, migrator: psycopg.Connection[Any], reader: psycopg.Connection[Any], dialect: str
) -> None:
    mine, other = given.sender(database, "Mine"), given.sender(database, "Other")
    with migrator.transaction():
        migrator.execute("SET LOCAL ROLE sitevault_owner")
        migrator.execute("SELECT set_config('sitevault.policy_dialect', %s, true)", [dialect])
        migrator.execute("SELECT ops.secure_table('auth.tenant_h')")
    with tenant_context(reader, mine.tenant_hk):
        seen = reader.execute("SELECT tenant_hk FROM auth.tenant_h").fetchall()
        written = reader.execute(
            "SELECT count(*) FILTER (WHERE pg_get_expr(polqual, polrelid) LIKE '%%SELECT%%'), count(*)"
            " FROM pg_policy WHERE polrelid = 'auth.tenant_h'::regclass"
        ).fetchone()
    assert seen == [(mine.tenant_hk,)]
    assert written == ((3, 4) if dialect == "plain" else (0, 3))
    assert other.tenant_hk != mine.tenant_hk


def test_a_new_partition_is_secured_like_its_table(database: Database) -> None:
    with database.connect(Role.WORKER, autocommit=True) as worker:
        worker.execute("SELECT ops.ensure_partition('raw.landed_event', '2020-02-02')")
    policies = "SELECT polname, polpermissive, polcmd::text, pg_get_expr(polqual, polrelid) FROM pg_policy"
    with database.connect(Role.JUDGE) as judge:
        table, partition = (
            judge.execute(f"{policies} WHERE polrelid = %s::regclass ORDER BY polname", [name]).fetchall()
            for name in ("raw.landed_event", "raw.landed_event_p20200202")
        )
    assert len(table) == 4
    assert table == partition


def test_a_readers_statements_are_shown_to_nobody(database: Database, reader: psycopg.Connection[Any]) -> None:
    with database.connect(Role.READER, autocommit=True) as other:
        other.execute("SELECT 'a literal of another tenant'")
        seen = reader.execute("SELECT query FROM pg_stat_activity WHERE usename = 'sitevault_reader'").fetchall()
    assert len(seen) >= 2
    assert "literal of another" not in str(seen)


def test_a_reader_cannot_leave_a_large_object_for_another(reader: psycopg.Connection[Any]) -> None:
    reader.execute("SET default_transaction_read_only = off")
    for create in ("SELECT lo_create(0)", "SELECT lo_creat(-1)", "SELECT lo_from_bytea(0, 'x')"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(create)


@pytest.mark.parametrize(("version", "safe"), [(150013, False), (150014, True), (160009, False), (180000, True)])
def test_a_server_whose_row_level_security_leaks_is_refused_at_the_start(version: int, safe: bool) -> None:
    if safe:
        refuse_unsafe(version)
    else:
        with pytest.raises(PreflightError, match="CVE-2025-8713"):
            refuse_unsafe(version)
