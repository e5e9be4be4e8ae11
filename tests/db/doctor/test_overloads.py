"""A mended function beside the one that is called is found; overloads with a use of their own are left alone."""

from __future__ import annotations

import pytest
from tests.doctoring import run, snapshot_of

from sitevault.doctor.checks.functions.orphan_overload import CHECK
from sitevault.doctor.model import Finding, Verdict

BODY = """DECLARE n bigint; BEGIN SELECT count(*) INTO n FROM raw.site_tracking_events_r
WHERE raw_event_id = p_id AND processing_status = 'PENDING'; RETURN n + {}; END"""
OLD = f"CREATE FUNCTION staging.f(p_id bigint) RETURNS bigint LANGUAGE plpgsql AS $${BODY.format(1)}$$"
NEW = (
    f"CREATE FUNCTION staging.f(p_id bigint, p_mode text) RETURNS bigint LANGUAGE plpgsql AS $${BODY.format(2)}$$"
)
CALLS_OLD = "CREATE FUNCTION staging.caller() RETURNS bigint LANGUAGE sql AS 'SELECT staging.f(1)'"
CALLS_NEW = "CREATE FUNCTION staging.other() RETURNS bigint LANGUAGE sql AS $$SELECT staging.f(1, 'x')$$"


def findings(guide: str, *statements: str) -> tuple[Finding, ...]:
    run(guide, "SET check_function_bodies = off", *statements)
    with snapshot_of(guide) as snapshot:
        return CHECK.look(snapshot).findings


def test_the_new_version_that_nothing_calls_is_a_problem(guide: str) -> None:
    (found,) = findings(guide, OLD, NEW, CALLS_OLD)
    assert found.verdict is Verdict.PROBLEM
    assert found.subject == "staging.f(p_id bigint, p_mode text)"
    assert [one.object for one in found.evidence[1:]] == ["staging.caller()"]


def test_two_versions_that_nothing_calls_are_a_warning(guide: str) -> None:
    (found,) = findings(guide, OLD, NEW)
    assert found.verdict is Verdict.WARNING


@pytest.mark.parametrize(
    "statements",
    [
        (OLD, NEW, CALLS_OLD, CALLS_NEW),
        (
            OLD.replace("bigint)", "bigint)").replace(BODY.format(1), "BEGIN RETURN staging.f(p_id, 'x'); END"),
            NEW,
            CALLS_OLD,
        ),
        (OLD, NEW.replace("p_id bigint, p_mode text", "p_id text, p_mode text"), CALLS_OLD),
        (OLD, NEW.replace(BODY.format(2), "BEGIN RAISE NOTICE '%', p_mode; RETURN 0; END"), CALLS_OLD),
    ],
    ids=["each is called", "one calls the other", "they take different things", "they do different things"],
)
def test_overloads_with_a_use_of_their_own_are_left_alone(guide: str, statements: tuple[str, ...]) -> None:
    assert findings(guide, *statements) == ()
