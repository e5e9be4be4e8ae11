"""Nobody works as superuser, and nobody gets in without a password."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from sitevault.db.connect import Database, connect
from sitevault.db.roles import LOGIN_ROLES, Role, provision_roles
from sitevault.errors import DatabaseUnavailableError


def test_no_role_is_a_superuser_or_can_make_one(database: Database) -> None:
    with psycopg.connect(database.admin_conninfo, row_factory=dict_row) as admin:
        found = admin.execute("SELECT * FROM pg_roles WHERE rolname LIKE 'sitevault%'").fetchall()
    assert {row["rolname"] for row in found} == set(Role)
    for row in found:
        powers = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication")
        assert not any(row[power] for power in powers)


def test_only_collector_and_worker_bypass_row_level_security(database: Database) -> None:
    with psycopg.connect(database.admin_conninfo) as admin:
        found = admin.execute("SELECT rolname FROM pg_roles WHERE rolbypassrls AND rolname LIKE 'sitevault%'")
        assert {name for (name,) in found} == {Role.COLLECTOR, Role.WORKER}


@pytest.mark.parametrize("role", LOGIN_ROLES)
def test_every_login_role_gets_in_with_its_password_and_not_without(database: Database, role: Role) -> None:
    with database.connect(role) as conn:
        assert conn.execute("SELECT current_user").fetchone() == (role,)
        assert conn.info.parameter_status("is_superuser") == "off"
    with pytest.raises(DatabaseUnavailableError):
        connect(make_conninfo(database.conninfo(role), password="wrong"))
    with pytest.raises(DatabaseUnavailableError):
        connect(make_conninfo(database.conninfo(role), password=""))


def test_the_owner_cannot_log_in(database: Database) -> None:
    with pytest.raises(DatabaseUnavailableError):
        connect(make_conninfo(database.admin_conninfo, user=Role.OWNER, password="x"))


def test_the_server_keeps_scram_verifiers_only(database: Database) -> None:
    with psycopg.connect(database.admin_conninfo) as admin:
        kept = admin.execute("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'sitevault%' AND rolcanlogin")
        verifiers = [verifier for (verifier,) in kept]
    assert len(verifiers) == len(LOGIN_ROLES)
    assert all(verifier.startswith("SCRAM-SHA-256$4096:") for verifier in verifiers)


def test_the_migrator_may_become_the_owner_and_inherits_nothing_from_it(database: Database) -> None:
    with database.connect(Role.MIGRATOR) as conn:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
            conn.execute("CREATE SCHEMA mine")
        conn.execute("SET ROLE sitevault_owner")
        conn.execute("CREATE SCHEMA mine")


@pytest.mark.parametrize("role", [role for role in LOGIN_ROLES if role is not Role.MIGRATOR])
def test_nobody_else_may_become_the_owner(database: Database, role: Role) -> None:
    with database.connect(role) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("SET ROLE sitevault_owner")


@pytest.mark.parametrize("role", [Role.READER, Role.JUDGE, Role.AUDITOR])
def test_those_who_only_read_start_every_transaction_read_only(database: Database, role: Role) -> None:
    with database.connect(role) as conn:
        assert conn.execute("SHOW transaction_read_only").fetchone() == ("on",)
        assert conn.execute("SHOW statement_timeout").fetchone() != ("0",)


def test_only_the_worker_may_make_temporary_tables(database: Database) -> None:
    for role in LOGIN_ROLES:
        with database.connect(role) as conn:
            allowed = conn.execute("SELECT has_database_privilege(current_database(), 'TEMPORARY')").fetchone()
        assert allowed == (role is Role.WORKER,)


def test_a_role_of_somebody_else_cannot_even_connect(database: Database) -> None:
    with psycopg.connect(database.admin_conninfo) as admin:
        allowed = admin.execute("SELECT has_database_privilege('pg_monitor', current_database(), 'CONNECT')")
        assert allowed.fetchone() == (False,)


def test_no_unqualified_name_is_found_but_the_catalogs_own(database: Database) -> None:
    for role in LOGIN_ROLES:
        with database.connect(role) as conn:
            assert conn.execute("SHOW search_path").fetchone() == ("pg_catalog, pg_temp",)


def test_provisioning_again_corrects_what_somebody_changed_and_keeps_passwords(database: Database) -> None:
    with psycopg.connect(database.admin_conninfo, autocommit=True) as admin:
        admin.execute("ALTER ROLE sitevault_auditor CREATEDB BYPASSRLS INHERIT")
        provision_roles(admin, {})
        row = admin.execute(
            "SELECT rolcreatedb, rolbypassrls, rolinherit FROM pg_roles WHERE rolname = 'sitevault_auditor'"
        ).fetchone()
    assert row == (False, False, False)
    database.connect(Role.AUDITOR).close()


def test_a_password_never_shows_in_text(database: Database) -> None:
    shown = repr(database)
    assert not any(password in shown for password in database.passwords.values())
    assert "password" not in shown
