"""A bundle is what its directory makes of an empty database, and the same whenever and wherever it is built."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sitevault.db import embedded, postmaster
from sitevault.db.connect import connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.demo import incident
from sitevault.release import bundle, scratch
from sitevault.release.bundle import Built
from sitevault.release.lint.model import Severity
from sitevault.release.model import Bundle, BundleError, encode
from sources import BASE, CLAIMS, function, incident_fix, source

Make = Callable[[Path], Built]


@pytest.fixture
def make(server: EmbeddedServer) -> Make:
    """Builds on this test process's own server, which spares the start of another."""
    return lambda directory: bundle.make(directory, "", lambda _: None, server)


@pytest.fixture
def refuse(make: Make) -> Callable[[Path], BundleError]:
    def refuse(directory: Path) -> BundleError:
        with pytest.raises(BundleError) as refused:
            make(directory)
        return refused.value

    return refuse


Refuse = Callable[[Path], BundleError]


def expected(made: Bundle) -> dict[str, dict[str, object] | None]:
    return {
        f"{one.kind} {one.identity}": json.loads(one.attributes) if one.attributes else None
        for one in made.expected
    }


# -- the incident ------------------------------------------------------------------------------------------------


def test_the_incidents_fix_claims_every_fault_and_keeps_every_claim(make: Make, tmp_path: Path) -> None:
    built = make(incident_fix(tmp_path))
    assert [claim.fixes for claim in built.bundle.claims] == list(CLAIMS)
    changed = expected(built.bundle)
    assert len(changed) == 5
    assert changed["function staging.process_site_event(p_raw_event_id bigint, p_source text)"] is None
    assert all(name in changed for claim in built.bundle.claims for name in claim.objects)
    assert not [one for one in built.findings if one.severity is not Severity.WARNING]


def test_a_fix_that_leaves_the_second_door_broken_cannot_claim_it(refuse: Refuse, tmp_path: Path) -> None:
    incident_fix(tmp_path)
    (tmp_path / "objects" / "second_door.sql").unlink()
    message = refuse(tmp_path).message
    assert "claims to mend what it does not change" in message
    assert "F5: function staging.catch_up_site_event(p_raw_event_id bigint)" in message
    assert "F7: function staging.process_site_event(p_raw_event_id bigint, p_source text)" in message
    assert "F2" not in message


def test_the_incidents_own_hot_fix_is_refused_by_the_doctor(refuse: Refuse, tmp_path: Path) -> None:
    incident_fix(tmp_path)
    (tmp_path / "release.toml").write_text('name = "hot-fix"\nversion = "4"\nauthor = "nobody"\n')
    (tmp_path / "objects" / "staging.sql").write_text(incident.text("staging_v2"))
    message = refuse(tmp_path).message
    for check in ("set_returning_in_scalar", "lost_error_write", "unconditional_claim"):
        assert f"doctor:functions.{check}  function staging.process_site_event(p_raw_event_id bigint)" in message


# -- the same bundle ----------------------------------------------------------------------------------------------


def test_another_order_time_zone_and_place_give_the_same_bytes(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "b.sql": "CREATE OR REPLACE VIEW app.late AS SELECT thing_id FROM app.thing"
        " WHERE now() > '2026-01-01 00:00'::timestamptz AND now() - '1 day'::interval > '2026-01-02'::date;",
        "a.sql": function(),
    }
    one = make(source(tmp_path / "one", objects=files)).bundle
    for name, value in {
        "PGTZ": "Asia/Tokyo",
        "TZ": "Asia/Tokyo",
        "PGDATESTYLE": "ISO, DMY",
        "LC_ALL": "C",
    }.items():
        monkeypatch.setenv(name, value)
    other = source(tmp_path / "other", objects=dict(sorted(files.items())))
    for path in other.rglob("*.sql"):
        os.utime(path, (0, 0))
    assert encode(make(other).bundle) == encode(one)
    assert one.digest == bundle.build(other, "ada", lambda _: None).digest, "on a server of its own, too"


