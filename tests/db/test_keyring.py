"""The collector's keys: right at once, revoked within a second, patient while PostgreSQL is away."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import psycopg
import pytest
from psycopg import sql

from sitevault.db.connect import Database, connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.roles import Role
from sitevault.reasons import Reason
from sitevault.tenancy.keyring import FRESH_SECONDS, RELOAD_INTERVAL_SECONDS, KeyGrant, Keyring
from sitevault.tenancy.keys import KeyKind, create_key, make_key, revoke_key
from sitevault.tenancy.tenants import add_tenant, resume, suspend

Connection = psycopg.Connection[Any]


@pytest.fixture
def migrator(database: Database) -> Iterator[Connection]:
    with database.connect(Role.MIGRATOR) as conn:
        add_tenant(conn, "The ONE Spa", "spa")
        yield conn


def with_keyring(database: Database, story: Callable[[Keyring], Awaitable[None]]) -> None:
    async def tell() -> None:
        async with Keyring(database) as keyring:
            assert await keyring.wait_loaded(10)
            await story(keyring)

    asyncio.run(asyncio.wait_for(tell(), 50))


async def until(condition: Callable[[], bool], seconds: float) -> float:
    """The seconds it took for the condition to hold; fails when it took longer than allowed."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "it took too long"
        await asyncio.sleep(0.005)
    return time.monotonic() - start


def test_a_key_names_its_own_tenant_and_no_other(database: Database, migrator: Connection) -> None:
    other = add_tenant(migrator, "The ONE Spa", "other").tenant
    mine = create_key(migrator, "spa", KeyKind.PUBLIC, allowed_origins=["https://a.test"], rate_limit=7)
    theirs = create_key(migrator, "other", KeyKind.SECRET)

    async def story(keyring: Keyring) -> None:
        assert keyring.find(mine.key) == KeyGrant(
            mine.api_key.tenant_hk, mine.api_key.api_key_hk, KeyKind.PUBLIC, ("https://a.test",), 7
        )
        found = keyring.find(theirs.key)
        assert isinstance(found, KeyGrant)
        assert found.tenant_hk == other.tenant_hk

    with_keyring(database, story)


def test_a_key_works_the_moment_it_is_made(database: Database, migrator: Connection) -> None:
    async def story(keyring: Keyring) -> None:
        for _ in range(5):
            new = create_key(migrator, "spa", KeyKind.SECRET)
            assert isinstance(await keyring.find_fresh(new.key), KeyGrant)

    with_keyring(database, story)


def test_a_revoked_key_is_refused_within_a_second_in_two_keyrings(
    database: Database, migrator: Connection
) -> None:
    new = create_key(migrator, "spa", KeyKind.SECRET)

    def refused(keyring: Keyring) -> bool:
        return keyring.find(new.key) is Reason.AUTH_REVOKED_KEY

    async def story(first: Keyring) -> None:
        async with Keyring(database) as second:
            assert await second.wait_loaded(10)
            assert all(isinstance(keyring.find(new.key), KeyGrant) for keyring in (first, second))
            revoke_key(migrator, new.api_key)
            for keyring in (first, second):
                await until(partial(refused, keyring), 1.0)
                assert await keyring.find_fresh(new.key) is Reason.AUTH_REVOKED_KEY

    with_keyring(database, story)


WATCHER = """
import asyncio, os, sys
from types import MappingProxyType
from sitevault.db.connect import Database
from sitevault.tenancy.keyring import KeyGrant, Keyring

class Here(Database):
    def conninfo(self, role, application_name=None):
        return os.environ["TEST_CONNINFO"]

async def watch():
    async with Keyring(Here(MappingProxyType({}), MappingProxyType({}), "", 0)) as keyring:
        await keyring.wait_loaded(20)
        key = sys.stdin.readline().strip()
        assert isinstance(keyring.find(key), KeyGrant)
        print("granted", flush=True)
        while isinstance(keyring.find(key), KeyGrant):
            await asyncio.sleep(0.005)
        print(keyring.find(key), flush=True)

asyncio.run(asyncio.wait_for(watch(), 40))
"""


