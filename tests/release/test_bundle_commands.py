"""`sitevault release init`, `build` and `show`, as whoever writes a release meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sitevault.cli.main import run
from sitevault.db.connect import Database, connect
from sitevault.release import model, skeleton
from sitevault.release.model import DatabaseIdentity, Hazard, PlannedChange, ReleasePlan, seal
from sources import CLAIMS, function, incident_fix, source

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        code = run(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_the_incident_from_its_database_to_a_bundle(
    incident_database: Database, call: Call, tmp_path: Path
) -> None:
    url = incident_database.admin_conninfo
    with connect(url) as admin:
        admin.execute("CREATE SCHEMA sitevault_release; CREATE TABLE sitevault_release.environment (a int)")
    code, said, _ = call("release", "init", "fix", "--database", url)
    assert code == 0
    assert "sitevault release build fix" in said
    base = Path("fix/base.sql").read_text("utf-8")
    assert "CREATE FUNCTION staging.process_site_event" in base
    for left_out in ("sitevault_release", "OWNER TO", "restrict", "Dumped", "page_view", "transaction_timeout"):
        assert left_out not in base

    written = incident_fix(tmp_path / "written")
    (written / "objects").rename("fix/objects.new")
    Path("fix/objects").rmdir()
    Path("fix/objects.new").rename("fix/objects")
    Path("fix/release.toml").write_text((written / "release.toml").read_text())
    code, said, progress = call("release", "build", "fix", "--author", "grace", "--out", "fix.json", "--json")
    assert code == 0, progress
    answer = json.loads(said)
    made = model.read_bundle(Path("fix.json"))
    assert (made.author, made.digest, len(made.claims)) == ("grace", answer["digest"], len(CLAIMS))
    assert len(answer["changes"]) == 5
    assert "Applying 4 files" in progress
    assert "Applying" not in said, "standard output holds the answer alone"


def test_a_base_is_the_schema_to_the_byte_and_the_same_when_it_is_taken_again(
    new_database: Callable[[str], Database], tmp_path: Path
) -> None:
    url = new_database("template0").admin_conninfo
    odd = "BEGIN\r\n\n\n\n-- Dumped by hand\nSET transaction_timeout = 0;\nRETURN 1; END"
    with connect(url) as admin:
        admin.execute(f"CREATE FUNCTION public.odd() RETURNS int LANGUAGE plpgsql AS $odd${odd}$odd$")  # type: ignore[call-overload]
    text = skeleton.lay_base(tmp_path, url).read_bytes()
    assert odd.encode() in text
    assert skeleton.lay_base(tmp_path, url).read_bytes() == text


def test_a_fresh_directory_says_what_to_do_and_is_complete_but_for_its_sql(call: Call) -> None:
    code, said, _ = call("release", "init", "Fix it!")
    assert code == 0
    assert "pg_dump --schema-only" in said
    source(Path("Fix it!"), manifest=Path("Fix it!/release.toml").read_text(), objects={"a.sql": function()})
    code, said, progress = call("release", "build", "Fix it!", "--author", "ada")
    assert code == 0, progress
    assert "Written to fix-it-0.1.0.json" in said
    code, _, refused = call("release", "init", "Fix it!")
    assert (code, "is there already" in refused) == (2, True)


def test_a_houses_directory_has_no_base(call: Call) -> None:
    assert call("release", "init", "paths", "--shape", "house")[0] == 0
    assert sorted(path.name for path in Path("paths").iterdir()) == [
        "mapping", "migrations", "objects", "release.toml", "schemas",
    ]  # fmt: skip
    assert 'shape = "house"' in Path("paths/release.toml").read_text()
    code, _, said = call("release", "init", "other", "--shape", "house", "--database", "postgresql://db.example/x")
    assert (code, "has no base" in said) == (2, True)


def test_an_environment_says_which_database_and_which_shape(
    incident_database: Database, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("sitevault.toml").write_text(
        '[environments.testing]\nurl_from = "TESTING_URL"\n[environments.mock]\nhome = "mock"\n'
    )
    monkeypatch.setenv("TESTING_URL", incident_database.admin_conninfo)
    assert call("release", "init", "one", "--env", "testing")[0] == 0
    assert Path("one/base.sql").exists()
    assert call("release", "init", "two", "--env", "mock")[0] == 0
    assert 'shape = "house"' in Path("two/release.toml").read_text()
    code, _, said = call("release", "init", "three", "--env", "nowhere")
    assert (code, "no environment 'nowhere'" in said) == (2, True)
    assert not Path("three").exists()


def test_what_refuses_a_bundle_is_exit_1_and_writes_nothing(call: Call) -> None:
    source(Path("fix"), objects={"a.sql": "BEGIN;\n" + function() + "COMMIT;"})
    code, said, _ = call("release", "build", "fix", "--json")
    error = json.loads(said)
    assert (code, error["code"], error["success"]) == (1, "BundleError", False)
    assert "transaction_control  a.sql:1: BEGIN" in error["message"]
    assert "transaction_control  a.sql:4: COMMIT" in error["message"]
    assert not list(Path().glob("*.json"))


def test_an_edited_bundle_is_refused_with_exit_6(call: Call) -> None:
    source(Path("fix"), objects={"a.sql": function()})
    assert call("release", "build", "fix", "--out", "b.json")[0] == 0
    assert call("release", "show", "b.json")[0] == 0
    text = Path("b.json").read_text()
    Path("b.json").write_text(text.replace("name <> ''", "name <> 'x'"))
    code, _, said = call("release", "show", "b.json")
    assert code == 6
    assert "was changed after it was made" in said
    assert "sitevault release build" in said
    Path("b.json").write_text(text.replace('"ada"', '"eve"'))
    assert call("release", "show", "b.json")[0] == 6
    Path("b.json").write_text(text[:-40])
    assert call("release", "show", "b.json")[0] == 2
    assert call("release", "show", "none.json")[0] == 2


def test_a_bundle_is_shown_with_all_that_is_in_it(call: Call) -> None:
    more = (
        '[parameters]\nmost = "9"\n[[claims]]\nfixes = "F2"\nobjects = ["function app.name_of(bigint)"]\n'
        '[[allow]]\nlint = "dropped_and_created"\nwhere = "function app.name_of(p_id bigint)"\nbecause = "meant"\n'
    )
    source(
        Path("fix"),
        more=more,
        migrations={
            "0001_again.sql": "DROP FUNCTION app.name_of(bigint);",
            "0001_again.revert.sql": "SELECT 1",
            "0001_again.verify.sql": "SELECT true",
        },
        objects={"a.sql": function("SELECT :{most}::text")},
    )
    assert call("release", "build", "fix", "--out", "b.json")[0] == 0
    code, said, _ = call("release", "show", "b.json")
    assert code == 0
    for shown in (
        "fix 1.0.0, by ada",
        "parameters  most",
        "0001_again.sql",
        "with revert and verify",
        "F2: function app.name_of(p_id bigint)",
        "dropped_and_created in function app.name_of(p_id bigint): meant",
    ):
        assert shown in said
    data = json.loads(call("release", "show", "b.json", "--json")[1])
    assert (data["kind"], data["bundle"]["digest"] in said) == ("bundle", True)


def test_a_plan_is_shown_with_its_hazards(call: Call) -> None:
    plan = seal(
        ReleasePlan(
            format=1, made_at="2026-11-27T12:00:00+00:00", identity=DatabaseIdentity("mock", "1", "2", "db", 3),
            shape="guide", server_version=150004, bundle_digest="b" * 64, bundle_name="fix",
            bundle_version="1.0.0", author="ada", migrations=("0001_a.sql",), objects=("a.sql",), settings=(),
            parameters={"most": "9"},
            changes=(PlannedChange("function", "app.f()", None, "d"),),
            hazards=(Hazard("data_loss", "a column goes"),), accepted=("data_loss",),
        )
    )  # fmt: skip
    model.write(plan, Path("plan.json"))
    code, said, _ = call("release", "show", "plan.json")
    assert code == 0
    for shown in ("fix 1.0.0 for mock", "add function app.f()", "data_loss: a column goes (accepted)", "most = 9"):
        assert shown in said
    assert json.loads(call("release", "show", "plan.json", "--json")[1])["kind"] == "plan"
    Path("plan.json").write_text(Path("plan.json").read_text().replace("data_loss", "none"))
    assert call("release", "show", "plan.json")[0] == 6


def test_sitevaults_own_bundle_is_built_by_name(call: Call) -> None:
    code, said, progress = call("release", "build", "--own", "--author", "ada", "--json")
    assert code == 0, progress
    assert json.loads(said)["file"].startswith("sitevault-")
    code, _, said = call("release", "build", ".", "--own")
    assert (code, "not a directory's" in said) == (2, True)
