"""Days that are over are kept ready, and whoever asks sees at every moment what the sessions say."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, LiteralString

import psycopg
import pytest

from aging import day_ago, noon
from given import Sender, land, page_view, row, sender
from observing import as_superuser
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.marts import rollup
from sitevault.marts.rollup import roll_days
from sitevault.replay.rebuild import rebuild
from sitevault.worker.housekeeping import Housekeeper
from sitevault.worker.run import Worker

VIEWS = {
    "mart.visitor_day_v": rollup.SQL.recompute_visitors,
    "mart.source_day_v": rollup.SQL.recompute_sources,
    "mart.device_day_v": rollup.SQL.recompute_devices,
}
numbers = itertools.count()


@pytest.fixture
def spa(database: Database) -> Sender:
    return sender(database)


def visit(days: float, session: str = "s", **fields: Any) -> dict[str, Any]:
    """A page view of a session, so many days before today's noon."""
    at = noon(0) - timedelta(days=days)
    return page_view(next(numbers), session_id=session, timestamp=at.isoformat(), **fields)


def loaded(database: Database, who: Sender, *events: dict[str, Any]) -> None:
    land(database, [row(who, event) for event in events])
    Worker(database, Config(), lanes=1).drain()


def roll(database: Database) -> int:
    with database.connect(Role.WORKER, autocommit=True) as worker:
        return roll_days(worker, again_seconds=0)


def rolled(database: Database) -> set[date]:
    with database.connect(Role.JUDGE) as judge:
        return {day for (day,) in judge.execute("SELECT day FROM mart.rolled_day WHERE rolled_at IS NOT NULL")}


