"""A release is watched after its deploy: FAIL takes it back at once, PASS comes with proof and its window."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from bundling import bundle, guide
from sitevault.db.connect import Database
from sitevault.demo import incident
from sitevault.observe.kpis import Verdict
from sitevault.release import plan, record
from sitevault.release.deploy import deploy
from sitevault.release.environments import Environments
from sitevault.release.events import Teller, silent
from sitevault.release.model import File, ReleaseBlockedError
from sitevault.release.observe import Observed, Observer
from sitevault.release.prober import Prober
from sitevault.release.target import Target

FIXES = [File(f"objects/{name}.sql", incident.text(f"fixed/{name}")) for name in incident.FIXES]
FAILS_LATER = File(
    "objects/staging.sql",
    incident.text("fixed/staging").replace(
        "    INSERT INTO staging",
        "    IF v_payload->>'event_type' = 'purchase' THEN RAISE EXCEPTION 'no'; END IF;\n    INSERT INTO staging",
    ),
)
WRONG_TENANT = File(
    "objects/ingest.sql",
    incident.text("fixed/ingest").replace(
        "    INSERT INTO raw",
        "    SELECT tenant_hk INTO v_tenant_hk FROM auth.tenant_h\n"
        "    WHERE tenant_bk = coalesce(p_payload->>'partner', 'HARBOUR_CLINIC');\n    INSERT INTO raw",
    ),
)
COME_AND_GO = """
SELECT staging.process_site_event(raw.ingest_site_event(
    jsonb_build_object('event_type', %(kind)s::text, 'page_url', 'https://www.theonespa.example/',
        'timestamp', now(),
        'event_data', jsonb_build_object('session_id', 's', 'user_agent', 'Firefox/1', 'device_type', 'desktop',
            'user_id', 'u', 'page_title', 't', 'referrer', 'r', 'scroll_depth', 1)),
    sha256(convert_to('key of THE_ONE_SPA', 'UTF8'))))
FROM generate_series(1, %(events)s)
"""


@pytest.fixture
def target(incident_database: Database) -> Iterator[Target]:
    with guide(incident_database, observe_hours=2 / 3600, observe_every_seconds=0.1) as made:
        yield made


def released(target: Target, *files: File) -> str:
    made = bundle(target, objects=files)
    done = deploy(
        target, made, plan.make(target, made, ("no_baseline",)), Environments({"testing": target.settings}, {}),
        silent, ("all",),
    )  # fmt: skip
    assert not done.stopped
    return done.release_id


def come_and_go(target: Target, events: int = 400, kind: str = "page_view") -> None:
    target.ground.conn.execute(COME_AND_GO, {"events": events, "kind": kind})


def watched(target: Target, **options: Any) -> Observed:
    known = Environments({"testing": target.settings}, {})
    observer = Observer(target, known, Teller(silent, "testing"), hold=options.pop("hold", False))
    return observer.watch(threading.Event(), **options)


def state(target: Target, release_id: str) -> str:
    found = record.find(target.ground, release_id)
    assert found is not None
    return found.state


def test_enough_good_events_pass(target: Target) -> None:
    release_id = released(target, *FIXES)
    come_and_go(target)
    done = watched(target, until_decided=True)
    assert [one.name for one in done.judgement.results if one.verdict is not Verdict.PASS] == []
    assert (done.ended, state(target, release_id)) == ("passed", "PASSED")
    assert record.observations(target.ground, release_id)[-1].verdict == "PASS"
    with pytest.raises(ReleaseBlockedError, match="has passed in testing already"):
        watched(target)


def test_a_pass_waits_for_the_end_of_the_window(target: Target) -> None:
    release_id = released(target, *FIXES)
    come_and_go(target)
    assert watched(target).ended == "passed"
    first, *_, last = record.observations(target.ground, release_id)
    assert (first.verdict, last.verdict) == ("PASS", "PASS"), "it was looked at again, until the window was over"


def test_too_few_events_are_inconclusive_and_say_how_many_are_missing(target: Target) -> None:
    release_id = released(target, *FIXES)
    come_and_go(target, events=5)
    done = watched(target)
    assert (done.ended, done.verdict, state(target, release_id)) == (
        "inconclusive",
        Verdict.INCONCLUSIVE,
        "DEPLOYED",
    )
    success = next(one for one in done.judgement.results if one.name == "success_rate")
    assert success.more_needed is not None
    assert success.more_needed > 50


def test_a_release_that_fails_is_taken_back_and_exactly_its_failures_wait_again(target: Target) -> None:
    released(target, *FIXES)
    come_and_go(target, events=3)
    before = target.snapshot().digest
    target.ground.conn.execute(
        "UPDATE raw.site_tracking_events_r SET processing_status = 'ERROR', error_message = 'old' "
        "WHERE raw_event_id = 1"
    )
    release_id = released(target, FAILS_LATER)
    come_and_go(target, events=40, kind="purchase")
    done = watched(target)
    assert (done.ended, done.verdict, state(target, release_id)) == ("undone", Verdict.FAIL, "UNDONE")
    assert done.undone[0].requeued == 40
    assert target.snapshot().digest == before
    found = target.ground.all(
        "SELECT processing_status, count(*) FROM raw.site_tracking_events_r GROUP BY 1 ORDER BY 1"
    )
    assert dict(found) == {"ERROR": 1, "PENDING": 4 + 40, "PROCESSED": 3}, "the old error stays one"


def test_a_fail_is_held_where_a_person_is_to_decide(target: Target) -> None:
    release_id = released(target, *FIXES)
    come_and_go(target, events=3)
    held = replace(target, settings=structs.replace(target.settings, on_fail="hold"))
    release_id = released(held, FAILS_LATER)
    come_and_go(held, events=40, kind="purchase")
    assert watched(held).ended == "held"
    assert state(held, release_id) == "HELD"


def test_events_under_the_wrong_tenant_fail_though_every_other_figure_is_green(target: Target) -> None:
    released(target, *FIXES)
    come_and_go(target, events=60)
    release_id = released(target, WRONG_TENANT)
    come_and_go(target)
    done = watched(target)
    verdicts = {one.name: one.verdict for one in done.judgement.results}
    assert [name for name, verdict in verdicts.items() if verdict is Verdict.FAIL] == ["tenancy"]
    assert (verdicts["success_rate"], verdicts["quality"], verdicts["error_rate"]) == (Verdict.PASS,) * 3
    assert state(target, release_id) == "UNDONE"


def test_an_object_changed_by_hand_meanwhile_fails_and_cannot_be_undone_over(target: Target) -> None:
    released(target, *FIXES)
    target.ground.conn.execute("COMMENT ON FUNCTION staging.browser_of(jsonb) IS 'by hand'")
    with pytest.raises(ReleaseBlockedError, match="Changed since the release"):
        watched(target)


def test_nothing_in_force_is_nothing_to_observe(target: Target) -> None:
    with pytest.raises(ReleaseBlockedError, match="No release is in force"):
        watched(target)


def test_a_collector_that_does_not_answer_is_not_ready() -> None:
    with Prober("http://127.0.0.1:9/health/ready", every=0.05) as prober:
        threading.Event().wait(0.3)
    assert prober.probes
    assert not any(one.ready for one in prober.probes)


def test_where_nobody_says_whom_to_ask_nothing_is_known() -> None:
    with Prober(None) as prober:
        assert prober.probes is None
