"""Killed, locked out, run twice, forged: an environment is exactly before or exactly after, and says which."""

from __future__ import annotations

import os
import random
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from firing import TOUCHED, Environment, configure, lay, under_fire, until

from homes import temporary_home
from sitevault.db import embedded
from sitevault.db.connect import connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.errors import Exit
from sitevault.release import bundle, model

KILLS = int(os.environ.get("SITEVAULT_TEST_KILLS", "12"))
CRASHES = max(3, KILLS // 8)
SEED = int(os.environ.get("SITEVAULT_TEST_SEED", secrets.randbelow(2**32)))


@pytest.fixture(scope="module")
def own_server() -> Iterator[EmbeddedServer]:
    """Not the other tests', because it is killed here; durable, because nothing may be lost."""
    with temporary_home() as home, embedded.attach(home) as attached:
        yield attached


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle")
    path = directory / "bundle.json"
    model.write(bundle.build(lay(directory), "grace", lambda _: None), path)
    return path


@pytest.fixture
def environment(own_server: EmbeddedServer, built: Path, tmp_path: Path) -> Iterator[Environment]:
    own_server.revive()
    with under_fire(own_server, tmp_path, built) as made:
        yield made


def settled(environment: Environment, deployed: str) -> str:
    """Before or after, and what the tool says is what is there."""
    environment.alone()
    catalog = environment.catalog()
    assert catalog in (environment.before, deployed), "half of a release is there"
    where = "before" if catalog == environment.before else "after"
    in_force = environment.status()["release"]
    assert (in_force is None) == (where == "before"), in_force
    return where


def carried_on(environment: Environment, deployed: str) -> None:
    """The same deploy again ends what was begun."""
    code, said = environment.deploy()
    assert code == Exit.OK, said
    assert environment.catalog() == deployed
    assert environment.at_work(), "the job goes on afterwards"


def nothing_lost(environment: Environment) -> None:
    found = environment.account()
    assert found.complete, found.as_dict()
    assert not environment.traffic.refused, environment.traffic.refused
    assert found.acknowledged > 0


def undisturbed(environment: Environment) -> tuple[str, int]:
    """What the catalog is after a deploy, and how many steps it tells of."""
    environment.planned()
    with environment.deploying() as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == Exit.OK, said
    deployed = environment.catalog()
    assert deployed != environment.before
    environment.undone()
    return deployed, len(said.splitlines())


def somewhere(process: subprocess.Popen[str], steps: int, chance: random.Random) -> None:
    """Wait until the deploy has told of some of its steps, and then a moment more."""
    assert process.stdout is not None
    for _ in range(chance.randint(0, steps)):
        process.stdout.readline()
    time.sleep(chance.uniform(0, 0.3))


def test_killed_at_any_moment_it_is_exactly_before_or_exactly_after_and_goes_on(environment: Environment) -> None:
    print(f"\nseed {SEED}, {KILLS} kills")
    chance = random.Random(SEED)
    deployed, steps = undisturbed(environment)
    places: list[str] = []
    for _ in range(KILLS):
        environment.planned()
        with environment.deploying() as process:
            somewhere(process, steps, chance)
            process.kill()
        places.append(settled(environment, deployed))
        carried_on(environment, deployed)
        environment.undone()
    print(f"{places.count('before')} before, {places.count('after')} after")
    assert environment.traffic.in_doubt == 0
    nothing_lost(environment)


def test_postgresql_killed_at_any_moment_it_is_exactly_before_or_exactly_after(environment: Environment) -> None:
    print(f"\nseed {SEED}, {CRASHES} crashes")
    chance = random.Random(SEED)
    deployed, steps = undisturbed(environment)
    for _ in range(CRASHES):
        environment.planned()
        with environment.deploying() as process:
            somewhere(process, steps - 1, chance)
            os.kill(environment.server.pid, signal.SIGKILL)
            said, _ = process.communicate(timeout=120)
        assert "A fault of ours" not in said, said
        until(lambda: _answers(environment))
        settled(environment, deployed)
        carried_on(environment, deployed)
        environment.undone()
    nothing_lost(environment)


def test_a_job_that_is_killed_at_its_work_does_not_hold_the_release_up(environment: Environment) -> None:
    environment.job.stop()
    environment.planned()
    with _job_at_work(environment) as job, environment.deploying() as process:
        until(lambda: environment.status()["pause"] is not None)
        assert process.poll() is None, "it waits for what is in flight"
        os.kill(job, signal.SIGKILL)
        said, _ = process.communicate(timeout=120)
    assert process.returncode == Exit.OK, said


@pytest.mark.parametrize("relation", TOUCHED)
def test_a_lock_that_is_not_given_back_is_waited_for_within_bounds_and_given_up_cleanly(
    environment: Environment, relation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sitevault.release.locks.PAUSES_SECONDS", (0.1, 0.2))
    environment.planned()
    before = len(environment.traffic.sent)
    with _held_once_deploying(environment, relation):
        code, said = environment.deploy()
    assert code == Exit.ROLLED_BACK, said
    assert "Somebody held a lock each of 3 times" in said
    assert environment.catalog() == environment.before
    assert environment.status()["release"] is None
    assert environment.at_work()
    assert len(environment.traffic.sent) > before, "the site went on sending"
    # Three waits of 3 s one after another, and none of the site's calls waited for more than one of them.
    assert environment.traffic.slowest_seconds < 6
    nothing_lost(environment)


def test_of_two_deployers_at_once_one_is_refused_and_told_who_is_at_it(environment: Environment) -> None:
    environment.job.stop()
    environment.planned()
    with _job_at_work(environment) as job, environment.deploying() as first:
        until(lambda: environment.status()["pause"] is not None)
        code, said = environment.deploy()
        assert code == Exit.BLOCKED, said
        assert "Another release of testing is under way: sitevault-release deploying" in said
        os.kill(job, signal.SIGKILL)
        said, _ = first.communicate(timeout=120)
    assert first.returncode == Exit.OK, said


def test_an_edited_bundle_is_refused(environment: Environment) -> None:
    environment.planned()
    edited = environment.directory / "edited.json"
    edited.write_text(environment.bundle.read_text().replace("1.0 - 0.2 *", "1.0 - 0.1 *"))
    code, said = environment.release("deploy", str(edited), str(environment.plan), "--yes")
    assert code == Exit.BLOCKED, said
    assert "was changed after it was made" in said
    assert environment.catalog() == environment.before


def test_an_edited_plan_is_refused(environment: Environment) -> None:
    plan = environment.planned()
    plan.write_text(re.sub(r'"made_at": "\d{4}', '"made_at": "1999', plan.read_text()))
    code, said = environment.deploy()
    assert code == Exit.BLOCKED, said
    assert "was changed after it was made" in said


def test_a_stale_plan_is_refused(environment: Environment) -> None:
    environment.planned()
    environment.run("COMMENT ON FUNCTION staging.browser_of(jsonb) IS 'somebody was here'")
    moved = environment.catalog()
    code, said = environment.deploy()
    assert code == Exit.BLOCKED, said
    assert "staging.browser_of" in said
    assert environment.catalog() == moved


def test_what_was_changed_since_the_release_is_not_lost_by_undoing_it(environment: Environment) -> None:
    environment.planned()
    assert environment.deploy()[0] == Exit.OK
    environment.run("COMMENT ON FUNCTION staging.browser_of(jsonb) IS 'somebody was here'")
    moved = environment.catalog()
    code, said = environment.release("undo", "--yes")
    assert code == Exit.BLOCKED, said
    assert "Changed since the release: function staging.browser_of" in said
    assert environment.catalog() == moved


def test_an_approval_that_somebody_else_signed_counts_for_nothing(environment: Environment) -> None:
    for person in ("ada", "mallory"):
        assert environment.command("audit", "keygen", str(environment.directory / person))[0] == Exit.OK
    real = f'ada = "{environment.directory}/ada.pub"'
    plan = environment.planned()
    # mallory is taken for ada just long enough to sign
    configure(environment, people=f'ada = "{environment.directory}/mallory.pub"')
    code, said = environment.release(
        "approve", str(plan), "--as", "ada", "--key", str(environment.directory / "mallory"), "--yes"
    )
    assert code == Exit.OK, said
    configure(environment, "approvals = 1", people=real)
    code, said = environment.deploy()
    assert code == Exit.BLOCKED, said
    assert "demands an approval of this plan" in said
    assert environment.catalog() == environment.before


def _answers(environment: Environment) -> bool:
    """Whether the server is up again; whoever finds it dead starts it."""
    try:
        environment.server.revive()
        environment.catalog()
    except Exception:
        return False
    return True


@contextmanager
def _job_at_work(environment: Environment) -> Iterator[int]:
    """A job's process that has begun and does not end; its number."""
    code = (
        "import sys, time, psycopg\n"
        "from sitevault.demo.release.job import SQL\n"
        "conn = psycopg.connect(sys.argv[1]); conn.execute(SQL.take_turn)\n"
        "print('at work', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, environment.url], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _held_once_deploying(environment: Environment, relation: str) -> Iterator[None]:
    """A report that reads a relation in a long transaction, begun when nothing more is looked at beforehand."""
    done = threading.Event()

    def report() -> None:
        until(lambda: not environment.at_work() or done.is_set())
        with connect(environment.url) as conn:
            schema, _, name = relation.partition(".")
            conn.execute(f"LOCK TABLE {schema}.{name} IN ACCESS SHARE MODE".encode())
            done.wait()

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
