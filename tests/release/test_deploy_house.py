"""A release to Sitevault's own database, with a real collector and real workers: nothing refused, nothing lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from msgspec import structs
from targets import pending, until, working

from bundling import bundle
from collecting import EVENT, StartCollector, make_tenant
from collecting import start_collector as start_collector
from replaying import assert_confirmed
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.release import plan, record
from sitevault.release.deploy import deploy
from sitevault.release.environments import Environments
from sitevault.release.events import Event, Teller, silent
from sitevault.release.model import File, Setting
from sitevault.release.observe import look
from sitevault.release.target import Target
from sitevault.release.undo import undo
from sitevault.tenancy.tenants import change_tenant

REPORT = File("objects/report.sql", "CREATE OR REPLACE VIEW mart.report AS SELECT 1 AS one;\n")
ACCEPTED = ("no_baseline", "not_probed")


def test_under_traffic_a_release_refuses_nothing_and_every_event_is_vaulted_once(
    database: Database, house_target: Target, start_collector: StartCollector
) -> None:
    tenant = make_tenant(database)
    collector = start_collector()
    made = bundle(house_target, objects=[REPORT])
    known = Environments({"testing": house_target.settings}, {})
    heard: list[Event] = []
    stop = threading.Event()

    def traffic() -> list[int]:
        answers = []
        with collector.client(headers={"X-Api-Key": tenant.secret}) as client:
            while not stop.is_set():
                answers.append(client.post("/api/v1/track", json=EVENT).status_code)
        return answers

    with working(database), ThreadPoolExecutor(1) as pool:
        sending = pool.submit(traffic)
        until(lambda: house_target.ground.one("SELECT count(*) > 0 FROM ops.load") == (True,))
        done = deploy(
            house_target, made, plan.make(house_target, made, ACCEPTED), known, heard.append, ("1", "10", "all")
        )
        taken_back = undo(house_target, None, "a test", Teller(silent, "testing"))
        stop.set()
        answers = sending.result()
        until(lambda: pending(house_target.judge) == 0)
    assert (done.stopped, [one.version for one in taken_back]) == (False, ["1"])
    assert set(answers) == {200}
    assert assert_confirmed(database).landed == len(answers)
    assert {"pause", "preflight", "apply", "backup", "canary", "resume"} <= {event.step for event in heard}


def test_a_mapping_is_released_and_taken_back(database: Database, house_target: Target) -> None:
    tenant = make_tenant(database)
    made = bundle(
        house_target, settings=[Setting("mapping", tenant.tenant_bk, None, '{"session_id": ["context.sid"]}')]
    )
    known = Environments({"testing": house_target.settings}, {})
    mapping = "SELECT mapping FROM auth.tenant_v WHERE tenant_bk = %(tenant)s"
    before = house_target.judge.execute(mapping, {"tenant": tenant.tenant_bk}).fetchone()
    deploy(house_target, made, plan.make(house_target, made, ACCEPTED), known, silent, ("all",))
    now = house_target.judge.execute(mapping, {"tenant": tenant.tenant_bk}).fetchone()
    assert now == ({"session_id": ["context.sid"]},)
    undo(house_target, None, "a test", Teller(silent, "testing"))
    after = house_target.judge.execute(mapping, {"tenant": tenant.tenant_bk}).fetchone()
    assert (after or (None,))[0] in ((before or (None,))[0], {})
    assert [one.state for one in record.releases(house_target.ground)] == ["UNDONE"]


def test_a_released_mapping_that_somebody_changed_is_drift(database: Database, house_target: Target) -> None:
    tenant = make_tenant(database)
    made = bundle(
        house_target, settings=[Setting("mapping", tenant.tenant_bk, None, '{"session_id": ["context.sid"]}')]
    )
    known = Environments({"testing": house_target.settings}, {})

    def drift() -> tuple[str, str]:
        (found,) = [one for one in look(house_target, release).results if one.name == "drift"]
        return found.verdict, found.note

    deploy(house_target, made, plan.make(house_target, made, ACCEPTED), known, silent, ("all",))
    (release,) = record.releases(house_target.ground)
    assert drift() == ("PASS", "")
    with database.connect(Role.MIGRATOR) as conn:
        change_tenant(conn, tenant.tenant_bk, mapping={"session_id": ["sid"]})
    assert drift() == ("FAIL", f"changed since: mapping {tenant.tenant_bk}")


def test_what_was_released_stands_in_the_chained_audit_log(database: Database, house_target: Target) -> None:
    made = bundle(house_target, objects=[REPORT])
    known = Environments({"testing": structs.replace(house_target.settings, canary=("all",))}, {})
    deploy(house_target, made, plan.make(house_target, made, ACCEPTED), known, silent, ("all",))
    undo(house_target, None, "a test", Teller(silent, "testing"))
    with database.connect(Role.AUDITOR) as auditor:
        found = [action for (action,) in auditor.execute("SELECT action FROM audit.entry ORDER BY seq")]
    kept = [action for action in found if action.startswith(("release.", "workers."))]
    assert kept == [
        "release.enroll",
        "workers.pause",
        "release.deploy",
        "workers.resume",
        "workers.pause",
        "release.undo",
        "workers.resume",
    ]
