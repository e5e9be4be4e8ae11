"""Promotion: the next environment takes the very bundle that passed in the one before, and no other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from attesting import World, bundle, deployed, world
from sitevault.db.connect import Database
from sitevault.db.embedded import EmbeddedServer
from sitevault.errors import ConfigurationError
from sitevault.observe.kpis import Verdict
from sitevault.release import attest, promote, record
from sitevault.release.attest import AttestationError, Decision, Statement
from sitevault.release.model import Bundle, ReleaseBlockedError
from sitevault.release.target import Target

BUNDLE = bundle()


class Gate(NamedTuple):
    """What a verdict repeats of a gate."""

    name: str = "success_rate"
    target: str = "≥ 95 %"
    verdict: Verdict = Verdict.PASS
    k: int | None = 300
    n: int = 300


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
def targets(here: World) -> Iterator[list[Target]]:
    with here.targets("mock", "production") as found:
        yield found


def judged(
    here: World, target: Target, verdict: str = "PASSED", judge: str = "desk", of: Bundle = BUNDLE
) -> Statement:
    said = Verdict.PASS if verdict == "PASSED" else Verdict.FAIL
    known = next((one for one in record.releases(target.ground) if one.bundle_digest == of.digest), None)
    release = known or deployed(target, of)
    return promote.attest_verdict(target, release, [Gate()], said, judge, here.key(judge), here.environments)


def fetched(here: World, targets: list[Target], of: Bundle = BUNDLE) -> list[Statement]:
    return promote.fetch(*targets, of.digest, here.environments)


def allowed(here: World, target: Target, of: Bundle = BUNDLE) -> Statement | None:
    return promote.require_previous(target, of, here.environments)


def later(monkeypatch: pytest.MonkeyPatch, minute: int) -> None:
    """The clock as it will be."""
    from datetime import UTC, datetime

    monkeypatch.setattr("sitevault.clock.now", lambda: datetime(2030, 1, 1, 12, minute, tzinfo=UTC))


def test_a_verdict_says_what_was_judged_where_when_and_by_whom(here: World, targets: list[Target]) -> None:
    said = judged(here, targets[0])
    (row,) = record.attestations(targets[0].ground, BUNDLE.digest)
    found = attest.verify(row.envelope, here.environments.people)
    assert found == said
    assert isinstance(found.predicate, Decision)
    known = record.require_identity(targets[0])
    assert (found.predicate.environment, found.predicate.fingerprint) == ("mock", known.fingerprint)
    assert found.predicate.since <= found.predicate.until
    assert [(one.name, one.verdict, one.k, one.n) for one in found.predicate.results] == [
        ("success_rate", "PASS", 300, 300)
    ]


def test_nobody_attests_with_anothers_key(here: World, targets: list[Target]) -> None:
    release = deployed(targets[0], BUNDLE)
    with pytest.raises(ConfigurationError, match="not desk's key"):
        promote.attest_verdict(targets[0], release, [], Verdict.PASS, "desk", here.key("ada"), here.environments)


def test_the_first_environment_demands_nothing(here: World, targets: list[Target]) -> None:
    assert allowed(here, targets[0]) is None


def test_what_passed_nowhere_goes_no_further(here: World, targets: list[Target]) -> None:
    with pytest.raises(ReleaseBlockedError, match="only what passed in mock, and nothing on record") as blocked:
        allowed(here, targets[1])
    assert blocked.value.command == "sitevault release promote --env production"
    assert blocked.value.exit_code == 6


def test_what_passed_in_the_environment_before_is_taken(here: World, targets: list[Target]) -> None:
    said = judged(here, targets[0])
    assert fetched(here, targets) == [said]
    assert allowed(here, targets[1]) == said


def test_fetching_twice_brings_nothing_new(here: World, targets: list[Target]) -> None:
    judged(here, targets[0])
    fetched(here, targets)
    assert fetched(here, targets) == []


def test_another_bundle_of_the_same_name_is_refused_by_its_digest(here: World, targets: list[Target]) -> None:
    judged(here, targets[0])
    fetched(here, targets)
    hand_made = bundle(author="somebody else")
    with pytest.raises(ReleaseBlockedError, match=f"another one did: fix 1, {BUNDLE.digest[:12]}"):
        allowed(here, targets[1], hand_made)
    with pytest.raises(ReleaseBlockedError, match="another one did"):
        fetched(here, targets, hand_made)


def test_a_failed_one_is_not_taken(here: World, targets: list[Target]) -> None:
    judged(here, targets[0], "FAILED")
    with pytest.raises(ReleaseBlockedError, match=r"it failed there at .*, says desk"):
        fetched(here, targets)


def test_a_failure_afterwards_takes_back_what_passed(
    here: World, targets: list[Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, 1)
    judged(here, targets[0])
    fetched(here, targets)
    later(monkeypatch, 2)
    failed = judged(here, targets[0], "FAILED", "bob")
    with pytest.raises(ReleaseBlockedError, match="what passed no longer holds"):
        fetched(here, targets)
    with record.brief(targets[1].ground):
        attest.keep(targets[1], failed)
    with pytest.raises(ReleaseBlockedError, match=r"failed there at 2030-01-01T12:02:00\.000Z, says bob"):
        allowed(here, targets[1])


def test_what_passes_once_more_after_a_failure_is_taken_and_the_failure_comes_along(
    here: World, targets: list[Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = []
    for minute, verdict in enumerate(("PASSED", "FAILED", "PASSED")):
        later(monkeypatch, minute)
        judged(here, targets[0], verdict)
    kinds = [one.kind for one in fetched(here, targets)]
    assert kinds == ["PASSED", "FAILED", "PASSED"]
    found = allowed(here, targets[1])
    assert found is not None
    assert found.predicate.at == "2030-01-01T12:02:00.000Z"


def test_only_the_judges_of_an_environment_are_believed(here: World) -> None:
    strict = here.having("production", judges=["ada"])
    with strict.targets("mock", "production") as targets:
        judged(strict, targets[0])
        with pytest.raises(ReleaseBlockedError, match="desk says so, but production believes ada"):
            fetched(strict, targets)
        judged(strict, targets[0], judge="ada")
        fetched(strict, targets)
        found = allowed(strict, targets[1])
    assert found is not None
    assert found.signer == "ada"


def test_what_passed_elsewhere_than_in_the_environment_that_is_needed_is_refused(
    here: World, targets: list[Target]
) -> None:
    judged(here, targets[1])
    with pytest.raises(ReleaseBlockedError, match="takes what passed in mock, not in production"):
        promote.fetch(targets[1], targets[1], BUNDLE.digest, here.environments)
    with pytest.raises(ReleaseBlockedError, match="nothing on record"):
        allowed(here, targets[1])


def test_what_passed_in_a_database_that_is_no_longer_the_environment_is_not_fetched(
    here: World, targets: list[Target]
) -> None:
    judged(here, targets[0])
    record.enroll(targets[0])
    with pytest.raises(ReleaseBlockedError, match="nothing on record"):
        fetched(here, targets)


def test_what_blocks_leaves_nothing_behind(here: World, targets: list[Target]) -> None:
    judged(here, targets[0], "FAILED")
    with pytest.raises(ReleaseBlockedError):
        fetched(here, targets)
    assert record.attestations(targets[1].ground) == []


def test_a_forged_row_in_the_record_is_not_believed(here: World, targets: list[Target]) -> None:
    judged(here, targets[0], of=bundle("2"))
    (row,) = record.attestations(targets[0].ground)
    with record.brief(targets[1].ground):
        record.add_attestation(targets[1].ground, row._replace(bundle_digest=BUNDLE.digest))
    with pytest.raises(ReleaseBlockedError, match="another one did"):
        allowed(here, targets[1])


def test_a_failure_recorded_as_something_else_still_takes_back_what_passed(
    here: World, targets: list[Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute, verdict in enumerate(("PASSED", "FAILED")):
        later(monkeypatch, minute)
        judged(here, targets[0], verdict)
    with record.brief(targets[1].ground):
        for row in record.attestations(targets[0].ground):
            record.add_attestation(targets[1].ground, row._replace(kind="PASSED", bundle_digest="0" * 64))
    with pytest.raises(ReleaseBlockedError, match="no longer holds"):
        allowed(here, targets[1])


def test_attestations_travel_as_a_file_between_environments_that_do_not_see_each_other(
    here: World, targets: list[Target]
) -> None:
    said = judged(here, targets[0])
    (row,) = record.attestations(targets[0].ground)
    text = row.envelope.replace("\n", "\r\n") + "\n"
    assert promote.bring(targets[1], text, here.environments) == [said]
    assert promote.bring(targets[1], text, here.environments) == []
    assert allowed(here, targets[1]) == said


def test_a_file_with_one_forged_line_brings_nothing(here: World, targets: list[Target]) -> None:
    judged(here, targets[0])
    (row,) = record.attestations(targets[0].ground)
    forged = json.loads(row.envelope) | {"payload": "e30="}
    with pytest.raises(AttestationError):
        promote.bring(targets[1], row.envelope + json.dumps(forged) + "\n", here.environments)
    assert record.attestations(targets[1].ground) == []


def test_a_verdict_is_in_the_journal_of_its_release(here: World, targets: list[Target]) -> None:
    judged(here, targets[0])
    release = record.releases(targets[0].ground)[0]
    assert [one.message for one in record.journal(targets[0].ground, release.release_id)] == [
        "desk attested that it PASSED."
    ]
