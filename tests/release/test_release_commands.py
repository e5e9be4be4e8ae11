"""The commands of approval, promotion, status and history, as people and programs meet them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from attesting import PEOPLE, World, bundle, deployed, plan, world
from sitevault.cli.main import run
from sitevault.db.connect import Database
from sitevault.db.embedded import EmbeddedServer
from sitevault.observe.kpis import Verdict
from sitevault.release import model, promote, record


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


Call = Callable[..., Said]


@pytest.fixture
def here(
    new_database: Callable[[str], Database],
    template: Database,
    server: EmbeddedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    mock, production = (new_database(template.where["dbname"]) for _ in range(2))
    made = world(tmp_path, server.home, monkeypatch, mock=mock, production=production)
    lines = ["[people]", *(f'{name} = "{name}.key.pub"' for name in PEOPLE)]
    for name, values in made.config.environments.items():
        lines += [f"[environments.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
        lines += ["approvals = 2"] if name == "production" else []
    (tmp_path / "sitevault.toml").write_text("\n".join(lines), "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SITEVAULT_CONFIG", raising=False)
    with made.targets("mock", "production") as (_, target):
        model.write(plan(target, bundle()), tmp_path / "plan.json")
    return made


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str) -> Said:
        capsys.readouterr()
        code = run(["release", *words])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


def passed_in_mock(here: World) -> None:
    with here.targets("mock") as (mock,):
        release = deployed(mock, bundle())
        promote.attest_verdict(mock, release, [], Verdict.PASS, "desk", here.key("desk"), here.environments)
        with record.brief(mock.ground):
            record.end_release(mock.ground, release.release_id, "PASSED", "")


APPROVE = ("approve", "plan.json", "--env", "production")


def test_two_people_approve_and_each_is_told_how_many_are_missing(here: World, call: Call) -> None:
    first = call(*APPROVE, "--as", "ada", "--key", "ada.key", "--yes", "--json")
    assert (first.code, first.data["missing"], first.data["approver"]) == (0, 1, "ada")
    second = call(*APPROVE, "--as", "bob", "--key", "bob.key", "--yes")
    assert "That is enough:\n  sitevault release deploy BUNDLE plan.json --env production" in second.out


def test_nobody_approves_without_a_yes(here: World, call: Call) -> None:
    asked = call(*APPROVE, "--as", "ada", "--key", "ada.key")
    assert asked.code == 2
    assert "Does ada approve this plan for production" in asked.err
    assert "fix 1 for production, by eve" in asked.err
    assert call("attest", "list", "--env", "production", "--json").data["attestations"] == []


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--as", "eve", "--key", "eve.key"), 6, "the bundle's author"),
        (("--as", "ada", "--key", "bob.key"), 2, "is not ada's key"),
        (("--as", "mallory", "--key", "ada.key"), 2, "does not name 'mallory'"),
        (("--as", "ada", "--key", "nowhere.key"), 2, "holds no private key"),
    ],
)
def test_who_may_not_approve_is_told_why(
    here: World, call: Call, words: tuple[str, ...], code: int, says: str
) -> None:
    refused = call(*APPROVE, *words, "--yes")
    assert (refused.code, says in refused.err) == (code, True)


def test_an_edited_plan_is_not_approved(here: World, call: Call, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(file.read_text("utf-8").replace('"eve"', '"nobody"'), "utf-8")
    refused = call(*APPROVE, "--as", "eve", "--key", "eve.key", "--yes")
    assert (refused.code, "was changed after it was made" in refused.err) == (6, True)


def test_what_passed_is_promoted_with_the_bundle_as_it_passed(here: World, call: Call, tmp_path: Path) -> None:
    passed_in_mock(here)
    said = call("promote", "--env", "production", "--out", "fix.json", "--json")
    assert said.code == 0
    assert (said.data["bundle"], said.data["from"], said.data["judge"], said.data["new"]) == (
        bundle().digest, "mock", "desk", 1,
    )  # fmt: skip
    assert model.read_bundle(tmp_path / "fix.json") == bundle()
    again = call("promote", "--env", "production", "--bundle", bundle().digest[:8])
    assert "sitevault release plan BUNDLE --env production" in again.out


def test_what_did_not_pass_is_not_promoted(here: World, call: Call, tmp_path: Path) -> None:
    assert call("promote", "--env", "production").code == 2
    with here.targets("mock") as (mock,):
        deployed(mock, bundle())
    refused = call("promote", "--env", "production")
    assert (refused.code, "nothing on record says" in refused.err) == (6, True)
    model.write(bundle("by hand"), tmp_path / "other.json")
    assert call("promote", "--env", "production", "--bundle", "other.json").code == 6
    assert call("promote", "--env", "production", "--bundle", "ffff").code == 2


def test_a_bundle_edited_in_the_record_is_not_promoted(here: World, call: Call) -> None:
    passed_in_mock(here)
    with here.targets("mock") as (mock,), record.brief(mock.ground):
        mock.ground.conn.execute("UPDATE ops.release SET bundle = replace(bundle, '\"eve\"', '\"bob\"')")
    refused = call("promote", "--env", "production", "--out", "fix.json")
    assert (refused.code, "the record was edited" in refused.err) == (6, True)


def test_the_first_environment_needs_no_promotion(here: World, call: Call) -> None:
    said = call("promote", "--env", "mock")
    assert (said.code, "the first environment" in said.out) == (0, True)


def test_attestations_go_by_file_from_one_environment_to_another(here: World, call: Call) -> None:
    passed_in_mock(here)
    assert call("attest", "export", "--env", "mock", "--out", "a.jsonl").code == 0
    assert (
        call("attest", "export", "--env", "mock", "--bundle", bundle().digest[:8]).out
        == Path("a.jsonl").read_text()
    )
    verified = call("attest", "verify", "a.jsonl", "--json").data["attestations"]
    assert [(one["kind"], one["signer"], one["environment"]) for one in verified] == [("PASSED", "desk", "mock")]
    brought = call("attest", "import", "a.jsonl", "--env", "production")
    assert (brought.code, "1 are new in production." in brought.out) == (0, True)
    listed = call("attest", "list", "--env", "production", "--json")
    assert (listed.code, listed.data["attestations"]) == (0, verified)


def test_a_file_with_a_forged_line_is_refused_by_its_number(here: World, call: Call, tmp_path: Path) -> None:
    passed_in_mock(here)
    call("attest", "export", "--env", "mock", "--out", "a.jsonl")
    file = tmp_path / "a.jsonl"
    text = file.read_text("utf-8")
    file.write_text(text + text.replace('"sig":"', '"sig":"A'), "utf-8")
    for words in (("verify", "a.jsonl"), ("import", "a.jsonl", "--env", "production")):
        refused = call("attest", *words, "--json")
        assert (refused.code, refused.data["code"]) == (1, "AttestationError")
        assert refused.data["message"].startswith("Line 2: ")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", None], ids=["no text", "empty", "missing"])
def test_a_file_that_is_none_is_said_plainly(
    here: World, call: Call, tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "a.jsonl").write_bytes(content)
    assert call("attest", "verify", "a.jsonl").code == (0 if content == b"" else 2)


def test_an_attestation_on_record_that_is_not_genuine_is_a_finding_of_the_list(here: World, call: Call) -> None:
    call(*APPROVE, "--as", "ada", "--key", "ada.key", "--yes")
    with here.targets("production") as (target,):
        (row,) = record.attestations(target.ground)
        with record.brief(target.ground):
            record.add_attestation(target.ground, row._replace(attestation_id="f" * 64, envelope="{}"))
    listed = call("attest", "list", "--env", "production")
    assert (listed.code, "not genuine: " in listed.out) == (1, True)


def test_status_shows_every_environment_and_one_in_full(here: World, call: Call) -> None:
    passed_in_mock(here)
    call(*APPROVE, "--as", "ada", "--key", "ada.key", "--yes")
    every = call("status")
    assert every.code == 0
    assert [line.split()[:2] for line in every.out.splitlines()[1:3]] == [
        ["mock", "healthy"], ["production", "healthy"],
    ]  # fmt: skip
    assert "mock is ahead of production: fix 1" in every.out
    one = call("status", "--env", "production")
    assert "nothing was released" in one.out
    assert "APPROVED, says ada" in one.out
    assert one.out.endswith("  sitevault release approve PLAN --env production --as PERSON --key FILE\n")


def test_status_of_a_dead_deploy_is_1_and_of_a_release_under_observation_3(here: World, call: Call) -> None:
    with here.targets("mock") as (mock,):
        release = deployed(mock, bundle())
        assert call("status", "--env", "mock").code == 3
        assert call("status").code == 3
        with record.brief(mock.ground):
            record.pause(mock.ground, True, release.release_id, "deploying fix 1")
    said = call("status", "--env", "mock", "--json")
    assert (said.code, said.data["health"], said.data["success"]) == (1, "findings", False)
    assert said.data["pause"]["release_id"] == release.release_id
    every = call("status", "--json")
    assert (every.code, every.data["environments"][0]["next"]) == (1, said.data["next"])


def test_history_lists_releases_and_the_journal_of_one(here: World, call: Call) -> None:
    passed_in_mock(here)
    call(*APPROVE, "--as", "ada", "--key", "ada.key", "--yes")
    found = call("history", "--env", "mock", "--json").data
    assert [(one["name"], one["state"]) for one in found["releases"]] == [("fix", "PASSED")]
    assert found["journal"] == []
    release_id = found["releases"][0]["release_id"]
    one = call("history", "--env", "mock", "--release", release_id[:8])
    assert "desk attested that it PASSED." in one.out
    never = call("history", "--env", "production", "--journal")
    assert "ada approved the plan." in never.out
    assert call("history", "--env", "mock", "--release", "ffff").code == 2
