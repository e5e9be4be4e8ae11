"""A key is shown once; what is stored cannot be turned back into it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import UnknownKeyError, UnknownTenantError, UsageError
from sitevault.hashkeys import tenant_key
from sitevault.tenancy.context import administer
from sitevault.tenancy.keys import KeyKind, KeyStatus, create_key, digest, find_key, list_keys, revoke_key
from sitevault.tenancy.tenants import add_tenant

Connection = psycopg.Connection[Any]


@pytest.fixture
def migrator(database: Database) -> Iterator[Connection]:
    with database.connect(Role.MIGRATOR) as conn:
        add_tenant(conn, "The ONE Spa", "spa")
        yield conn


@pytest.fixture
def judge(database: Database, migrator: Connection) -> Iterator[Connection]:
    with database.connect(Role.JUDGE, autocommit=True) as conn:
        yield conn


def test_a_key_is_nowhere_in_the_database(database: Database, migrator: Connection) -> None:
    made = [
        create_key(migrator, "spa", KeyKind.SECRET, label="backend"),
        create_key(migrator, "spa", KeyKind.PUBLIC, allowed_origins=["*"]),
    ]
    with psycopg.connect(database.admin_conninfo) as admin:
        tables = admin.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname IN ('auth', 'raw', 'staging', 'business', 'mart', 'ops', 'audit')"
        ).fetchall()
        everything = [
            row for (table,) in tables for (row,) in admin.execute(f"SELECT t::text FROM {table} AS t").fetchall()
        ]
    assert any(made[0].api_key.api_key_hk.hex() in row for row in everything)
    for new in made:
        assert not [
            row for row in everything if new.key in row or new.key[7:] in row or new.key[7:].encode().hex() in row
        ]


def test_a_key_is_stored_as_its_sha256(migrator: Connection, judge: Connection) -> None:
    new = create_key(migrator, "spa", KeyKind.SECRET)
    assert judge.execute("SELECT api_key_hk FROM auth.api_key_h").fetchall() == [(digest(new.key),)]
    assert new.api_key.key_id == digest(new.key).hex()[:12]


def test_the_list_has_everything_but_the_key(migrator: Connection, judge: Connection) -> None:
    new = create_key(
        migrator, "spa", KeyKind.PUBLIC, label="web", allowed_origins=["HTTPS://Example.com"], rate_limit=50
    )
    (listed,) = list_keys(judge, "spa")
    assert listed == new.api_key
    assert (listed.kind, listed.label, listed.rate_limit) == (KeyKind.PUBLIC, "web", 50)
    assert (listed.allowed_origins, listed.status) == (["https://example.com"], KeyStatus.ACTIVE)


def test_a_public_key_without_origins_is_refused(migrator: Connection) -> None:
    with pytest.raises(UsageError, match="origins"):
        create_key(migrator, "spa", KeyKind.PUBLIC)


def test_a_secret_key_with_origins_is_refused(migrator: Connection) -> None:
    with pytest.raises(UsageError, match="must never be in a web page"):
        create_key(migrator, "spa", KeyKind.SECRET, allowed_origins=["*"])


@pytest.mark.parametrize("rate", [0, -1, 2_000_000_000])
def test_a_rate_that_is_none_is_refused(migrator: Connection, rate: int) -> None:
    with pytest.raises(UsageError, match="rate"):
        create_key(migrator, "spa", KeyKind.SECRET, rate_limit=rate)


@pytest.mark.parametrize("label", ["x" * 101, "a\nb", "\0", "\ud800"])
def test_a_label_that_cannot_be_shown_is_refused(migrator: Connection, label: str) -> None:
    with pytest.raises(UsageError, match="label"):
        create_key(migrator, "spa", KeyKind.SECRET, label=label)


def test_a_key_for_nobody_is_not_made(migrator: Connection, judge: Connection) -> None:
    with pytest.raises(UnknownTenantError):
        create_key(migrator, "nobody", KeyKind.SECRET)
    assert judge.execute("SELECT count(*) FROM auth.api_key_h").fetchone() == (0,)


def test_a_key_is_found_by_the_beginning_of_its_id(migrator: Connection, judge: Connection) -> None:
    key = create_key(migrator, "spa", KeyKind.SECRET).api_key
    for digits in (6, 12, 64):
        assert find_key(judge, key.api_key_hk.hex()[:digits]) == key
    assert find_key(judge, key.key_id.upper()) == key


def test_revoking_twice_writes_once_and_stays_revoked(migrator: Connection, judge: Connection) -> None:
    key = create_key(migrator, "spa", KeyKind.SECRET).api_key
    assert [revoke_key(migrator, key), revoke_key(migrator, key)] == [True, False]
    assert find_key(judge, key.key_id).status is KeyStatus.REVOKED
    assert judge.execute("SELECT count(*) FROM auth.api_key_s").fetchone() == (2,)


def test_revoking_one_key_leaves_the_others(migrator: Connection, judge: Connection) -> None:
    first, second = (create_key(migrator, "spa", KeyKind.SECRET).api_key for _ in range(2))
    revoke_key(migrator, first)
    assert find_key(judge, second.key_id).status is KeyStatus.ACTIVE


def test_an_id_that_fits_several_keys_revokes_none(migrator: Connection, judge: Connection) -> None:
    add_tenant(migrator, "Other", "other")
    beginning = bytes.fromhex("abcdef")
    for tenant_bk, rest in (("spa", b"\1"), ("other", b"\2")):
        hks = {"t": tenant_key(tenant_bk), "k": beginning + rest * 29}
        with administer(migrator, hks["t"]):
            migrator.execute("INSERT INTO auth.api_key_h VALUES (%(t)s, %(k)s, now(), 'test')", hks)
            migrator.execute(
                "INSERT INTO auth.api_key_s"
                " VALUES (%(t)s, %(k)s, now(), 'secret', '', '{}', NULL, 'active', %(k)s, 'test')",
                hks,
            )
    with pytest.raises(UsageError, match=r"2 keys .*\(other\), .*\(spa\)"):
        find_key(judge, "abcdef")
    assert find_key(judge, "abcdef01").tenant_bk == "spa"


def test_an_unknown_id_is_said_to_be_unknown(judge: Connection) -> None:
    with pytest.raises(UnknownKeyError):
        find_key(judge, "0123456789ab")


@pytest.mark.parametrize("text", ["", "abc", "xyzxyz", "%", "abcdef%", "0" * 65])
def test_what_is_no_id_is_refused(judge: Connection, text: str) -> None:
    with pytest.raises(UsageError):
        find_key(judge, text)


def test_a_key_given_for_its_id_is_answered_with_the_id_and_not_repeated(
    migrator: Connection, judge: Connection
) -> None:
    new = create_key(migrator, "spa", KeyKind.SECRET)
    with pytest.raises(UsageError) as refusal:
        find_key(judge, new.key)
    assert new.key not in str(refusal.value.as_dict())
    assert refusal.value.command == f"sitevault key revoke {new.api_key.key_id}"
