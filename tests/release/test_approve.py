"""Approvals: enough people, for exactly this plan, for exactly this database, and not the author."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import structs

from attesting import World, bundle, plan, world
from sitevault.db.connect import Database
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.roles import Role
from sitevault.errors import ConfigurationError
from sitevault.release import approve, attest, record
from sitevault.release.model import ReleaseBlockedError
from sitevault.release.target import Target

BUNDLE = bundle()


@pytest.fixture
def here(database: Database, server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return world(tmp_path, server.home, monkeypatch, production=database).having("production", approvals=2)


@pytest.fixture
def target(here: World) -> Iterator[Target]:
    with here.targets("production") as (found,):
        yield found


def approved(here: World, target: Target, *people: str) -> None:
    for person in people:
        approve.approve(target, plan(target, BUNDLE), here.environments, person, here.key(person))


def counted(here: World, target: Target) -> list[str]:
    return [one.approver for one in approve.require(target, plan(target, BUNDLE), BUNDLE, here.environments)]


def test_enough_people_are_enough(here: World, target: Target) -> None:
    approved(here, target, "ada", "bob")
    assert counted(here, target) == ["ada", "bob"]


def test_too_few_people_block_with_how_many_are_missing_and_the_command(here: World, target: Target) -> None:
    approved(here, target, "ada")
    with pytest.raises(ReleaseBlockedError, match=r"demands 2 .* 1 missing; approved by ada\.") as blocked:
        counted(here, target)
    assert blocked.value.command == "sitevault release approve PLAN --env production --as PERSON --key FILE"
    assert blocked.value.fix == "These may approve it: ada, bob, desk."
    assert blocked.value.exit_code == 6


def test_an_environment_that_demands_nobody_takes_a_plan_that_nobody_approved(here: World) -> None:
    relaxed = here.having("production", approvals=0)
    with relaxed.targets("production") as (target,):
        assert counted(relaxed, target) == []


def test_one_person_approving_twice_is_one_person_and_one_attestation(here: World, target: Target) -> None:
    approved(here, target, "ada", "ada")
    assert len(record.attestations(target.ground, BUNDLE.digest)) == 1
    with pytest.raises(ReleaseBlockedError, match="1 missing"):
        counted(here, target)


def test_the_author_may_not_approve_where_four_eyes_are_demanded(here: World, target: Target) -> None:
    with pytest.raises(ReleaseBlockedError, match="eve may not approve this plan: the bundle's author"):
        approved(here, target, "eve")


def test_the_authors_approval_on_record_does_not_count_once_four_eyes_are_demanded(here: World) -> None:
    relaxed = here.having("production", four_eyes=False)
    with relaxed.targets("production") as (target,):
        approved(relaxed, target, "ada", "eve")
        assert counted(relaxed, target) == ["ada", "eve"]
    with (
        here.targets("production") as (target,),
        pytest.raises(ReleaseBlockedError, match="eve: the bundle's author"),
    ):
        counted(here, target)


@pytest.mark.parametrize("author", ["eve", "Eve", "eve@laptop", "Eve Adams <eve@example.com>"])
def test_an_author_is_known_by_any_of_the_names_a_bundle_gives(author: str) -> None:
    assert approve.is_author(author, "eve")
    assert not approve.is_author(author, "ev")


def test_only_approvers_approve(here: World) -> None:
    strict = here.having("production", approvers=["bob"], approvals=1)
    with strict.targets("production") as (target,):
        with pytest.raises(ReleaseBlockedError, match="not among the approvers") as blocked:
            approved(strict, target, "ada")
        assert blocked.value.fix == "These may approve it: bob."
        approved(strict, target, "bob")
        assert counted(strict, target) == ["bob"]


def test_an_approval_of_somebody_who_may_no_longer_approve_does_not_count(here: World, target: Target) -> None:
    approved(here, target, "ada", "bob")
    strict = here.having("production", approvers=["bob", "desk"])
    with strict.targets("production") as (other,), pytest.raises(ReleaseBlockedError, match="ada: not among"):
        counted(strict, other)


def test_too_few_people_to_ever_approve_it_is_said(here: World) -> None:
    strict = here.having("production", approvers=["bob"])
    with strict.targets("production") as (target,):
        approved(strict, target, "bob")
        with pytest.raises(ReleaseBlockedError) as blocked:
            counted(strict, target)
    assert (blocked.value.fix or "").startswith("Only 1 of [people] may approve it (bob)")


def test_approvals_of_another_plan_for_the_same_bundle_do_not_count(here: World, target: Target) -> None:
    approved(here, target, "ada", "bob")
    other = plan(target, BUNDLE, hazards=("long_lock",), accepted=("long_lock",))
    with pytest.raises(ReleaseBlockedError, match=r"2 missing.*2 of this bundle, but of another plan"):
        approve.require(target, other, BUNDLE, here.environments)


def test_approvals_die_with_the_identity_they_were_given_for(here: World, target: Target) -> None:
    approved(here, target, "ada", "bob")
    record.enroll(target)
    with pytest.raises(ReleaseBlockedError, match="2 missing"):
        counted(here, target)


def test_a_plan_for_another_database_is_neither_approved_nor_counted(here: World, target: Target) -> None:
    stale = plan(target, BUNDLE)
    record.enroll(target)
    for step in (
        lambda: approve.approve(target, stale, here.environments, "ada", here.key("ada")),
        lambda: approve.require(target, stale, BUNDLE, here.environments),
    ):
        with pytest.raises(ReleaseBlockedError, match="made for another database"):
            step()


def test_a_plan_for_another_bundle_is_refused(here: World, target: Target) -> None:
    with pytest.raises(ReleaseBlockedError, match="for another bundle"):
        approve.require(target, plan(target, BUNDLE), bundle("2"), here.environments)


def test_an_edited_plan_is_not_approved(here: World, target: Target) -> None:
    edited = structs.replace(plan(target, BUNDLE), author="nobody")
    with pytest.raises(ReleaseBlockedError, match="changed after it was made"):
        approve.approve(target, edited, here.environments, "eve", here.key("eve"))


def test_hazards_that_nobody_accepted_are_not_approved(here: World, target: Target) -> None:
    with pytest.raises(ReleaseBlockedError, match="long_lock") as blocked:
        approve.approve(
            target, plan(target, BUNDLE, hazards=("long_lock",)), here.environments, "ada", here.key("ada")
        )
    assert blocked.value.command == "sitevault release plan --env production --accept long_lock"


def test_accepted_hazards_are_part_of_what_is_signed(here: World, target: Target) -> None:
    made = plan(target, BUNDLE, hazards=("long_lock",), accepted=("long_lock",))
    approve.approve(target, made, here.environments, "ada", here.key("ada"))
    (one,) = approve.approvals(target, made, here.environments)
    assert one.hazards == ("long_lock",)


def test_who_is_not_among_the_people_cannot_approve(here: World, target: Target) -> None:
    with pytest.raises(ConfigurationError, match="does not name 'mallory'"):
        approve.approve(target, plan(target, BUNDLE), here.environments, "mallory", here.key("ada"))


def test_nobody_approves_with_anothers_key(here: World, target: Target) -> None:
    with pytest.raises(ConfigurationError, match="is not ada's key"):
        approve.approve(target, plan(target, BUNDLE), here.environments, "ada", here.key("bob"))


def test_a_forged_row_in_the_record_does_not_count_and_is_said(here: World, target: Target) -> None:
    approved(here, target, "ada")
    ((genuine,),) = [record.attestations(target.ground, BUNDLE.digest)]
    envelope = genuine.envelope.replace('"sig":"', '"sig":"A')
    with target.ground.transaction():
        record.add_attestation(
            target.ground, genuine._replace(attestation_id="f" * 64, signer="bob", envelope=envelope)
        )
    with pytest.raises(ReleaseBlockedError, match=r"1 missing; approved by ada; not counted: "):
        counted(here, target)


def test_an_approval_for_another_environment_put_on_record_here_does_not_count(
    here: World, target: Target
) -> None:
    made = plan(target, BUNDLE)
    approved(here, target, "ada")
    (one,) = approve.approvals(target, made, here.environments)
    other = structs.replace(one, approver="bob", environment="testing")
    with record.brief(target.ground):
        attest.keep(target, attest.signed(attest.about("fix", "1", BUNDLE.digest), other, here.key("bob")))
    with pytest.raises(ReleaseBlockedError, match="1 missing"):
        counted(here, target)


def test_an_approval_is_in_the_journal_and_in_the_audit_log(
    here: World, target: Target, database: Database
) -> None:
    approved(here, target, "ada")
    made = plan(target, BUNDLE)
    assert [(one.step, one.message) for one in record.journal(target.ground, made.digest)] == [
        ("approve", "ada approved the plan.")
    ]
    with database.connect(Role.AUDITOR) as auditor:
        row = auditor.execute("SELECT record FROM audit.entry WHERE action = 'release.approve'").fetchone()
    assert row is not None
    assert json.loads(row[0])["details"] == {
        "environment": "production", "plan": made.digest, "bundle": BUNDLE.digest, "by": "ada",
    }  # fmt: skip


def test_a_foreign_database_keeps_its_approvals_itself(
    incident_database: Database, server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = world(tmp_path, server.home, monkeypatch, shop_guide=incident_database).having(
        "shop_guide", approvals=1
    )
    with there.targets("shop_guide") as (target,):
        approved(there, target, "ada")
        assert (target.shape, counted(there, target)) == ("guide", ["ada"])


def test_two_people_approving_at_once_are_both_counted(
    here: World, target: Target, new_database: Callable[[str], Database]
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    made = plan(target, BUNDLE)

    def one(person: str) -> None:
        with here.targets("production") as (own,):
            approve.approve(own, made, here.environments, person, here.key(person))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, ("ada", "bob")))
    assert sorted(counted(here, target)) == ["ada", "bob"]
