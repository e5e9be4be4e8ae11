"""The round: one read-only transaction, verdicts that are honest about what could not be seen."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from tests import given
from tests.doctoring import look, run, snapshot_of
from tests.observing import drain

from sitevault.db.connect import Database
from sitevault.doctor.checks.catalog import invalid_indexes
from sitevault.doctor.model import Check, Outcome, Verdict
from sitevault.doctor.run import choose, examine
from sitevault.doctor.snapshot import ForeignDatabaseError, Options, Shape, Snapshot
from sitevault.errors import Exit, UsageError


def check(look: Callable[[Snapshot], Outcome]) -> Check:
    return Check("test.one", "Title", "why", "what", "how", look)


def test_our_own_house_is_known(database: Database) -> None:
    with snapshot_of(database) as snapshot:
        assert snapshot.shape is Shape.HOUSE


def test_the_guides_tables_are_known(guide: str) -> None:
    with snapshot_of(guide) as snapshot:
        assert snapshot.shape is Shape.GUIDE
        assert snapshot.event_table.full_name == "raw.site_tracking_events_r"
        assert snapshot.event_table.status == "processing_status"


def test_any_other_database_is_refused_as_misuse(new_database: Callable[[str], Database]) -> None:
    empty = new_database("template0").admin_conninfo
    with snapshot_of(empty) as snapshot, pytest.raises(ForeignDatabaseError) as refused:
        examine(snapshot)
    assert refused.value.exit_code == Exit.USAGE


def test_nothing_can_be_written_through_a_snapshot_even_by_a_superuser(guide: str) -> None:
    with snapshot_of(guide) as snapshot, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        snapshot.connection.execute("DELETE FROM auth.tenant_h")


def test_every_part_of_our_own_house_can_be_read_by_the_auditor(database: Database) -> None:
    who = given.sender(database)
    given.land(database, [given.row(who, given.page_view(number)) for number in range(9)])
    drain(database)
    with snapshot_of(database) as snapshot:
        assert all(
            (
                snapshot.server, snapshot.relations, snapshot.columns, snapshot.constraints, snapshot.indexes,
                snapshot.functions, snapshot.triggers, snapshot.sequences, snapshot.table_use,
                snapshot.audited.roles, snapshot.tenants,
            )
        )  # fmt: skip
        assert snapshot.sessions is not None
        profile = snapshot.payloads.groups[who.tenant_hk, "page_view"]
        assert profile.events == 9
        assert profile.present("page_url") == 9


def test_every_part_of_the_guides_shape_can_be_read(guide: str) -> None:
    run(
        guide,
        "CREATE FUNCTION staging.f(v jsonb) RETURNS text LANGUAGE sql AS $$ SELECT v ->> 'event_type' $$",
        "INSERT INTO auth.tenant_h VALUES ('\\x01', 'spa')",
        "INSERT INTO raw.site_tracking_events_r (tenant_hk, raw_payload) VALUES ('\\x01',"
        """ '{"event_type": "page_view", "event_data": {"session_id": "s"}}')""",
    )
    with snapshot_of(guide) as snapshot:
        (function,) = snapshot.functions
        assert (function.full_name, function.language) == ("staging.f(v jsonb)", "sql")
        assert function.source.strip() == "SELECT v ->> 'event_type'"
        assert snapshot.payloads.groups[b"\x01", "page_view"].present("event_data.session_id") == 1
        assert snapshot.tenant_name(b"\x01") == "spa"
        assert snapshot.sequences
        assert snapshot.sessions is not None


def test_what_may_not_be_read_is_unknown_and_costs_only_the_checks_that_need_it(guide: str) -> None:
    run(
        guide,
        "CREATE ROLE doctor_blind LOGIN PASSWORD 'x' IN ROLE pg_read_all_stats",
        "GRANT USAGE ON SCHEMA auth TO doctor_blind",
    )
    try:
        with snapshot_of(guide) as snapshot:
            snapshot.connection.execute("SET LOCAL ROLE doctor_blind")
            blind, seeing = examine(
                snapshot,
                [check(lambda one: Outcome("events", one.payloads.events)), invalid_indexes.CHECK],
            ).examined
        assert blind.verdict is Verdict.UNKNOWN
        assert "permission denied" in blind.outcome.findings[0].message
        assert seeing.verdict is Verdict.OK
    finally:
        run(guide, "DROP OWNED BY doctor_blind", "DROP ROLE doctor_blind")


def test_what_takes_too_long_is_unknown(guide: str) -> None:
    def slow(snapshot: Snapshot) -> Outcome:
        def reading() -> int:
            snapshot.connection.execute("SET LOCAL statement_timeout = '50ms'")
            snapshot.connection.execute("SELECT pg_sleep(5)")
            return 1

        return Outcome("things", snapshot.read("things", reading))

    (finding,) = look(guide, check(slow)).findings
    assert finding.verdict is Verdict.UNKNOWN
    assert "took longer" in finding.message


def test_a_check_that_breaks_is_unknown_and_quotes_nothing(guide: str) -> None:
    def broken(_: Snapshot) -> Outcome:
        raise KeyError("a value of somebody's payload")

    (finding,) = look(guide, check(broken)).findings
    assert finding.verdict is Verdict.UNKNOWN
    assert "KeyError" in finding.message
    assert "payload" not in finding.message


def test_checks_are_chosen_by_id_and_by_room() -> None:
    assert choose(["catalog.invalid_indexes"]) == (invalid_indexes.CHECK,)
    assert invalid_indexes.CHECK in choose(["catalog"])
    assert invalid_indexes.CHECK not in choose([], ["catalog"])
    with pytest.raises(UsageError):
        choose(["nonsense"])


@pytest.mark.parametrize("indexed", [True, False])
def test_a_large_table_is_read_at_its_end_and_here_and_there(guide: str, indexed: bool) -> None:
    run(
        guide,
        "INSERT INTO auth.tenant_h VALUES ('\\x01', 'spa')",
        "INSERT INTO raw.site_tracking_events_r (tenant_hk, received_timestamp, raw_payload)"
        " SELECT '\\x01', now() - (30000 - n) * interval '1 minute',"
        """ jsonb_build_object('event_type', 'page_view', 'n', n, 'x', repeat(md5(n::text), 40))"""
        " FROM generate_series(1, 30000) AS n",
    )
    if not indexed:
        run(
            guide,
            "ALTER TABLE staging.site_tracking_events_s DROP CONSTRAINT site_tracking_events_s_raw_event_id_fkey",
            "ALTER TABLE raw.site_tracking_events_r DROP CONSTRAINT site_tracking_events_r_pkey",
        )
    with snapshot_of(guide, Options(sample=1000)) as snapshot:
        events = snapshot.sample.events
        numbers = [event.payload["n"] for event in events]
        assert 100 < len(set(numbers)) <= 1000
        assert not snapshot.sample.complete
        if indexed:
            assert max(numbers) == 30000
            # the window is a week, which is 10,080 of these minutes
            assert 19_900 <= min(numbers) < 20_500
            assert len([number for number in numbers if number < 29_000]) > 400


def test_where_the_window_is_empty_the_newest_of_any_age_are_looked_at(guide: str) -> None:
    run(
        guide,
        "INSERT INTO auth.tenant_h VALUES ('\\x01', 'spa')",
        "INSERT INTO raw.site_tracking_events_r (tenant_hk, received_timestamp, raw_payload)"
        " VALUES ('\\x01', '2025-06-27', '{\"event_type\": \"page_view\"}')",
    )
    with snapshot_of(guide) as snapshot:
        assert len(snapshot.sample.events) == 1
        assert "older" in snapshot.sample.how
