"""A plan is carried out exactly, once, and can be taken back exactly; or nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest

from sitevault.db.catalog import capture
from sitevault.db.connect import Database, connect
from sitevault.db.restore import CannotRestoreError
from sitevault.repair import model, record, run
from sitevault.repair.ground import Ground
from sitevault.repair.model import Action, RepairError, RepairRefusedError, RowChange, RowInsert, Statement

FOREIGN = """
CREATE SCHEMA shop;
CREATE TABLE shop.thing (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text, payload json, at timestamptz
);
INSERT INTO shop.thing (owner, payload, at) VALUES
    ('a', '{"k":  1, "k": 2}', '2026-01-01 00:00:00.000001+03'), ('a', '{}', NULL), ('b', '[]', now());
CREATE FUNCTION shop.price(n integer) RETURNS integer LANGUAGE plpgsql AS $f$BEGIN RETURN n; END$f$;
COMMENT ON FUNCTION shop.price(integer) IS 'how much';
GRANT EXECUTE ON FUNCTION shop.price(integer) TO pg_monitor;
"""
DOUBLED = (
    "CREATE OR REPLACE FUNCTION shop.price(n integer) RETURNS integer LANGUAGE plpgsql "
    "AS $f$BEGIN RETURN 2 * n; /* {} %s */ END$f$"
)
THING = ("shop", "thing")


@pytest.fixture
def ground(database: Database) -> Iterator[Ground]:
    with connect(database.admin_conninfo, autocommit=True) as conn:
        conn.execute(FOREIGN)
        yield Ground(conn, house=False)


def action(*steps: model.Step) -> Action:
    return Action("functions.field_contract", "shop.price", "it is to be doubled", steps)


REWRITE = action(
    Statement(DOUBLED),
    RowChange(THING, {"id": "1"}, {"owner": "b"}),
    RowChange(THING, {"id": "2"}, None),
    RowInsert(THING, {"id": "9", "owner": "{x}", "payload": '{"a": "%s"}', "at": None}, ("id",)),
)


def things(ground: Ground) -> list[tuple[object, ...]]:
    return ground.all("SELECT id, owner, payload::text, at FROM shop.thing ORDER BY id")


def price(ground: Ground) -> object:
    return (ground.one("SELECT shop.price(21)") or [None])[0]


def test_a_plan_changes_nothing_while_it_is_made(ground: Ground) -> None:
    before, rows = capture(ground.conn), things(ground)
    plan = run.draft(ground, [REWRITE])
    assert capture(ground.conn).digest == before.digest
    assert things(ground) == rows
    assert [touched.identity for touched in plan.objects] == ["shop.price(n integer)"]


def test_it_does_what_it_says_and_undo_brings_back_every_byte(ground: Ground) -> None:
    before, rows = capture(ground.conn), things(ground)
    plan = run.draft(ground, [REWRITE])
    done = run.apply(ground, plan, "tester")
    assert (done.objects, done.rows) == (("function shop.price(n integer)",), 3)
    assert price(ground) == 42
    assert [(row[0], row[1]) for row in things(ground)] == [(1, "b"), (3, "b"), (9, "{x}")]
    run.undo(ground, done.repair_id[:12], "tester")
    assert capture(ground.conn).digest == before.digest
    assert things(ground) == rows


def test_a_plan_in_force_is_not_carried_out_again(ground: Ground) -> None:
    plan = run.draft(ground, [REWRITE])
    run.apply(ground, plan, "tester")
    rows = things(ground)
    assert run.apply(ground, plan, "tester").already
    assert things(ground) == rows


def test_an_undone_plan_can_be_carried_out_and_undone_again(ground: Ground) -> None:
    rows = things(ground)
    plan = run.draft(ground, [REWRITE])
    for _ in range(2):
        assert not run.apply(ground, plan, "tester").already
        assert not run.undo(ground, plan.digest, "tester").already
    assert things(ground) == rows


def test_a_way_back_that_does_not_lead_back_is_refused(ground: Ground) -> None:
    with pytest.raises((RepairError, CannotRestoreError), match=r"shop\.left_over"):
        run.draft(ground, [action(Statement("CREATE TABLE shop.left_over ()"))])
    assert price(ground) == 21


def test_a_statement_that_fails_changes_nothing(ground: Ground) -> None:
    rows = things(ground)
    with pytest.raises(RepairError, match="42P01"):
        run.draft(
            ground, [action(RowChange(THING, {"id": "1"}, None), Statement("SELECT FROM nowhere.x", "SELECT 1"))]
        )
    assert things(ground) == rows


def test_a_function_changed_since_the_plan_was_made_stops_it(ground: Ground) -> None:
    plan = run.draft(ground, [REWRITE])
    ground.conn.execute(DOUBLED.replace("2 *", "3 *"))
    with pytest.raises(RepairRefusedError, match=r"Changed since the plan was made: function shop\.price"):
        run.apply(ground, plan, "tester")
    assert price(ground) == 63


def test_a_row_that_is_gone_since_the_plan_was_made_stops_it(ground: Ground) -> None:
    plan = run.draft(ground, [REWRITE])
    ground.conn.execute("DELETE FROM shop.thing WHERE id = 1")
    with pytest.raises(RepairRefusedError, match="not there any more"):
        run.apply(ground, plan, "tester")
    assert price(ground) == 21


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE shop.thing SET owner = 'c' WHERE id = 1",
        DOUBLED.replace("2 *", "4 *"),
        "DELETE FROM shop.thing WHERE id = 9",
    ],
)
def test_what_was_changed_after_a_repair_is_not_lost_by_undoing(ground: Ground, change: str) -> None:
    plan = run.draft(ground, [REWRITE])
    run.apply(ground, plan, "tester")
    ground.conn.execute(change)
    rows, cost = things(ground), price(ground)
    with pytest.raises(RepairRefusedError, match=r"[Cc]hanged since|not as the repair left it"):
        run.undo(ground, plan.digest, "tester")
    assert (things(ground), price(ground)) == (rows, cost)


def test_an_edited_plan_is_refused(ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    model.write(run.draft(ground, [REWRITE]), file)
    assert model.read(file).digest
    file.write_text(file.read_text("utf-8").replace("2 * n", "5 * n"), "utf-8")
    with pytest.raises(RepairRefusedError, match="changed after it was made"):
        model.read(file)


def test_a_plan_for_another_database_is_refused(ground: Ground) -> None:
    plan = run.draft(ground, [REWRITE])
    other = msgspec.structs.replace(plan, database=msgspec.structs.replace(plan.database, oid=1))
    with pytest.raises(RepairRefusedError, match="was made for the database"):
        run.apply(ground, model.seal(other), "tester")


def test_a_lock_held_for_long_ends_in_a_clear_refusal(
    ground: Ground, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = run.draft(ground, [REWRITE])
    monkeypatch.setattr("sitevault.repair.ground.LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(run, "PAUSE_SECONDS", 0.01)
    with connect(database.admin_conninfo) as holder:
        holder.execute("LOCK TABLE shop.thing")
        with pytest.raises(RepairError, match="Somebody held a lock"):
            run.apply(ground, plan, "tester")
    assert price(ground) == 21
    assert not run.apply(ground, plan, "tester").already


def test_nothing_of_ours_stays_once_all_is_undone(ground: Ground) -> None:
    plan = run.draft(ground, [REWRITE])
    run.apply(ground, plan, "tester")
    assert [entry.state for entry in record.entries(ground)] == ["APPLIED"]
    run.undo(ground, plan.digest, "tester")
    assert record.entries(ground) == []
    assert ground.one("SELECT to_regnamespace('sitevault_repair')") == (None,)


def test_two_repairs_at_once_do_not_meet(ground: Ground, database: Database) -> None:
    plan = run.draft(ground, [REWRITE])
    with (
        connect(database.admin_conninfo) as other,
        Ground(other, house=False).transaction(),
        pytest.raises(RepairError, match="Another repair"),
    ):
        run.apply(ground, plan, "tester")
    assert price(ground) == 21


def test_a_connection_lost_in_the_middle_changes_nothing(ground: Ground, database: Database) -> None:
    rows = things(ground)
    cut = action(*REWRITE.steps, Statement("SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1"))
    with connect(database.admin_conninfo, autocommit=True) as conn, pytest.raises((psycopg.Error, RepairError)):
        run.draft(Ground(conn, house=False), [cut])
    assert (things(ground), price(ground)) == (rows, 21)
