"""A deploy carries its plan out, all of it or nothing, and can be taken back to the byte."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from bundling import bundle
from sitevault.demo import incident
from sitevault.errors import Exit
from sitevault.release import pause, plan, record
from sitevault.release.deploy import Deploy, Deployed, deploy
from sitevault.release.environments import Environment, Environments
from sitevault.release.events import Teller, silent
from sitevault.release.model import Bundle, File, ReleaseBlockedError, ReleaseError, ReleasePlan
from sitevault.release.target import Target
from sitevault.release.undo import undo

FIXES = [File(f"objects/{name}.sql", incident.text(f"fixed/{name}")) for name in incident.FIXES]
NOTE = File(
    "migrations/0001_note.sql",
    "CREATE TABLE raw.note (n int); INSERT INTO raw.note VALUES (1);",
    revert="DROP TABLE raw.note;",
)
BROKEN = File(
    "objects/broken.sql",
    incident.text("fixed/staging").replace(
        "    INSERT INTO staging", "    RAISE EXCEPTION 'no';\n    INSERT INTO staging"
    ),
)


def planned(target: Target, made: Bundle) -> ReleasePlan:
    return plan.make(target, made, ("no_baseline",))


def carried_out(target: Target, made: Bundle, to_do: ReleasePlan | None = None, steps: Any = ("all",)) -> Deployed:
    known = Environments({target.environment: target.settings}, {})
    return deploy(target, made, to_do or planned(target, made), known, silent, steps)


def taken_back(target: Target, to: str | None = None) -> list[Any]:
    return undo(target, to, "a test", Teller(silent, target.environment))


def statuses(target: Target) -> dict[str, int]:
    found: Iterable[tuple[str, int]] = target.ground.all(
        "SELECT processing_status, count(*) FROM raw.site_tracking_events_r GROUP BY 1"
    )
    return dict(found)


def test_a_deploy_makes_what_was_planned_and_remembers_what_was_there(guide_target: Target) -> None:
    made = bundle(guide_target, objects=FIXES)
    to_do = planned(guide_target, made)
    before = guide_target.snapshot()
    done = carried_out(guide_target, made, to_do)
    assert set(done.objects) == {f"{one.kind} {one.identity}" for one in to_do.changes}
    (released,) = record.releases(guide_target.ground)
    assert (released.release_id, released.state, released.bundle_digest) == (to_do.digest, "DEPLOYED", made.digest)
    for change in record.recorded_objects(guide_target.ground, to_do.digest):
        assert change.before == before.objects.get(change.object)


def test_an_undo_makes_every_object_what_it_was(guide_target: Target) -> None:
    before = guide_target.snapshot().digest
    carried_out(guide_target, bundle(guide_target, objects=FIXES, migrations=[NOTE]))
    assert guide_target.snapshot().digest != before
    (done,) = taken_back(guide_target)
    assert guide_target.snapshot().digest == before
    assert "table raw.note" in done.objects
    assert record.current(guide_target.ground) is None


def test_the_canary_carries_waiting_events_through_what_was_released(guide_target: Target) -> None:
    done = carried_out(guide_target, bundle(guide_target, objects=FIXES), steps=("1", "10"))
    assert done.canary is not None
    assert [(step.name, step.events) for step in done.canary.steps] == [("1", 1), ("10", 4)]
    assert statuses(guide_target) == {"PROCESSED": 5}


def test_the_same_deploy_again_does_nothing(guide_target: Target) -> None:
    made = bundle(guide_target, objects=FIXES)
    to_do = planned(guide_target, made)
    carried_out(guide_target, made, to_do)
    after = guide_target.snapshot().digest
    assert carried_out(guide_target, made, to_do).already
    assert guide_target.snapshot().digest == after
    assert len(record.releases(guide_target.ground)) == 1


def test_a_deploy_that_was_killed_after_its_commit_goes_on_with_the_canary(guide_target: Target) -> None:
    made = bundle(guide_target, objects=FIXES)
    to_do = planned(guide_target, made)
    known = Environments({guide_target.environment: guide_target.settings}, {})
    half = Deploy(guide_target, made, to_do, known, Teller(silent, "testing", to_do.digest))
    half._pause()
    half._apply()
    done = carried_out(guide_target, made, to_do, ("10", "all"))
    assert done.already
    assert done.canary is not None
    assert done.canary.resumed
    assert statuses(guide_target) == {"PROCESSED": 5}


def test_a_catalog_that_moved_since_the_plan_is_refused(guide_target: Target) -> None:
    made = bundle(guide_target, objects=FIXES)
    to_do = planned(guide_target, made)
    guide_target.ground.conn.execute("COMMENT ON FUNCTION staging.browser_of(jsonb) IS 'touched'")
    with pytest.raises(ReleaseBlockedError, match="changed since the plan was made") as refusal:
        carried_out(guide_target, made, to_do)
    assert refusal.value.exit_code == Exit.BLOCKED
    assert record.releases(guide_target.ground) == []
    held = record.paused(guide_target.ground)
    assert held is None or not held.paused, "the workers go on"


def test_a_plan_of_another_bundle_is_refused(guide_target: Target) -> None:
    one, other = bundle(guide_target, objects=FIXES), bundle(guide_target, objects=FIXES[:1])
    with pytest.raises(ReleaseBlockedError, match="The plan is for the bundle"):
        carried_out(guide_target, other, planned(guide_target, one))


def test_a_plan_that_was_undone_is_not_deployed_again(guide_target: Target) -> None:
    made = bundle(guide_target, objects=FIXES)
    to_do = planned(guide_target, made)
    carried_out(guide_target, made, to_do)
    taken_back(guide_target)
    with pytest.raises(ReleaseBlockedError, match="undone since"):
        carried_out(guide_target, made, to_do)
    assert not carried_out(guide_target, made, planned(guide_target, made)).already


def test_hazards_have_to_be_accepted_by_name(guide_target: Target) -> None:
    made = bundle(guide_target, objects=FIXES)
    with pytest.raises(ReleaseBlockedError, match="no_baseline"):
        carried_out(guide_target, made, plan.make(guide_target, made))


def test_events_that_went_through_and_would_fail_stop_a_deploy(guide_target: Target) -> None:
    carried_out(guide_target, bundle(guide_target, objects=FIXES), steps=("10", "all"))
    before = guide_target.snapshot().digest
    with pytest.raises(ReleaseError, match=r"staging\.process_site_event") as failure:
        carried_out(guide_target, bundle(guide_target, objects=[BROKEN]))
    assert failure.value.exit_code == Exit.ROLLED_BACK
    assert guide_target.snapshot().digest == before
    assert record.find(guide_target.ground, record.releases(guide_target.ground)[0].release_id) is not None


def test_a_verification_that_is_not_true_stops_a_deploy(guide_target: Target) -> None:
    before = guide_target.snapshot().digest
    never = File("migrations/0002_never.sql", "CREATE TABLE raw.never ()", "DROP TABLE raw.never", "SELECT 1 = 2")
    with pytest.raises(ReleaseError, match=r"the verification of migrations/0002_never\.sql does not say true"):
        carried_out(guide_target, bundle(guide_target, migrations=[never]))
    assert guide_target.snapshot().digest == before


def test_a_migration_runs_once_and_its_text_may_not_change(guide_target: Target) -> None:
    carried_out(guide_target, bundle(guide_target, migrations=[NOTE]))
    both = bundle(guide_target, migrations=[NOTE], objects=FIXES[:1])
    assert plan.make(guide_target, both).migrations == ()
    edited = File(NOTE.name, NOTE.text + " -- edited", NOTE.revert)
    with pytest.raises(ReleaseBlockedError, match="Not what ran here"):
        bundle(guide_target, migrations=[edited])


def test_releases_are_taken_back_down_to_a_version(guide_target: Target) -> None:
    start = guide_target.snapshot().digest
    digests = {}
    for version, files in (("1", FIXES[:1]), ("2", FIXES[1:2]), ("3", FIXES[2:])):
        carried_out(guide_target, bundle(guide_target, objects=files, version=version))
        digests[version] = guide_target.snapshot().digest
    assert [one.version for one in taken_back(guide_target, "1")] == ["3", "2"]
    assert guide_target.snapshot().digest == digests["1"]
    assert [one.version for one in taken_back(guide_target, "start")] == ["1"]
    assert guide_target.snapshot().digest == start


def test_an_undo_that_would_lose_a_later_change_is_refused(guide_target: Target) -> None:
    carried_out(guide_target, bundle(guide_target, objects=FIXES))
    guide_target.ground.conn.execute("COMMENT ON FUNCTION staging.browser_of(jsonb) IS 'later'")
    with pytest.raises(ReleaseBlockedError, match=r"Changed since the release: function staging\.browser_of"):
        taken_back(guide_target)
    assert record.current(guide_target.ground) is not None
    held = record.paused(guide_target.ground)
    assert held is not None
    assert not held.paused


def test_nothing_in_force_is_nothing_to_undo(guide_target: Target) -> None:
    with pytest.raises(ReleaseBlockedError, match="No release is in force"):
        taken_back(guide_target)


def test_two_releases_at_once_are_one(guide_target: Target) -> None:
    from sitevault.release.lock import locked

    made = bundle(guide_target, objects=FIXES)
    to_do = planned(guide_target, made)
    with (
        locked(guide_target, "deploying something"),
        pytest.raises(ReleaseBlockedError, match="sitevault-release deploying something"),
    ):
        carried_out(guide_target, made, to_do)
    assert not carried_out(guide_target, made, to_do).already


def test_approvals_are_asked_for_before_anything_is_touched(guide_target: Target) -> None:
    from dataclasses import replace

    from msgspec import structs

    made = bundle(guide_target, objects=FIXES)
    strict: Environment = structs.replace(guide_target.settings, approvals=1)
    with pytest.raises(ReleaseBlockedError, match="approv"):
        carried_out(replace(guide_target, settings=strict), made)
    assert record.paused(guide_target.ground) is None


def test_a_view_of_a_house_is_released_and_taken_back(house_target: Target) -> None:
    before = house_target.snapshot().digest
    report = File("objects/report.sql", "CREATE OR REPLACE VIEW mart.report AS SELECT 1 AS one;\n")
    made = bundle(house_target, objects=[report])
    to_do = plan.make(house_target, made, ("no_baseline", "not_probed"))
    carried_out(house_target, made, to_do)
    assert house_target.ground.one("SELECT one FROM mart.report") == (1,)
    assert house_target.ground.one("SELECT count(*) FROM ops.release") == (1,)
    taken_back(house_target)
    assert house_target.snapshot().digest == before


def test_an_undo_that_was_killed_before_the_workers_went_on_lets_them_go_on_and_takes_nothing_else_back(
    guide_target: Target,
) -> None:
    carried_out(guide_target, bundle(guide_target, objects=FIXES[:1], version="1"))
    carried_out(guide_target, bundle(guide_target, objects=FIXES[1:2], version="2"))
    (done,) = taken_back(guide_target)
    pause.pause(guide_target, done.release_id, "undoing", Teller(silent, "testing"))
    assert taken_back(guide_target) == []
    assert pause.in_force(guide_target) is None
    current = record.current(guide_target.ground)
    assert current is not None
    assert current.version == "1"