def test_one_byte_more_is_another_digest(make: Make, tmp_path: Path) -> None:
    one = make(source(tmp_path, objects={"a.sql": function()})).bundle
    assert one.digest != make(source(tmp_path, objects={"a.sql": function() + "\n"})).bundle.digest
    assert one.digest != make(source(tmp_path, objects={"a.sql": function()}, base=BASE + "\n")).bundle.digest


def test_the_author_is_the_commands_else_the_files_else_nobodys(server: EmbeddedServer, tmp_path: Path) -> None:
    source(tmp_path, objects={"a.sql": function()})
    assert bundle.make(tmp_path, "", lambda _: None, server).bundle.author == "ada"
    assert bundle.make(tmp_path, "grace", lambda _: None, server).bundle.author == "grace"
    source(tmp_path, manifest='name = "fix"\nversion = "1"\n')
    with pytest.raises(BundleError, match="Nobody is named as the author"):
        bundle.make(tmp_path, "", lambda _: None, server)
    with pytest.raises(BundleError, match="The author is no name"):
        bundle.make(tmp_path, "ada\napproved by everybody", lambda _: None, server)


def test_sitevaults_own_schema_is_a_bundle_of_all_it_makes() -> None:
    made = bundle.build(None, "ada", lambda _: None)
    assert (made.own, made.shape, len(made.staging)) == (True, "house", 64)
    assert made.migrations[0].name == "0001_schemas.sql"
    names = expected(made)
    assert "table raw.landed_event" in names
    assert names["table raw.landed_event"]["owner"] == "$owner"  # type: ignore[index]
    assert not [name for name in names if "_p20" in name], "daily partitions come and go"


def test_a_release_of_a_house_is_tried_on_sitevaults_schema(make: Make, tmp_path: Path) -> None:
    source(
        tmp_path,
        manifest='name = "busy"\nversion = "1"\nauthor = "ada"\nshape = "house"\n',
        base=None,
        objects={"busy.sql": "CREATE OR REPLACE VIEW mart.busy AS SELECT tenant_hk FROM auth.tenant_h;"},
    )
    (tmp_path / "mapping").mkdir()
    (tmp_path / "mapping" / "the-one-spa.json").write_text('{"session_id": ["context.sid"]}')
    made = make(tmp_path).bundle
    assert list(expected(made)) == ["column mart.busy.tenant_hk", "view mart.busy"]
    assert [one.tenant for one in made.settings] == ["the-one-spa"]


# -- what is expected ---------------------------------------------------------------------------------------------


def test_of_a_new_object_all_is_expected_and_of_another_what_changed(make: Make, tmp_path: Path) -> None:
    sql = (
        "CREATE TABLE IF NOT EXISTS app.more (a int DEFAULT 7); COMMENT ON TABLE app.thing IS 'things';"
        "ALTER TABLE app.thing ADD COLUMN IF NOT EXISTS at timestamptz; DROP VIEW IF EXISTS app.none;"
    )
    made = expected(make(source(tmp_path, objects={"a.sql": sql})).bundle)
    assert made["table app.thing"] == {"comment": "things"}
    new = made["table app.more"]
    assert new is not None
    assert {"owner", "persistence", "row_security", "privileges"} <= new.keys()
    assert new["owner"] == "$owner"
    column = made["column app.thing.at"]
    assert column is not None
    assert "place" not in column, "the target may have columns of its own"


def test_rights_are_expected_as_what_is_granted_and_what_is_taken(make: Make, tmp_path: Path) -> None:
    base = "CREATE ROLE app_reader NOLOGIN;" + BASE + "GRANT SELECT ON app.thing TO app_reader;"
    sql = (
        function()
        + "REVOKE ALL ON FUNCTION app.name_of(bigint) FROM PUBLIC; REVOKE SELECT ON app.thing FROM app_reader;"
        "GRANT INSERT ON app.thing TO app_reader WITH GRANT OPTION;"
    )
    made = expected(make(source(tmp_path, base=base, objects={"a.sql": sql})).bundle)
    assert made["table app.thing"] == {
        "privileges": {
            "granted": [["INSERT", "app_reader", "$owner", True]],
            "revoked": [["SELECT", "app_reader", "$owner", False]],
        }
    }
    called = made["function app.name_of(p_id bigint)"]
    assert called is not None
    assert called["privileges"] == {"granted": [], "revoked": [["EXECUTE", "PUBLIC", "$owner", False]]}


