"""The commands as a person types them, against a real database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest

from homes import temporary_home
from sitevault.cli.main import run
from sitevault.db import embedded
from sitevault.db.connect import Database
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.roles import Role
from sitevault.hashkeys import tenant_key

PROGRAM = [sys.executable, "-c", "from sitevault.cli.main import main; main()"]


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ended]


def point_at(database: Database, home: Path) -> dict[str, str]:
    """The environment in which the command line works on this test's own database."""
    return {"DATABASE_URL": database.admin_conninfo, "SITEVAULT_HOME": str(home)}


@pytest.fixture
def environment(
    server: EmbeddedServer, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> dict[str, str]:
    found = point_at(database, server.home)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return {**os.environ, **found}


@pytest.fixture
def cli(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*words: str) -> Ended:
        code = run(words)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return call


def test_a_tenant_added_twice_is_one_tenant(cli: Cli) -> None:
    first = cli("tenant", "add", "The ONE Spa", "--id", "spa")
    assert first.code == 0
    assert "Added the tenant spa" in first.out
    again = cli("tenant", "add", "The ONE Spa", "--id", "spa")
    assert (again.code, "There is already" in again.out) == (0, True)
    assert len(cli("tenant", "list", "--json").json) == 1


def test_two_tenants_of_one_name_are_listed_with_their_own_ids(cli: Cli) -> None:
    for _ in range(2):
        assert cli("tenant", "add", "The ONE Spa").code == 0
    listed = cli("tenant", "list", "--json").json
    assert [one["name"] for one in listed] == ["The ONE Spa"] * 2
    assert len({one["id"] for one in listed}) == 2
    asked = cli("tenant", "show", "The ONE Spa")
    assert asked.code == 1
    assert all(one["id"] in asked.err for one in listed)


@pytest.mark.parametrize(
    "words",
    [
        ("tenant", "show", "nobody"),
        ("tenant", "suspend", "nobody", "--yes"),
        ("tenant", "resume", "nobody"),
        ("tenant", "set", "nobody", "--ip-policy", "none"),
        ("key", "create", "nobody", "--secret"),
        ("key", "list", "nobody"),
        ("schema", "list", "nobody"),
        ("schema", "retire", "nobody", "purchase", "--yes"),
        ("url", "--tenant", "nobody"),
    ],
    ids=" ".join,
)
def test_an_unknown_tenant_is_an_error_with_the_command_that_lists_them(cli: Cli, words: tuple[str, ...]) -> None:
    ended = cli(*words, "--json")
    assert ended.code == 1
    assert ended.json["code"] == "UnknownTenantError"
    assert ended.json["command"] == "sitevault tenant list"


def test_a_key_is_printed_once_and_never_again(cli: Cli) -> None:
    cli("tenant", "add", "The ONE Spa", "--id", "spa")
    made = cli("key", "create", "spa", "--public", "--origin", "https://www.example.com", "--label", "web")
    key = made.out.strip()
    assert made.out == f"{key}\n"
    assert key.startswith("sv_pub_")
    assert key not in made.err
    key_id = cli("key", "list", "spa", "--json").json[0]["id"]
    later = [
        cli("key", "list", "spa"),
        cli("key", "list", "spa", "--json"),
        cli("tenant", "show", "spa", "--json"),
        cli("key", "revoke", key),
        cli("key", "revoke", key_id, "--yes"),
        cli("key", "revoke", key_id, "--json"),
    ]
    assert [ended.code for ended in later] == [0, 0, 0, 2, 0, 0]
    assert not [ended for ended in later if key in ended.out + ended.err]


def test_revoking_asks_for_a_yes_and_then_happens_once(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115 -- pytest puts its own back
    cli("tenant", "add", "The ONE Spa", "--id", "spa")
    key_id = cli("key", "create", "spa", "--secret", "--json").json["id"]
    assert cli("key", "revoke", key_id).code == 2
    assert cli("key", "list", "spa", "--json").json[0]["status"] == "active"
    assert cli("key", "revoke", key_id, "--yes", "--json").json["changed"] is True
    assert cli("key", "revoke", key_id, "--json").json["changed"] is False


def test_suspending_and_resuming_are_idempotent(cli: Cli) -> None:
    cli("tenant", "add", "The ONE Spa", "--id", "spa")
    changes = [
        cli("tenant", *words, "--json").json["changed"]
        for words in (("suspend", "spa", "--yes"), ("suspend", "spa"), ("resume", "spa"), ("resume", "spa"))
    ]
    assert changes == [True, False, True, False]


def test_a_tenants_mapping_is_set_from_a_file(cli: Cli, tmp_path: Path) -> None:
    cli("tenant", "add", "The ONE Spa", "--id", "spa")
    (tmp_path / "paths.json").write_text('{"session_id": ["context.sid"]}')
    assert cli("tenant", "set", "spa", "--mapping", "paths.json", "--ip-policy", "full").code == 0
    shown = cli("tenant", "show", "spa", "--json").json
    assert (shown["mapping"], shown["ip_policy"]) == ({"session_id": ["context.sid"]}, "full")
    assert cli("tenant", "set", "spa").code == 2
    (tmp_path / "paths.json").write_text('{"sesion_id": ["context.sid"]}')
    refused = cli("tenant", "set", "spa", "--mapping", "paths.json")
    assert (refused.code, "sesion_id" in refused.err) == (2, True)


def test_events_are_held_against_a_schema_before_and_after_it_is_in_force(cli: Cli, tmp_path: Path) -> None:
    cli("tenant", "add", "The ONE Spa", "--id", "spa")
    (tmp_path / "schema.json").write_text('{"required": ["price"]}')
    (tmp_path / "good.ndjson").write_text('{"event_type": "purchase", "price": 1}\n')
    (tmp_path / "bad.json").write_text('[{"price": 1}, {"event_type": "purchase"}, {"event_type": "other"}]')
    (tmp_path / "other.json").write_text('[{"event_type": "other"}]')
    test = ("schema", "test", "spa", "purchase")
    assert cli(*test, "bad.json").code == 2  # nothing is in force yet
    assert cli(*test, "bad.json", "--schema", "schema.json").code == 1
    assert cli("schema", "add", "spa", "purchase", "schema.json").code == 0
    assert cli(*test, "good.ndjson").code == 0
    bad = cli(*test, "bad.json", "--json")
    assert bad.code == 1
    assert bad.json["violations"] == [{"place": 1, "path": "/", "message": '"price" is a required property'}]
    assert (bad.json["tested"], bad.json["of_other_types"]) == (2, 1)
    assert cli(*test, "other.json").code == 3  # nothing tested is not a pass
    assert cli("schema", "retire", "spa", "purchase", "--yes").code == 0
    assert cli("schema", "list", "spa", "--json").json[0]["status"] == "retired"


def test_every_answer_is_one_json_document_when_asked(cli: Cli) -> None:
    cli("tenant", "add", "The ONE Spa", "--id", "spa")
    for words in (
        ("migrate", "--plan"),
        ("migrate", "--yes"),
        ("tenant", "add", "Other"),
        ("tenant", "list"),
        ("tenant", "show", "spa"),
        ("tenant", "suspend", "spa", "--yes"),
        ("tenant", "resume", "spa"),
        ("key", "create", "spa", "--secret"),
        ("key", "list", "spa"),
        ("schema", "list", "spa"),
        ("config", "check"),
        ("config", "show"),
        ("url", "--tenant", "spa"),
    ):
        ended = cli(*words, "--json")
        assert ended.code == 0, words
        assert ended.json is not None


def test_the_printed_url_shows_one_tenants_rows_and_changes_nothing(cli: Cli) -> None:
    for tenant_id in ("spa", "other"):
        cli("tenant", "add", "The ONE Spa", "--id", tenant_id)
    with psycopg.connect(cli("url", "--tenant", "spa").out.strip()) as conn:
        assert conn.execute("SELECT current_user, tenant_bk FROM auth.tenant_v").fetchall() == [
            (Role.READER, "spa")
        ]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("DELETE FROM auth.tenant_profile_s")
    with psycopg.connect(cli("url").out.strip()) as conn:
        assert conn.execute("SELECT count(*) FROM auth.tenant_v").fetchone() == (0,)
    with psycopg.connect(cli("url", "--role", "judge").out.strip()) as conn:
        assert conn.execute("SELECT count(*) FROM auth.tenant_v").fetchone() == (2,)


def test_settings_are_shown_without_passwords(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in (
        "postgresql://me:hunter2@db.example/sitevault",
        "postgresql://me@db.example/sitevault?password=hunter2&sslpassword=hunter2",
        "host=db.example password=hunter2 dbname=sitevault",
        "hunter2 is no url",
    ):
        monkeypatch.setenv("DATABASE_URL", url)
        for words in (("config", "show"), ("config", "show", "--json"), ("config", "check"), ("tenant", "list")):
            ended = cli(*words)
            assert "hunter2" not in ended.out + ended.err, words


def test_wrong_settings_are_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITEVAULT_TRUSTED_PROXIES", "10.0.0.0/8,everyone")
    found = cli("config", "check", "--json")
    assert (found.code, "everyone" in found.json["problems"][0]) == (2, True)
    monkeypatch.setenv("SITEVAULT_PORT", "99999")
    found = cli("config", "check")
    assert (found.code, "port" in found.err) == (2, True)


def test_another_settings_file_can_be_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("port = 8123\n")
    assert cli("--config", "other.toml", "config", "show", "--json").json["port"] == 8123
    assert cli("--config", "missing.toml", "config", "show").code == 2


def test_an_external_database_without_a_schema_is_not_changed_unasked(
    cli: Cli,
    server: EmbeddedServer,
    new_database: Callable[[str], Database],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    empty = new_database("template0")
    for name, value in point_at(empty, server.home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115 -- pytest puts its own back
    refused = cli("tenant", "list", "--json")
    assert (refused.code, refused.json["command"]) == (6, "sitevault migrate")
    plan = cli("migrate", "--plan", "--json")
    assert plan.json["pending"][0] == "0001_schemas.sql"
    assert cli("migrate").code == 2
    assert cli("tenant", "list").code == 6
    assert cli("migrate", "--yes", "--json").json["applied"][0] == "0001_schemas"
    assert cli("migrate", "--plan", "--json").json["up_to_date"] is True
    assert cli("tenant", "list", "--json").json == []


def test_a_server_that_does_not_answer_is_said_in_words(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me@127.0.0.1:1/sitevault")
    ended = cli("tenant", "list", "--json")
    assert (ended.code, ended.json["code"]) == (1, "DatabaseUnavailableError")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_is_interrupted_leaves_nothing_half_done(
    database: Database, environment: dict[str, str], cli: Cli, number: int, code: int
) -> None:
    with psycopg.connect(database.admin_conninfo) as blocker:
        blocker.execute("LOCK TABLE auth.tenant_secret IN ACCESS EXCLUSIVE MODE")
        program = subprocess.Popen(
            [*PROGRAM, "tenant", "add", "The ONE Spa", "--id", "spa"],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        try:
            wait_until_it_waits(database)
            program.send_signal(number)
            _, said = program.communicate(timeout=20)
        finally:
            program.kill()
    assert program.returncode == code
    assert "Traceback" not in said
    if number == signal.SIGINT:
        assert "can be repeated" in said
    assert cli("tenant", "list", "--json").json == []
    assert cli("tenant", "add", "The ONE Spa", "--id", "spa", "--json").json["created"] is True


def wait_until_it_waits(database: Database) -> None:
    """Return once a session of the migrator waits for a lock."""
    waiting = "SELECT FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'"
    deadline = time.monotonic() + 20
    with psycopg.connect(database.admin_conninfo, autocommit=True) as watcher:
        while watcher.execute(waiting, [Role.MIGRATOR]).fetchone() is None:
            assert time.monotonic() < deadline, "it never got that far"
            time.sleep(0.02)


@pytest.fixture
def fresh_server() -> Iterator[EmbeddedServer]:
    """A server nobody has set up; durable, as preflight demands."""
    with temporary_home() as home, embedded.attach(home) as attached:
        yield attached


def call(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        [*PROGRAM, *words], capture_output=True, text=True, check=False, env={**inherited, **environment}
    )


def test_init_sets_up_a_database_of_yours_and_only_then_do_commands_work(fresh_server: EmbeddedServer) -> None:
    with temporary_home() as home:
        yours = {"DATABASE_URL": fresh_server.superuser_conninfo(), "SITEVAULT_HOME": str(home)}
        before = call(yours, "tenant", "list", "--json")
        assert (before.returncode, json.loads(before.stdout)["command"]) == (2, "sitevault init")
        first = call(yours, "init", "--json")
        assert first.returncode == 0, first.stderr
        assert {found["id"] for found in json.loads(first.stdout)["findings"]} >= {"version", "durable", "roles"}
        assert json.loads(first.stdout)["applied"][0] == "0001_schemas"
        again = call(yours, "init")
        assert (again.returncode, "Ready: 0 migrations applied." in again.stdout) == (0, True)
        assert "PostgreSQL" in again.stdout
        assert call(yours, "init", "--rotate").returncode == 2
        assert call(yours, "init", "--rotate", "--yes").returncode == 0
        assert json.loads(call(yours, "tenant", "list", "--json").stdout) == []
        with psycopg.connect(fresh_server.superuser_conninfo()) as admin:
            recorded = admin.execute("SELECT action FROM audit.entry ORDER BY seq").fetchall()
        assert recorded == [("database.migrate",), *[("roles.provision",)] * 3]
        assert json.loads(call(yours, "audit", "chain", "--json").stdout)["success"] is True


def test_init_refuses_a_server_that_may_lose_what_it_commits(cli: Cli) -> None:
    refused = cli("init", "--json")
    assert (refused.code, "may lose" in refused.json["message"]) == (6, True)


def test_on_the_embedded_server_the_first_command_sets_everything_up() -> None:
    with temporary_home() as home, embedded.attach(home, durable=False):
        embedded_one = {"SITEVAULT_HOME": str(home)}
        added = call(embedded_one, "tenant", "add", "The ONE Spa", "--id", "spa", "--json")
        assert added.returncode == 0, added.stderr
        assert "Applying 0001_schemas.sql" in added.stderr
        assert json.loads(added.stdout)["tenant"]["tenant_hk"] == tenant_key("spa").hex()
        listed = call(embedded_one, "tenant", "list", "--json")
        assert (json.loads(listed.stdout)[0]["id"], listed.stderr) == ("spa", "")
        again = call(embedded_one, "init", "--json")
        assert (again.returncode, json.loads(again.stdout)["applied"]) == (0, [])
        assert call(embedded_one, "init", "--rotate", "--yes").returncode == 2
