"""How an environment stands: what a crash left is said exactly, and so is what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from attesting import World, bundle, deployed, plan, world
from sitevault.db.connect import Database
from sitevault.db.embedded import EmbeddedServer
from sitevault.observe.kpis import Verdict
from sitevault.release import approve, history, lock, promote, record
from sitevault.release.history import Standing
from sitevault.release.outlook import Health
from sitevault.release.target import Target, opened


@pytest.fixture
def here(
    new_database: Callable[[str], Database],
    template: Database,
    server: EmbeddedServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    mock, production = (new_database(template.where["dbname"]) for _ in range(2))
    return world(tmp_path, server.home, monkeypatch, mock=mock, production=production)


@pytest.fixture
def target(here: World) -> Iterator[Target]:
    with here.targets("mock", "production") as found:
        yield found[0]


def stands(here: World, target: Target) -> Standing:
    return history.standing(target, here.environments)


def pause(target: Target, release_id: str | None) -> None:
    with record.brief(target.ground):
        record.pause(target.ground, True, release_id, "deploying fix 1")


def end(target: Target, release: record.Released, state: str, note: str = "note") -> None:
    with record.brief(target.ground):
        record.end_release(target.ground, release.release_id, state, note)


def test_a_database_nothing_was_released_to_is_healthy_and_waits_for_a_plan(here: World, target: Target) -> None:
    found = stands(here, target)
    assert (found.health, found.current, found.findings) == (Health.HEALTHY, None, ())
    assert found.command == "sitevault release plan BUNDLE --env mock"


def test_a_database_that_was_never_enrolled_is_a_finding(here: World) -> None:
    with opened(here.config, here.environments, "mock") as bare:
        found = stands(here, bare)
    assert found.health is Health.FINDINGS
    assert found.command == "sitevault release enroll --env mock"


def test_a_release_under_observation_is_not_known_to_be_good(here: World, target: Target) -> None:
    release = deployed(target, bundle())
    assert "nobody judged it yet" in stands(here, target).findings[0].says
    with record.brief(target.ground):
        record.add_observation(target.ground, release.release_id, "INCONCLUSIVE", "[]")
    found = stands(here, target)
    assert found.health is Health.UNKNOWN
    assert "so far INCONCLUSIVE" in found.findings[0].says
    assert found.command == "sitevault release observe --env mock"


def test_a_release_that_passed_is_healthy_and_goes_on_to_the_next_environment(here: World, target: Target) -> None:
    end(target, deployed(target, bundle()), "PASSED")
    found = stands(here, target)
    assert found.health is Health.HEALTHY
    assert found.command == "sitevault release promote --env production"


def test_a_release_that_failed_and_is_held_is_a_finding(here: World, target: Target) -> None:
    end(target, deployed(target, bundle()), "HELD", "success_rate 0.91")
    found = stands(here, target)
    assert found.health is Health.FINDINGS
    assert "fix 1 failed and is held in force (success_rate 0.91)" in found.findings[0].says
    assert found.command == "sitevault release undo --env mock"


def test_an_observer_that_died_before_the_undo_is_a_finding(here: World, target: Target) -> None:
    release = deployed(target, bundle())
    with record.brief(target.ground):
        record.add_observation(target.ground, release.release_id, "FAIL", "[]")
    found = stands(here, target)
    assert found.health is Health.FINDINGS
    assert "was judged FAIL" in found.findings[0].says
    assert found.command == "sitevault release undo --env mock"


def test_what_was_taken_back_is_told_and_the_environment_is_as_before(here: World, target: Target) -> None:
    end(target, deployed(target, bundle("1")), "PASSED")
    end(target, deployed(target, bundle("2")), "UNDONE", "FAIL: errors")
    found = stands(here, target)
    assert found.health is Health.HEALTHY
    assert (found.current.version if found.current else None) == "1"
    assert (found.undone.note if found.undone else None) == "FAIL: errors"


def test_a_deployer_that_died_before_anything_was_changed(here: World, target: Target) -> None:
    pause(target, plan(target, bundle()).digest)
    found = stands(here, target)
    assert found.health is Health.FINDINGS
    assert "did not happen; nothing was changed. Run that deploy again" in found.findings[0].says
    assert found.command == "sitevault release resume --env mock"


def test_a_deployer_that_died_after_everything_was_changed(here: World, target: Target) -> None:
    release = deployed(target, bundle())
    with record.brief(target.ground):
        record.note(target.ground, release.release_id, "canary", "1 of 1 events")
    pause(target, release.release_id)
    found = stands(here, target)
    assert found.health is Health.FINDINGS
    assert "happened, whole, and ended before the workers went on" in found.findings[0].says
    assert "The journal's last line: canary: 1 of 1 events" in found.findings[0].says
    assert found.command == "sitevault release deploy BUNDLE PLAN --env mock"


def test_an_undo_that_died_before_the_workers_went_on(here: World, target: Target) -> None:
    release = deployed(target, bundle())
    end(target, release, "UNDONE")
    pause(target, release.release_id)
    found = stands(here, target)
    assert "was taken back; the workers were to go on" in found.findings[0].says
    assert found.command == "sitevault release resume --env mock"


def test_a_persons_pause_is_a_finding(here: World, target: Target) -> None:
    pause(target, None)
    found = stands(here, target)
    assert found.health is Health.FINDINGS
    assert "a person's pause" in found.findings[0].says


def test_a_pause_that_was_lifted_is_none(here: World, target: Target) -> None:
    pause(target, None)
    with record.brief(target.ground):
        record.pause(target.ground, False, None, "on")
    assert stands(here, target).pause is None


def test_while_a_release_is_at_work_its_pause_is_no_crash(here: World, target: Target) -> None:
    pause(target, plan(target, bundle()).digest)
    with lock.locked(target, "deploying fix 1"):
        found = stands(here, target)
    assert found.health is Health.UNKNOWN
    assert "A release is under way: sitevault-release deploying fix 1" in found.findings[0].says
    assert len(found.findings) == 1


def test_an_approved_plan_waits_to_be_deployed(here: World, target: Target) -> None:
    approve.approve(target, plan(target, bundle()), here.environments, "ada", here.key("ada"))
    found = stands(here, target)
    assert [one.signer for one in found.statements] == ["ada"]
    assert found.command == "sitevault release deploy BUNDLE PLAN --env mock"


def test_a_plan_with_too_few_approvals_waits_for_more(here: World, target: Target) -> None:
    strict = here.having("mock", approvals=2)
    approve.approve(target, plan(target, bundle()), strict.environments, "ada", here.key("ada"))
    assert stands(strict, target).command == "sitevault release approve PLAN --env mock --as PERSON --key FILE"


def test_what_passed_before_and_was_fetched_waits_to_be_planned(here: World) -> None:
    with here.targets("mock", "production") as (mock, production):
        release = deployed(mock, bundle())
        promote.attest_verdict(mock, release, [], Verdict.PASS, "desk", here.key("desk"), here.environments)
        end(mock, release, "PASSED")
        promote.fetch(mock, production, bundle().digest, here.environments)
        assert stands(here, production).command == "sitevault release plan BUNDLE --env production"


def test_an_attestation_that_is_not_genuine_is_shown_and_believed_by_nobody(here: World, target: Target) -> None:
    approve.approve(target, plan(target, bundle()), here.environments, "ada", here.key("ada"))
    (row,) = record.attestations(target.ground)
    with record.brief(target.ground):
        record.add_attestation(target.ground, row._replace(attestation_id="f" * 64, envelope="{}"))
    found = stands(here, target)
    assert (len(found.statements), len(found.not_genuine)) == (1, 1)


def everywhere(here: World) -> tuple[list[Standing], list[str]]:
    def open_one(name: str) -> AbstractContextManager[Target]:
        return opened(here.config, here.environments, name)

    found = history.everywhere(here.environments, open_one)
    return found, [one.says for one in history.ahead(found, here.environments)]


def test_who_is_ahead_of_whom_is_said(here: World) -> None:
    with here.targets("mock", "production") as (mock, production):
        assert everywhere(here)[1] == []
        end(mock, deployed(mock, bundle("1")), "PASSED")
        end(production, deployed(production, bundle("1")), "PASSED")
        assert everywhere(here)[1] == []
        deployed(mock, bundle("2"))
        (says,) = everywhere(here)[1]
    assert says.startswith("mock is ahead of production: fix 2 (")


def test_what_the_environment_before_never_had_is_a_finding(here: World) -> None:
    with here.targets("mock", "production") as (_, production):
        deployed(production, bundle("by hand"))
        (says,) = everywhere(here)[1]
    assert says.endswith("which mock never had.")


def test_an_environment_that_cannot_be_reached_is_unknown_and_the_others_are_shown(
    here: World, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("URL_OF_PRODUCTION")
    found, _ = everywhere(here)
    assert [one.health for one in found] == [Health.HEALTHY, Health.UNKNOWN]
    assert "URL_OF_PRODUCTION is not set" in found[1].findings[0].says


def test_a_foreign_database_has_a_history_of_its_own(
    incident_database: Database, server: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = world(tmp_path, server.home, monkeypatch, shop_guide=incident_database)
    with opened(there.config, there.environments, "shop_guide") as bare:
        assert stands(there, bare).health is Health.FINDINGS
    with there.targets("shop_guide") as (target,):
        end(target, deployed(target, bundle()), "PASSED")
        found = stands(there, target)
    assert (found.shape, found.health, found.command) == ("guide", Health.HEALTHY, None)