def test_what_a_parameter_makes_is_expected_but_for_its_value(make: Make, tmp_path: Path) -> None:
    objects = {
        "a.sql": function("SELECT name FROM app.thing WHERE name < :{most}"),
        "b.sql": "COMMENT ON TABLE app.thing IS 'things';",
    }
    made = make(source(tmp_path, more='[parameters]\nmost = "it\'s"\n', objects=objects)).bundle
    assert made.parameters == ("most",)
    assert ":{most}" in made.objects[0].text, "the bundle holds no value"
    assert expected(made)["function app.name_of(p_id bigint)"] == {"$by_parameter": True}
    assert expected(made)["table app.thing"] == {"comment": "things"}


# -- claims -------------------------------------------------------------------------------------------------------


def claim(name: str) -> str:
    return f'[[claims]]\nfixes = "F3"\nobjects = ["{name}"]\n'


@pytest.mark.parametrize(
    "name", ["function app.name_of(bigint)", "function app.name_of(p_id bigint)", "function app.name_of"]
)
def test_a_claim_may_name_its_function_in_each_usual_way(make: Make, tmp_path: Path, name: str) -> None:
    made = make(source(tmp_path, more=claim(name), objects={"a.sql": function()})).bundle
    assert made.claims[0].objects == ("function app.name_of(p_id bigint)",)


@pytest.mark.parametrize(
    ("name", "said", "nearest"),
    [
        ("function app.nameof(bigint)", "exists neither before nor after", "function app.name_of(p_id bigint)"),
        ("table app.things", "exists neither before nor after", "table app.thing"),
        ("functon app.name_of(bigint)", "does not begin with a kind of object", "function"),
        ("table app.thing", "F3: table app.thing", "take the claim out"),
    ],
)
def test_a_claim_on_what_does_not_change_is_refused(
    refuse: Refuse, tmp_path: Path, name: str, said: str, nearest: str
) -> None:
    error = refuse(source(tmp_path, more=claim(name), objects={"a.sql": function()}))
    assert said in error.message
    assert nearest in (error.fix or "")


# -- what the trial refuses ---------------------------------------------------------------------------------------


def test_a_file_that_fails_is_named_with_its_line(refuse: Refuse, tmp_path: Path) -> None:
    sql = "SELECT 1;\n\nALTER TABLE app.nothing ADD COLUMN a int;"
    message = refuse(source(tmp_path, migrations={"0001_a.sql": sql})).message
    assert "migration" not in message.split(":")[0]
    assert message.startswith('0001_a.sql failed: 42P01 relation "app.nothing" does not exist')


def test_a_verification_has_to_answer_true(make: Make, refuse: Refuse, tmp_path: Path) -> None:
    migrations = {"0001_a.sql": "ALTER TABLE app.thing ADD COLUMN a int;"}
    query = "SELECT count(*) {} 1 FROM pg_attribute WHERE attname = 'a' AND attrelid = 'app.thing'::regclass"
    source(tmp_path, migrations=migrations | {"0001_a.verify.sql": query.format("=")})
    assert make(tmp_path).bundle.migrations[0].verify
    answers = {query.format(">"): "False", "SELECT NULL": "None", "SELECT 1": "1", "SELECT true, true": "None"}
    for wrong, said in answers.items():
        source(tmp_path, migrations=migrations | {"0001_a.verify.sql": wrong})
        assert f"0001_a.verify.sql answers {said} after the trial" in refuse(tmp_path).message
    source(tmp_path, migrations=migrations | {"0001_a.verify.sql": "SELECT 1/0"})
    assert "0001_a.verify.sql failed: 22012" in refuse(tmp_path).message


