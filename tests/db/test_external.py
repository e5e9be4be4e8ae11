"""DATABASE_URL: a server of somebody else, set up once by its administrator, used by our roles only."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from lifecycle import query
from psycopg.conninfo import conninfo_to_dict

from homes import temporary_home
from sitevault.config import Config
from sitevault.db import binaries, embedded
from sitevault.db.connect import Database, initialise, open_database
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.migrate import migrate
from sitevault.db.roles import LOGIN_ROLES, Role
from sitevault.errors import ConfigurationError, DatabaseUnavailableError, PreflightError

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
SERVERS = [
    pytest.param(None, id="18"),
    pytest.param(DEBIAN_15, id="15", marks=pytest.mark.skipif(not DEBIAN_15.exists(), reason="no PostgreSQL 15")),
]


@pytest.fixture(scope="module", params=SERVERS)
def foreign(request: pytest.FixtureRequest) -> Iterator[EmbeddedServer]:
    """A server that is not ours. Durable, since the preflight insists."""
    bindir = request.param or binaries.shipped().directory
    with temporary_home() as home, embedded.attach(home, bindir=bindir) as server:
        yield server


@pytest.fixture
def url(foreign: EmbeddedServer) -> str:
    """What its administrator gives us: a fresh database, and a superuser to set it up with."""
    query(foreign, "DROP DATABASE IF EXISTS events WITH (FORCE)")
    for role in Role:
        query(foreign, f"DROP ROLE IF EXISTS {role}")
    query(foreign, "CREATE DATABASE events")
    given = conninfo_to_dict(foreign.superuser_conninfo())
    return f"postgresql://{given['user']}:{given['password']}@/events?host={given['host']}&port={given['port']}"


def configured(home: Path, url: str) -> Config:
    return Config(home=home / "home", database_url=url)


def test_before_init_the_exact_command_is_named(home: Path, url: str) -> None:
    with pytest.raises(ConfigurationError) as caught, open_database(configured(home, url)):
        pass
    assert caught.value.command == "sitevault init"


def test_after_init_every_role_connects_and_the_schema_can_be_made(home: Path, url: str) -> None:
    config = configured(home, url)
    initialise(config)
    with open_database(config) as database:
        migrate(database)
        for role in LOGIN_ROLES:
            with database.connect(role) as conn:
                assert conn.execute("SELECT current_user, current_database()").fetchone() == (role, "events")


def test_init_twice_keeps_the_passwords(home: Path, url: str) -> None:
    config = configured(home, url)
    initialise(config)
    before = (config.home / "credentials.json").read_text()
    initialise(config)
    assert (config.home / "credentials.json").read_text() == before


def test_another_home_does_not_take_the_roles_away_unless_told_to(home: Path, url: str) -> None:
    first, second = configured(home / "first", url), configured(home / "second", url)
    initialise(first)
    with pytest.raises(ConfigurationError) as caught:
        initialise(second)
    assert caught.value.command == "sitevault init --rotate"
    with open_database(first) as database:
        database.connect(Role.WORKER).close()
    initialise(second, rotate=True)
    with pytest.raises(DatabaseUnavailableError, match="password"), open_database(first):
        pass


def test_init_with_a_powerless_user_names_everything_at_once(
    home: Path, url: str, foreign: EmbeddedServer
) -> None:
    query(foreign, "DROP ROLE IF EXISTS powerless")
    query(foreign, "CREATE ROLE powerless LOGIN PASSWORD 'powerless'")
    poor = url.replace(url[len("postgresql://") : url.index("@")], "powerless:powerless")
    with pytest.raises(PreflightError) as caught:
        initialise(configured(home, poor))
    assert "roles" in caught.value.message
    assert "schemas" in caught.value.message
    assert not (home / "home" / "credentials.json").exists()


def test_a_role_with_createrole_and_bypassrls_is_enough_since_16(
    home: Path, url: str, foreign: EmbeddedServer
) -> None:
    query(foreign, "DROP ROLE IF EXISTS operator")
    query(foreign, "CREATE ROLE operator LOGIN CREATEROLE BYPASSRLS PASSWORD 'operator'")
    query(foreign, "ALTER DATABASE events OWNER TO operator")
    config = configured(home, url.replace(url[len("postgresql://") : url.index("@")], "operator:operator"))
    try:
        if foreign.major < 16:
            with pytest.raises(PreflightError, match="may not create"):
                initialise(config)
        else:
            initialise(config)
            initialise(config)
            with open_database(config) as database:
                migrate(database)
    finally:
        query(foreign, "DROP DATABASE events WITH (FORCE)")
        with psycopg.connect(foreign.superuser_conninfo()) as admin:
            for role in Role:
                admin.execute(f"DROP ROLE IF EXISTS {role}".encode())
        query(foreign, "DROP ROLE operator")


def test_the_url_s_parameters_are_kept_and_its_user_is_not(home: Path, url: str) -> None:
    config = configured(home, url + "&connect_timeout=3&sslmode=disable")
    initialise(config)
    with open_database(config) as database:
        given = conninfo_to_dict(database.conninfo(Role.WORKER, "loader"))
    assert given["connect_timeout"] == "3"
    assert given["sslmode"] == "disable"
    assert given["user"] == "sitevault_worker"
    assert given["application_name"] == "sitevault-loader"
    assert given["client_encoding"] == "utf8"


def test_roles_of_an_older_sitevault_ask_for_init_again(home: Path, url: str) -> None:
    config = configured(home, url)
    initialise(config)
    path = config.home / "credentials.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"provisioned": "external of-an-older-roles.sql"}))
    with pytest.raises(ConfigurationError) as caught, open_database(config):
        pass
    assert caught.value.command == "sitevault init"


def test_a_server_that_is_not_there_is_said_so_in_plain_words(home: Path) -> None:
    config = configured(home, f"postgresql://nobody@/events?host={home}")
    with pytest.raises(DatabaseUnavailableError, match="does not answer"):
        initialise(config)


def test_something_that_is_no_connection_string_is_refused_without_repeating_it(home: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        initialise(configured(home, "host=db hunter2"))
    assert "hunter2" not in str(caught.value)


def test_a_damaged_credentials_file_is_refused_not_replaced(home: Path, url: str) -> None:
    config = configured(home, url)
    initialise(config)
    (config.home / "credentials.json").write_text("{")
    with pytest.raises(ConfigurationError, match="cannot be read"), open_database(config):
        pass
    assert (config.home / "credentials.json").read_text() == "{"


def test_asyncio_connects_as_the_same_roles(database: Database) -> None:
    async def ask() -> object:
        async with await database.aconnect(Role.COLLECTOR) as conn:
            return await (await conn.execute("SELECT current_user")).fetchone()

    assert asyncio.run(ask()) == ("sitevault_collector",)


def test_asyncio_hears_the_same_plain_words(database: Database, home: Path) -> None:
    lost = Database({**database.where, "host": str(home)}, database.passwords, "", 0)
    with pytest.raises(DatabaseUnavailableError, match="does not answer"):
        asyncio.run(lost.aconnect(Role.COLLECTOR))


def test_a_database_can_be_handed_to_another_process(database: Database) -> None:
    with pickle.loads(pickle.dumps(database)).connect(Role.READER) as conn:  # noqa: S301
        assert conn.execute("SELECT 1").fetchone() == (1,)
