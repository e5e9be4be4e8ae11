"""The incident's database, mended by plans: tenants by their keys, functions compared on real events."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from sitevault import clock
from sitevault.db.catalog import capture
from sitevault.db.connect import Database, connect
from sitevault.demo import incident
from sitevault.errors import UsageError
from sitevault.repair import run, shadow
from sitevault.repair.ground import SQL, Ground
from sitevault.repair.makers import functions, indexes, reassign_guide
from sitevault.repair.makers.case import Case, NotMended
from sitevault.repair.model import Action, RepairRefusedError
from sitevault.repair.plan import Asked, assemble, propose
from sitevault.repair.session import Opened, foreign

FIX = incident.text("fixed/staging")
TENANTS = """
SELECT r.raw_event_id, t.tenant_bk
FROM raw.site_tracking_events_r AS r INNER JOIN auth.tenant_h AS t USING (tenant_hk)
ORDER BY 1
"""


@pytest.fixture
def opened(new_database: Callable[[str], Database]) -> Iterator[Opened]:
    conninfo = new_database("template0").admin_conninfo
    with connect(conninfo) as conn:
        incident.build(conn)
    with foreign(conninfo) as there:
        yield there


def case(opened: Opened, **asked: object) -> Case:
    return Case(opened.ground, opened.reader, "tenancy.provenance", (), clock.now(), **asked)  # type: ignore[arg-type]


def made(ground: Ground, text: str) -> list[Action | NotMended]:
    return list(functions.make(ground, "fix.sql", text))


def test_what_keys_prove_is_reassigned_and_nothing_else(opened: Opened) -> None:
    plan = assemble(opened.ground, reassign_guide.make(case(opened)))
    run.apply(opened.ground, plan, "tester")
    tenants = dict(opened.ground.all(TENANTS))
    assert {number for number, tenant in tenants.items() if tenant == "THE_ONE_SPA"} == {4, 5}
    assert {tenants[number] for number in (1, 2, 3)} == {"TEST_COMPANY_20250601"}
    assert assemble(opened.ground, reassign_guide.make(case(opened))).actions == ()


def test_staging_rows_move_with_their_event(opened: Opened) -> None:
    incident.mend(opened.ground.conn, "staging")
    opened.ground.conn.execute("SELECT staging.process_pending_events()")
    run.apply(opened.ground, assemble(opened.ground, reassign_guide.make(case(opened))), "tester")
    apart = (
        "SELECT count(*) FROM raw.site_tracking_events_r AS r"
        " INNER JOIN staging.site_tracking_events_s AS s USING (raw_event_id)"
    )
    assert opened.ground.one(apart + " WHERE r.tenant_hk <> s.tenant_hk") == (0,)
    assert opened.ground.one(apart) == (5,)


def test_an_event_nothing_proves_moves_only_by_hand_and_with_a_reason(opened: Opened) -> None:
    with pytest.raises(UsageError, match="needs a reason"):
        propose(opened, Asked(assign={1: "HARBOUR_CLINIC"}))
    plan = propose(opened, Asked(assign={1: "HARBOUR_CLINIC"}, reason="the customer said so"))
    assert any("the customer said so" in action.reason for action in plan.actions)
    run.apply(opened.ground, plan, "tester")
    assert dict(opened.ground.all(TENANTS))[1] == "HARBOUR_CLINIC"


def test_a_tenant_that_does_not_exist_is_said(opened: Opened) -> None:
    plan = propose(opened, Asked(assign={1: "NOBODY"}, reason="x"))
    assert any("event 1" in line for line in plan.not_mended)


def test_a_corrected_function_is_shown_by_what_it_gains(opened: Opened) -> None:
    (action,) = made(opened.ground, FIX)
    assert isinstance(action, Action)
    shown = "\n".join(action.shows)
    assert (
        "process_site_event(p_raw_event_id bigint), 5 events: before 5 failed with P0001; after 5 PROCESSED"
        in shown
    )
    assert "event_type 5" in shown
    assert "gained" in shown


def test_a_function_that_loses_fields_says_which(opened: Opened) -> None:
    """What the official fix of the incident did, seen by no KPI: it dropped the enrichment."""
    incident.mend(opened.ground.conn, "staging")
    shown = shadow.compare(
        opened.ground, FIX.replace("v_details->>'device_type'", "NULL").replace("v_details->>'user_id'", "NULL")
    )
    assert any("lost: device_type 5, user_id 5" in line for line in shown)


def test_comparing_leaves_no_trace(opened: Opened) -> None:
    before = capture(opened.ground.conn).digest
    rows = opened.ground.all("SELECT r::text, r.xmin FROM raw.site_tracking_events_r AS r ORDER BY 1")
    shadow.compare(opened.ground, FIX)
    assert capture(opened.ground.conn).digest == before
    assert opened.ground.all("SELECT r::text, r.xmin FROM raw.site_tracking_events_r AS r ORDER BY 1") == rows


def test_a_fix_with_a_new_signature_beside_the_old_one_is_refused(opened: Opened) -> None:
    text = FIX.replace("(p_raw_event_id bigint)", "(p_raw_event_id bigint, p_tenant_hk bytea)")
    (refused,) = made(opened.ground, text)
    assert isinstance(refused, NotMended)
    assert "would stand beside" in refused.why


def test_a_file_that_changes_tables_is_refused(opened: Opened) -> None:
    (refused,) = made(
        opened.ground, FIX + "; ALTER TABLE raw.site_tracking_events_r ADD processed_timestamp timestamptz"
    )
    assert isinstance(refused, NotMended)
    assert "more than functions" in refused.why


def test_a_file_that_is_not_sql_is_refused(opened: Opened) -> None:
    (refused,) = made(opened.ground, "CREATE FUNKTION x")
    assert isinstance(refused, NotMended)
    assert refused.why.startswith("42601")


def test_all_fixes_go_in_and_come_out_to_the_byte(opened: Opened) -> None:
    before = capture(opened.ground.conn)
    files = tuple((f"{name}.sql", incident.text(f"fixed/{name}")) for name in incident.FIXES)
    plan = propose(opened, Asked(files=files))
    assert (len(plan.actions), plan.not_mended) == (len(incident.FIXES), ())
    done = run.apply(opened.ground, plan, "tester")
    opened.ground.conn.execute("BEGIN; SELECT staging.process_pending_events(); ROLLBACK")
    run.undo(opened.ground, done.repair_id, "tester")
    assert [str(change.object) for change in before.changes(capture(opened.ground.conn))] == []


def test_sitevaults_own_database_is_not_taken_for_a_foreign_one(database: Database) -> None:
    with pytest.raises(RepairRefusedError, match="its own roles"), foreign(database.admin_conninfo):
        pass


def test_a_database_of_something_else_is_refused(new_database: Callable[[str], Database]) -> None:
    with (
        pytest.raises(RepairRefusedError, match="nothing here is known"),
        foreign(new_database("template0").admin_conninfo),
    ):
        pass


def test_an_invalid_index_is_built_again(opened: Opened) -> None:
    opened.ground.conn.execute(
        "UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'raw.site_tracking_events_r_status_idx'::regclass"
    )
    plan = assemble(opened.ground, indexes.rebuild_invalid(case(opened)))
    done = run.apply(opened.ground, plan, "tester")
    assert opened.ground.all(SQL.invalid_indexes) == []
    run.undo(opened.ground, done.repair_id, "tester")


def test_a_constraint_that_was_never_checked_is_checked_or_named(opened: Opened) -> None:
    opened.ground.conn.execute(
        "ALTER TABLE raw.site_tracking_events_r"
        " ADD CONSTRAINT holds CHECK (retry_count >= 0) NOT VALID,"
        " ADD CONSTRAINT broken CHECK (retry_count > 5) NOT VALID"
    )
    before = capture(opened.ground.conn)
    plan = assemble(opened.ground, indexes.validate(case(opened)))
    done = run.apply(opened.ground, plan, "tester")
    assert [name for _, name in opened.ground.all(SQL.unvalidated_constraints)] == ["broken"]
    assert any("broken" in line for line in plan.not_mended)
    run.undo(opened.ground, done.repair_id, "tester")
    assert list(before.changes(capture(opened.ground.conn))) == []


def test_a_mapping_is_rewritten_to_the_keys_that_payloads_carry(opened: Opened) -> None:
    plan = propose(opened, Asked(checks=("functions.field_contract",)))
    run.apply(opened.ground, plan, "tester")
    source = opened.ground.one(
        "SELECT prosrc FROM pg_proc WHERE oid = 'staging.process_site_event(bigint)'::regprocedure"
    )
    assert source is not None
    assert "v_event_data->>'event_type'" in source[0]
    assert "v_event_data->'event_data'->>'session_id'" in source[0]
    again = propose(opened, Asked(checks=("functions.field_contract",)))
    assert (again.actions, again.not_mended) == ((), ())


def test_no_function_is_rewritten_unasked(opened: Opened) -> None:
    plan = propose(opened, Asked())
    assert not [one for action in plan.actions for one in plan.objects if one.kind == "function"]
    assert any("functions.field_contract" in line for line in plan.not_mended)


def test_an_accessor_that_is_not_plain_is_left_to_a_person(opened: Opened) -> None:
    opened.ground.conn.execute(
        "CREATE OR REPLACE FUNCTION staging.catch_up_site_event(p_raw_event_id bigint) RETURNS void"
        " LANGUAGE plpgsql AS $f$ DECLARE v jsonb; x text; BEGIN"
        " SELECT raw_payload INTO v FROM raw.site_tracking_events_r"
        " WHERE raw_event_id = p_raw_event_id; x := jsonb_extract_path_text(v, 'evt_type'); END $f$"
    )
    plan = propose(opened, Asked(checks=("functions.field_contract",)))
    assert any("catch_up_site_event" in line and "evt_type" in line for line in plan.not_mended)