def test_objects_have_to_stand_a_second_time(refuse: Refuse, tmp_path: Path) -> None:
    objects = {
        "a.sql": "CREATE TABLE app.more (a int);",
        "b.sql": "COMMENT ON SCHEMA app IS 'x'; DO $$ BEGIN EXECUTE format('COMMENT ON SCHEMA app IS %L', "
        "coalesce(pg_catalog.obj_description('app'::regnamespace), '') || pg_catalog.clock_timestamp()); END $$;",
    }
    message = refuse(source(tmp_path, objects=objects)).message
    assert "not_repeatable  a.sql: the second time, a.sql failed: 42P07" in message
    assert "not_repeatable  b.sql: the second time it changes schema app" in message


def test_a_function_that_is_dropped_and_made_again_is_refused_unless_it_is_meant(
    make: Make, refuse: Refuse, tmp_path: Path
) -> None:
    sql = "DROP FUNCTION IF EXISTS app.name_of(bigint);\n" + function()
    source(tmp_path, migrations={"0001_a.sql": sql})
    assert "dropped_and_created  function app.name_of(p_id bigint)" in refuse(tmp_path).message
    allow = (
        '[[allow]]\nlint = "dropped_and_created"\nwhere = "function app.name_of(p_id bigint)"\n'
        'because = "its result is another"\n'
    )
    built = make(source(tmp_path, more=allow))
    assert [one.because for one in built.findings if one.lint == "dropped_and_created"] == [
        "its result is another"
    ]
    assert built.bundle.allowed[0].because == "its result is another", "whoever approves it can read it"


def test_a_new_signature_beside_an_old_one_is_refused(refuse: Refuse, tmp_path: Path) -> None:
    sql = function().replace("(p_id bigint)", "(p_id bigint, p_language text)")
    message = refuse(source(tmp_path, objects={"a.sql": sql})).message
    assert "orphan_overload  function app.name_of(p_id bigint, p_language text): is new beside" in message
    gone = sql + "DROP FUNCTION IF EXISTS app.name_of(bigint);"
    source(tmp_path, objects={"a.sql": gone})


def test_a_definer_has_to_pin_its_path(make: Make, refuse: Refuse, tmp_path: Path) -> None:
    sql = function().replace("LANGUAGE sql", "LANGUAGE sql SECURITY DEFINER")
    assert "definer_search_path  function app.name_of" in refuse(source(tmp_path, objects={"a.sql": sql})).message
    pinned = sql.replace("DEFINER", "DEFINER SET search_path = pg_catalog, pg_temp")
    make(source(tmp_path, objects={"a.sql": pinned}))


def test_a_bare_name_in_a_body_is_shown_and_pinned_or_built_in_ones_are_not(make: Make, tmp_path: Path) -> None:
    base = BASE + "CREATE FUNCTION public.helped() RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;"
    body = "SELECT upper(name) || helped() FROM\n app.thing JOIN bare_table ON true, pg_class"
    quiet = {"check.sql": "SET LOCAL check_function_bodies = off;"}
    objects = quiet | {"name_of.sql": function(body)}
    found = make(source(tmp_path, base=base, objects=objects)).findings
    assert [(one.line, one.message.split()[0]) for one in found if one.lint == "search_path_in_body"] == [
        (1, "helped()"),
        (2, "bare_table"),
    ]
    pinned = function(body).replace("LANGUAGE sql", "LANGUAGE sql SET search_path = app, public")
    found = make(source(tmp_path, base=base, objects=quiet | {"name_of.sql": pinned})).findings
    assert not [one for one in found if one.lint == "search_path_in_body"]


def test_a_base_that_is_not_the_guides_leaves_the_doctor_out_and_says_so(make: Make, tmp_path: Path) -> None:
    found = make(source(tmp_path, objects={"a.sql": function()})).findings
    assert [(one.lint, one.severity) for one in found] == [("doctor", Severity.UNKNOWN)]


def test_the_bundle_has_an_owners_rights_and_no_more(refuse: Refuse, tmp_path: Path) -> None:
    for sql in (
        "CREATE ROLE intruder;",
        "COPY app.thing FROM PROGRAM 'id';",
        "ALTER ROLE sitevault_trial SUPERUSER;",
    ):
        source(tmp_path, objects={"a.sql": sql})
        assert "a.sql failed: 42501" in refuse(tmp_path).message


