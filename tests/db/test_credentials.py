"""The passwords' file: whole or not there, and open to nobody else."""

from __future__ import annotations

import stat
from pathlib import Path

import psycopg
import pytest
from lifecycle import query

from sitevault.config import Config
from sitevault.db import credentials, embedded
from sitevault.db.connect import open_database, open_embedded
from sitevault.db.roles import LOGIN_ROLES, Role


def test_what_is_written_is_read_back(home: Path) -> None:
    made = credentials.Credentials(credentials.generate().passwords, "mark")
    credentials.write(home, made)
    assert credentials.read(home) == made
    assert stat.S_IMODE((home / "credentials.json").stat().st_mode) == 0o600


def test_no_two_roles_and_no_two_homes_share_a_password() -> None:
    passwords = [*credentials.generate().passwords.values(), *credentials.generate().passwords.values()]
    assert len(set(passwords)) == 2 * len(LOGIN_ROLES)


def test_a_role_the_file_does_not_know_yet_gets_a_password_and_is_provisioned_again(home: Path) -> None:
    made = credentials.generate()
    old = {role: password for role, password in made.passwords.items() if role is not Role.ERASER}
    credentials.write(home, credentials.Credentials(old, "mark"))
    found = credentials.read(home)
    assert found is not None
    assert found.passwords[Role.WORKER] == old[Role.WORKER]
    assert found.passwords[Role.ERASER]
    assert found.provisioned == ""


def test_the_second_opening_does_not_provision_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with embedded.attach(home, durable=False) as server:
        open_embedded(Config(home=home), server)
        before = query(server, "SELECT max(xmin::text::bigint) FROM pg_authid")
        open_embedded(Config(home=home), server)
        assert query(server, "SELECT max(xmin::text::bigint) FROM pg_authid") == before


def test_an_interrupted_first_opening_is_finished_by_the_next(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with embedded.attach(home, durable=False) as server:
        with monkeypatch.context() as patched:
            patched.setattr("sitevault.db.connect.provision_roles", interrupted)
            with pytest.raises(KeyboardInterrupt):
                open_embedded(Config(home=home), server)
        with open_embedded(Config(home=home), server).connect(Role.WORKER) as conn:
            assert conn.execute("SELECT 1").fetchone() == (1,)


def test_a_lost_credentials_file_is_made_again_for_our_own_server(home: Path) -> None:
    with open_database(Config(home=home)):
        pass
    (home / "credentials.json").unlink()
    with open_database(Config(home=home)) as database, database.connect(Role.WORKER) as conn:
        assert isinstance(conn, psycopg.Connection)