def test_a_revoked_key_is_refused_within_a_second_in_two_processes(
    database: Database, migrator: Connection
) -> None:
    new = create_key(migrator, "spa", KeyKind.SECRET)
    environment = {**os.environ, "TEST_CONNINFO": database.conninfo(Role.COLLECTOR)}
    watchers = [
        subprocess.Popen(
            [sys.executable, "-c", WATCHER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    try:
        for watcher in watchers:
            assert watcher.stdin is not None
            assert watcher.stdout is not None
            watcher.stdin.write(f"{new.key}\n")
            watcher.stdin.flush()
            assert watcher.stdout.readline() == "granted\n"
        revoke_key(migrator, new.api_key)
        start = time.monotonic()
        for watcher in watchers:
            assert watcher.stdout is not None
            assert watcher.stdout.readline() == f"{Reason.AUTH_REVOKED_KEY}\n"
            assert time.monotonic() - start < 1.0
    finally:
        for watcher in watchers:
            watcher.kill()
            watcher.communicate()


def test_suspending_a_tenant_refuses_its_keys_and_no_others(database: Database, migrator: Connection) -> None:
    add_tenant(migrator, "The ONE Spa", "other")
    mine, theirs = (create_key(migrator, tenant, KeyKind.SECRET) for tenant in ("spa", "other"))

    async def story(keyring: Keyring) -> None:
        suspend(migrator, "spa")
        await until(lambda: keyring.find(mine.key) is Reason.TENANT_SUSPENDED, 1.0)
        assert isinstance(keyring.find(theirs.key), KeyGrant)
        resume(migrator, "spa")
        await until(lambda: isinstance(keyring.find(mine.key), KeyGrant), 1.0)

    with_keyring(database, story)


def test_a_revoked_key_of_a_suspended_tenant_is_called_revoked(database: Database, migrator: Connection) -> None:
    new = create_key(migrator, "spa", KeyKind.SECRET)
    revoke_key(migrator, new.api_key)
    suspend(migrator, "spa")

    async def story(keyring: Keyring) -> None:
        assert keyring.find(new.key) is Reason.AUTH_REVOKED_KEY

    with_keyring(database, story)


def test_a_change_rolled_back_changes_nothing(database: Database, migrator: Connection) -> None:
    new = create_key(migrator, "spa", KeyKind.SECRET)
    with psycopg.connect(database.admin_conninfo) as admin:
        admin.execute("ALTER TABLE auth.api_key_s ADD CONSTRAINT nobody CHECK (status = 'active') NOT VALID")

    async def story(keyring: Keyring) -> None:
        with pytest.raises(psycopg.errors.CheckViolation):
            revoke_key(migrator, new.api_key)
        await asyncio.sleep(0.5)
        assert isinstance(keyring.find(new.key), KeyGrant)

    with_keyring(database, story)


def test_a_storm_of_unknown_keys_makes_few_readings(database: Database, migrator: Connection) -> None:
    async def story(keyring: Keyring) -> None:
        readings = 0
        read = keyring._read

        async def counted() -> None:
            nonlocal readings
            readings += 1
            await read()

        keyring._read = counted  # type: ignore[method-assign]
        start = time.monotonic()
        for _ in range(3):
            answers = await asyncio.gather(*(keyring.find_fresh(make_key(KeyKind.PUBLIC)) for _ in range(500)))
            assert set(answers) == {Reason.AUTH_UNKNOWN_KEY}
        assert 1 <= readings <= (time.monotonic() - start) / RELOAD_INTERVAL_SECONDS + 1

    with_keyring(database, story)


def test_a_text_that_is_no_key_is_unknown_without_a_reading(database: Database, migrator: Connection) -> None:
    async def story(keyring: Keyring) -> None:
        start = time.monotonic()
        for text in ("", "Bearer", "sv_pub_short", "\0", "\ud800", "x" * 10_000):
            assert await keyring.find_fresh(text) is Reason.AUTH_UNKNOWN_KEY
        assert time.monotonic() - start < RELOAD_INTERVAL_SECONDS / 2

    with_keyring(database, story)


def close_the_door(server: EmbeddedServer, database: Database, closed: bool) -> None:
    """Make the database unreachable for the collector and cut its connections, or let it in again."""
    name = sql.Identifier(database.where["dbname"])
    with connect(server.superuser_conninfo(), autocommit=True) as admin:
        limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(name, sql.Literal(0 if closed else -1))
        admin.execute(limit)
        if closed:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = %s",
                [database.where["dbname"], Role.COLLECTOR],
            )


def test_while_postgresql_is_away_known_keys_work_and_unknown_ones_are_not_called_unknown(
    server: EmbeddedServer, database: Database, migrator: Connection
) -> None:
    known = create_key(migrator, "spa", KeyKind.SECRET)

    async def story(keyring: Keyring) -> None:
        close_the_door(server, database, closed=True)
        made_meanwhile = create_key(migrator, "spa", KeyKind.SECRET)
        assert isinstance(await keyring.find_fresh(known.key), KeyGrant)
        assert await keyring.find_fresh(made_meanwhile.key) is Reason.STORAGE_UNAVAILABLE
        revoke_key(migrator, known.api_key)
        close_the_door(server, database, closed=False)
        # Nobody tells the keyring: it reconnects by itself and reads what it missed.
        await until(lambda: isinstance(keyring.find(made_meanwhile.key), KeyGrant), 10)
        assert keyring.find(known.key) is Reason.AUTH_REVOKED_KEY
        revoke_key(migrator, made_meanwhile.api_key)
        await until(lambda: keyring.find(made_meanwhile.key) is Reason.AUTH_REVOKED_KEY, 2.0)

    with_keyring(database, story)


def test_a_database_that_hangs_costs_an_unknown_key_two_seconds_and_a_known_one_nothing(
    database: Database, migrator: Connection
) -> None:
    known, unread = (create_key(migrator, "spa", KeyKind.SECRET) for _ in range(2))

    async def story(keyring: Keyring) -> None:
        del keyring._answers[unread.api_key.api_key_hk]
        with psycopg.connect(database.admin_conninfo) as admin:
            admin.execute("LOCK TABLE auth.api_key_s IN ACCESS EXCLUSIVE MODE")
            start = time.monotonic()
            assert isinstance(await keyring.find_fresh(known.key), KeyGrant)
            assert time.monotonic() - start < 0.1
            assert await keyring.find_fresh(unread.key) is Reason.STORAGE_UNAVAILABLE
            assert time.monotonic() - start < FRESH_SECONDS + 1
        assert isinstance(await keyring.find_fresh(unread.key), KeyGrant)

    with_keyring(database, story)


def test_a_keyring_without_a_database_calls_no_key_unknown_and_loads_when_it_can(
    server: EmbeddedServer, database: Database, migrator: Connection
) -> None:
    known = create_key(migrator, "spa", KeyKind.SECRET)

    async def tell() -> None:
        close_the_door(server, database, closed=True)
        async with Keyring(database) as keyring:
            assert not await keyring.wait_loaded(0.3)
            assert keyring.find(known.key) is Reason.STORAGE_UNAVAILABLE
            assert await keyring.find_fresh(known.key) is Reason.STORAGE_UNAVAILABLE
            close_the_door(server, database, closed=False)
            assert await keyring.wait_loaded(10)
            assert isinstance(keyring.find(known.key), KeyGrant)

    asyncio.run(asyncio.wait_for(tell(), 40))


def test_a_stopped_keyring_leaves_no_connection_behind(
    server: EmbeddedServer, database: Database, migrator: Connection
) -> None:
    async def story(keyring: Keyring) -> None:
        await keyring.find_fresh(make_key(KeyKind.PUBLIC))

    with_keyring(database, story)
    with connect(server.superuser_conninfo(), autocommit=True) as admin:
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND usename = %s"
        for _ in range(100):
            left = admin.execute(count, [database.where["dbname"], Role.COLLECTOR]).fetchone()
            if left == (0,):
                break
            time.sleep(0.02)
        assert left == (0,)


def test_the_keyring_needs_no_more_than_the_collector_may_read(database: Database, migrator: Connection) -> None:
    with database.connect(Role.COLLECTOR, autocommit=True) as collector:
        readable = collector.execute(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c"
            " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^(pg_|information_schema)'"
            " AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
        ).fetchall()
    assert {name for (name,) in readable} == {
        "auth.tenant_h",
        "auth.tenant_profile_s",
        "auth.api_key_h",
        "auth.api_key_s",
        "auth.tenant_v",
        "auth.api_key_v",
    }