def test_an_end_of_the_transaction_that_hides_in_a_procedure_is_refused(refuse: Refuse, tmp_path: Path) -> None:
    sql = "DO $$ BEGIN COMMIT; END $$;"
    assert "0001_a.sql failed: 2D000" in refuse(source(tmp_path, migrations={"0001_a.sql": sql})).message


# -- the base -----------------------------------------------------------------------------------------------------


def test_roles_that_a_base_names_are_there_and_gone_afterwards(
    make: Make, server: EmbeddedServer, tmp_path: Path
) -> None:
    base = (
        BASE
        + 'ALTER TABLE app.thing OWNER TO "Odd ""Owner"; GRANT SELECT ON app.thing TO app_reader, CURRENT_USER;'
        "CREATE ROLE made_here NOLOGIN; GRANT SELECT ON app.thing TO made_here;"
        "CREATE POLICY p ON app.thing TO app_auditor USING (true);"
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT SELECT ON TABLES TO PUBLIC;"
    )
    made = make(source(tmp_path, base=base, objects={"a.sql": "COMMENT ON TABLE app.thing IS 'x';"})).bundle
    assert expected(made) == {"table app.thing": {"comment": "x"}}
    with connect(server.superuser_conninfo()) as admin:
        left = admin.execute(
            "SELECT rolname FROM pg_roles WHERE rolname ~ '^(app_|made_here|Odd|sitevault_trial)'"
        ).fetchall()
    assert left == []


@pytest.mark.parametrize(
    ("base", "said", "fix"),
    [
        ('CREATE EXTENSION "no such extension";', "does not stand on an empty database", "SITEVAULT_PG_BINDIR"),
        ("\nCREATE TABLE nowhere.t (a int);", "3F000", "pg_dump --schema-only"),
        ("COPY app.thing FROM stdin;\n1\tx\n\\.\n", "holds rows", "--schema-only"),
        ("\\connect other\n", "psql's own \\connect", "pg_dump"),
        ("SELEC 1;", "cannot be read", "pg_dump"),
        ("SET ROLE nobody_knows;", "22023", ""),
    ],
)
def test_a_base_that_does_not_stand_by_itself_is_refused_with_what_to_do(
    refuse: Refuse, tmp_path: Path, base: str, said: str, fix: str
) -> None:
    error = refuse(source(tmp_path, base=BASE + base, objects={"a.sql": function()}))
    assert "base.sql" in error.message
    assert said in error.message
    assert fix in (error.fix or "")


def test_what_pg_dump_writes_for_psql_alone_is_passed_over(make: Make, tmp_path: Path) -> None:
    base = (
        "\\restrict x7Yz\n\nSET transaction_timeout = 0;\nSET statement_timeout = 0;\n"
        + BASE
        + "\\unrestrict x7Yz\n"
    )
    make(source(tmp_path, base=base, objects={"a.sql": function()}))


def test_no_server_and_no_directory_is_left_of_a_build(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    with scratch.server(lambda _: None) as attached:
        pid = attached.pid
        assert list(home.glob("sitevault-trial-*"))
    assert not list(home.glob("sitevault-trial-*"))
    assert not postmaster.is_alive(pid)


def test_what_a_killed_build_left_is_stopped_and_removed_by_a_later_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    left, alive = home / "sitevault-trial-left", home / "sitevault-trial-alive"
    code = (
        "import os, pathlib, sys; from sitevault.db import embedded; home = pathlib.Path(sys.argv[1]);"
        "home.mkdir(mode=0o711); print(embedded.attach(home, durable=False).pid, flush=True); os._exit(9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(left)], capture_output=True, text=True, check=False)
    pid = int(killed.stdout)
    assert postmaster.is_alive(pid), "the server outlives whoever started it"
    alive.mkdir(mode=0o711)
    with embedded.attach(alive, durable=False), monkeypatch.context() as patch:
        patch.setattr(scratch, "_ABANDONED_SECONDS", -1)
        with scratch.server(lambda _: None):
            assert not postmaster.is_alive(pid)
            assert not left.exists()
            assert alive.exists(), "somebody works there"