def shown_and_true(database: Database) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What the views say, and what the sessions say, with the types of the columns."""
    shown, true = {}, {}
    with database.connect(Role.JUDGE, autocommit=True) as judge:
        for view, recompute in VIEWS.items():
            for said, query in ((shown, f"TABLE {view}"), (true, recompute)):
                cursor = judge.execute(query)  # type: ignore[arg-type]
                columns = [(column.name, column.type_code) for column in cursor.description or ()]
                said[view] = [str(columns), *sorted(map(str, cursor.fetchall()))]
    return shown, true


def assert_views_are_true(database: Database) -> None:
    shown, true = shown_and_true(database)
    assert shown == true
    assert all(len(rows) > 1 for rows in shown.values())


def test_days_before_today_are_rolled_up_and_the_views_say_the_same(database: Database, spa: Sender) -> None:
    loaded(database, spa, visit(0, "a"), visit(1, "b"), visit(1.01, "b"), visit(2, "c"), visit(2.1, "d"))
    before, true = shown_and_true(database)
    assert before == true
    assert roll(database) == 2
    assert rolled(database) == {day_ago(1), day_ago(2)}
    assert shown_and_true(database) == (before, before)
    assert roll(database) == 0


def test_what_was_rolled_up_is_what_the_views_read(database: Database, spa: Sender) -> None:
    loaded(database, spa, visit(1))
    roll(database)
    as_superuser(database, "UPDATE mart.visitor_day_f SET sessions = 77")
    shown, _ = shown_and_true(database)
    assert "77" in shown["mart.visitor_day_v"][1]


@pytest.mark.parametrize(
    ("late", "opened"),
    [
        (lambda: visit(0, "new"), set()),
        (lambda: visit(2, "new"), {2}),
        (lambda: visit(1.99, "two"), {2}),
        # The session that began three days ago began four days ago: both days change.
        (lambda: visit(4, "three"), {3, 4}),
        # It goes on today: of the days in between nothing changes.
        (lambda: visit(0, "three"), {3}),
        # What was done on the day of the event changes as well, for funnels.
        (lambda: visit(2.5, "three"), {2, 3}),
        (lambda: visit(1, session=None), set()),
    ],
)
def test_a_late_event_opens_the_days_whose_sessions_it_changes(
    database: Database, spa: Sender, late: Callable[[], dict[str, Any]], opened: set[int]
) -> None:
    loaded(database, spa, visit(1, "one"), visit(2, "two"), visit(3, "three"), visit(4, "four"), visit(0, "today"))
    assert roll(database) == 4
    loaded(database, spa, late())
    assert rolled(database) == {day_ago(days) for days in {1, 2, 3, 4} - opened}
    assert_views_are_true(database)
    assert roll(database) == len(opened)
    assert_views_are_true(database)


def test_a_session_that_spans_days_opens_all_of_them_when_its_beginning_moves(
    database: Database, spa: Sender
) -> None:
    loaded(database, spa, visit(3, "long"), visit(1, "long"), visit(2, "other"))
    roll(database)
    loaded(database, spa, visit(3.9, "long"))
    assert_views_are_true(database)


def test_an_event_sent_twice_opens_nothing(database: Database, spa: Sender) -> None:
    event = visit(1)
    loaded(database, spa, event)
    roll(database)
    loaded(database, spa, event)
    assert rolled(database) == {day_ago(1)}


def test_a_day_that_loads_keep_changing_waits_before_it_is_rolled_up_again(
    database: Database, spa: Sender
) -> None:
    loaded(database, spa, visit(1), visit(2, "b"))
    roll(database)
    loaded(database, spa, visit(1))
    with database.connect(Role.WORKER, autocommit=True) as worker:
        assert roll_days(worker) == 0
    assert_views_are_true(database)
    as_superuser(database, "UPDATE mart.rolled_day SET opened_at = opened_at - interval '1 hour'")
    with database.connect(Role.WORKER, autocommit=True) as worker:
        assert roll_days(worker) == 1


def test_what_is_kept_of_a_rolled_up_day_cannot_be_forgotten(database: Database, spa: Sender) -> None:
    loaded(database, spa, visit(1))
    roll(database)
    with database.connect(Role.WORKER, autocommit=True) as worker:
        worker.execute(rollup.SQL.forget_days, {"tenant_hk": spa.tenant_hk, "days": [day_ago(1)]})
        assert worker.execute("SELECT count(*) FROM mart.visitor_day_f").fetchone() == (1,)
    loaded(database, spa, visit(1))
    with database.connect(Role.WORKER, autocommit=True) as worker:
        worker.execute(rollup.SQL.forget_days, {"tenant_hk": spa.tenant_hk, "days": [day_ago(1)]})
        assert worker.execute("SELECT count(*) FROM mart.visitor_day_f").fetchone() == (0,)


@pytest.mark.parametrize("table", ["rolled_day", "visitor_day_f", "source_day_f", "device_day_f"])
def test_a_worker_deletes_nothing_that_is_rolled_up(database: Database, table: LiteralString) -> None:
    with database.connect(Role.WORKER) as worker, pytest.raises(psycopg.errors.InsufficientPrivilege):
        worker.execute(f"DELETE FROM mart.{table}")


def test_a_day_of_one_tenant_is_no_day_of_another(database: Database, spa: Sender) -> None:
    other = sender(database, "Other")
    loaded(database, spa, visit(1))
    loaded(database, other, visit(1))
    assert roll(database) == 2
    loaded(database, other, visit(1, "more"))
    with database.connect(Role.JUDGE) as judge:
        assert judge.execute("SELECT tenant_hk FROM mart.rolled_day WHERE rolled_at IS NOT NULL").fetchall() == [
            (spa.tenant_hk,)
        ]
    assert_views_are_true(database)


def test_a_reader_sees_its_own_tenants_rolled_up_days_only(database: Database, spa: Sender) -> None:
    other = sender(database, "Other")
    loaded(database, spa, visit(1, "a"), visit(1, "b"))
    loaded(database, other, visit(1))
    roll(database)
    with database.connect(Role.READER, autocommit=True) as reader, reader.transaction():
        reader.execute("SELECT set_config('sitevault.tenant_hk', %s, true)", (spa.tenant_hk.hex(),))
        found = reader.execute("SELECT tenant_hk, sessions FROM mart.visitor_day_v").fetchall()
    assert found == [(spa.tenant_hk, 2)]


def test_a_rebuild_of_the_marts_that_changes_something_opens_the_tenants_days(
    database: Database, spa: Sender
) -> None:
    loaded(database, spa, visit(1), visit(2, "b"))
    roll(database)
    as_superuser(
        database, "UPDATE mart.session_f SET page_views = 9", "UPDATE mart.visitor_day_f SET page_views = 9"
    )
    assert rebuild(database, Config(), "marts", accept_differences=True).swapped
    assert rolled(database) == set()
    assert_views_are_true(database)


def test_a_rebuild_of_the_vault_leaves_rolled_up_days_to_it(database: Database, spa: Sender) -> None:
    loaded(database, spa, visit(1), visit(2, "b"))
    roll(database)
    assert not rebuild(database, Config(), "vault").differs
    assert rolled(database) == {day_ago(1), day_ago(2)}


def test_a_day_is_not_rolled_up_while_a_load_is_under_way(database: Database, spa: Sender) -> None:
    loaded(database, spa, visit(1))
    land(database, [row(spa, visit(1, "late"))])
    loading, go_on = threading.Event(), threading.Event()
    worker = Worker(database, Config(), lanes=1)

    def slowly() -> None:
        (lane,) = worker._lanes
        with lane.connected().transaction():
            lane.work_once()
            loading.set()
            go_on.wait(30)
        lane.close()

    thread = threading.Thread(target=slowly)
    thread.start()
    try:
        assert loading.wait(30)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            roll(database)
        assert rolled(database) == set()
    finally:
        go_on.set()
        thread.join()
    assert roll(database) == 1
    assert_views_are_true(database)


def test_the_housekeeper_rolls_up_and_gives_way_to_loads(database: Database, spa: Sender) -> None:
    loaded(database, spa, visit(1))
    with database.connect(Role.WORKER) as load:
        load.execute("LOCK TABLE mart.rolled_day IN ROW EXCLUSIVE MODE")
        Housekeeper(database, Config()).roll_up()
        assert rolled(database) == set()
    Housekeeper(database, Config()).roll_up()
    assert rolled(database) == {day_ago(1)}


def test_large_days_go_one_by_one_and_a_turn_ends(
    database: Database, spa: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(database, spa, *(visit(days, str(days)) for days in range(1, 6)))
    monkeypatch.setattr(rollup, "EVENTS", 1)
    with database.connect(Role.WORKER, autocommit=True) as worker:
        assert roll_days(worker, seconds=0) == 1
        assert rolled(database) == {day_ago(1)}, "the newest first"
        assert_views_are_true(database)
        assert roll_days(worker) == 4


def test_two_lanes_with_late_events_and_the_roller_end_with_true_views(database: Database, spa: Sender) -> None:
    choice = random.Random(4)
    loaded(database, spa, *(visit(days, str(days)) for days in range(5)))
    land(
        database,
        *(
            [row(spa, visit(choice.uniform(0.6, 4.4), str(choice.randrange(40)))) for _ in range(10)]
            for _ in range(120)
        ),
    )
    config = Config(claim_events=100)
    ended = threading.Event()
    turns: list[int] = []

    def rolling() -> None:
        with database.connect(Role.WORKER, autocommit=True) as worker:
            while not ended.is_set():
                try:
                    turns.append(roll_days(worker, again_seconds=0))
                except psycopg.errors.LockNotAvailable:
                    continue

    lanes = [threading.Thread(target=Worker(database, config, lanes=1).drain) for _ in range(2)]
    roller = threading.Thread(target=rolling)
    for thread in (roller, *lanes):
        thread.start()
    for thread in lanes:
        thread.join()
    ended.set()
    roller.join()
    with database.connect(Role.JUDGE) as judge:
        assert judge.execute("SELECT count(*) FROM raw.batch WHERE state = 'PENDING'").fetchone() == (0,)
    assert sum(turns) > 4, "days were rolled up again and again between the loads"
    assert_views_are_true(database)
    roll(database)
    assert_views_are_true(database)
