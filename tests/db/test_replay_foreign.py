"""Stuck events of a foreign database are carried by its own function, one at a time, and failures are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from sitevault.cli.main import run
from sitevault.db.connect import Database, connect
from sitevault.demo import incident
from sitevault.errors import UsageError
from sitevault.replay import foreign

BODY = "LANGUAGE plpgsql AS $$ BEGIN {} END $$"


@pytest.fixture
def conn(incident_database: Database) -> Iterator[psycopg.Connection]:
    with connect(incident_database.admin_conninfo, autocommit=True) as admin:
        yield admin


@pytest.fixture
def mended(conn: psycopg.Connection) -> psycopg.Connection:
    incident.mend(conn)
    return conn


def carry(conn: psycopg.Connection, *, dry_run: bool = False, **selected: object) -> list[tuple[int, str, str]]:
    through = foreign.choose(conn, "staging.process_site_event")
    events = foreign.select(conn, foreign.Selection(**selected))  # type: ignore[arg-type]
    done = foreign.replay(conn, through, events, dry_run=dry_run)
    return [(one.raw_event_id, one.became, one.why) for one in done.events]


def queue(conn: psycopg.Connection) -> list[tuple[str, str | None, int]]:
    return conn.execute(
        "SELECT processing_status, error_message, retry_count FROM raw.site_tracking_events_r"
        " ORDER BY raw_event_id"
    ).fetchall()


def staged(conn: psycopg.Connection) -> list[int]:
    rows = conn.execute("SELECT raw_event_id FROM staging.site_tracking_events_s ORDER BY 1").fetchall()
    return [number for (number,) in rows]


def test_a_failure_stays_written_although_the_function_rolls_its_own_back(conn: psycopg.Connection) -> None:
    ended = carry(conn)
    assert [became for _, became, _ in ended] == ["ERROR"] * 5
    for status, message, tries in queue(conn):
        assert (status, tries) == ("ERROR", 1)
        assert message is not None
        assert message.startswith("P0001 RaiseException, staging.process_site_event(bigint) line ")


def test_what_is_kept_of_a_failure_quotes_no_payload(mended: psycopg.Connection) -> None:
    text = incident.text("fixed/staging")
    mended.execute(text[: text.index("EXCEPTION\n")] + text[text.index("END;\n$function$") :])  # type: ignore[call-overload]
    mended.execute(
        """UPDATE raw.site_tracking_events_r SET raw_payload = raw_payload || '{"timestamp": "secret-value"}'"""
    )
    (ended,) = carry(mended, ids=(3,))
    assert ended[1] == "ERROR"
    assert ended[2].startswith("22007 InvalidDatetimeFormat")
    assert "secret" not in str(ended) + str(queue(mended))


def test_mended_every_event_ends_processed_once(mended: psycopg.Connection) -> None:
    assert [became for _, became, _ in carry(mended)] == ["PROCESSED"] * 5
    assert staged(mended) == [1, 2, 3, 4, 5]
    assert carry(mended) == [], "nothing is stuck any more"


def test_events_in_error_are_carried_as_well(conn: psycopg.Connection) -> None:
    carry(conn)
    incident.mend(conn)
    assert [became for _, became, _ in carry(conn, statuses=("ERROR",))] == ["PROCESSED"] * 5
    assert queue(conn)[0][:2] == ("PROCESSED", None)


def test_one_poisoned_event_costs_only_itself(mended: psycopg.Connection) -> None:
    mended.execute(
        "UPDATE raw.site_tracking_events_r SET raw_payload = raw_payload - 'event_type' WHERE raw_event_id = 3"
    )
    ended = carry(mended)
    assert [number for number, became, _ in ended if became == "PROCESSED"] == [1, 2, 4, 5]
    assert ended[2] == (3, "ERROR", "23502, as the function wrote down")


def test_a_dry_run_says_the_same_and_changes_nothing(mended: psycopg.Connection) -> None:
    before = mended.execute("SELECT r::text, r.xmin FROM raw.site_tracking_events_r r ORDER BY 1").fetchall()
    assert [became for _, became, _ in carry(mended, dry_run=True)] == ["PROCESSED"] * 5
    assert staged(mended) == []
    assert (
        mended.execute("SELECT r::text, r.xmin FROM raw.site_tracking_events_r r ORDER BY 1").fetchall() == before
    )


def test_an_event_with_a_staging_row_is_left_alone(mended: psycopg.Connection) -> None:
    carry(mended, ids=(2,))
    mended.execute(
        "ALTER TABLE staging.site_tracking_events_s DROP CONSTRAINT site_tracking_events_s_raw_event_id_key"
    )
    mended.execute("UPDATE raw.site_tracking_events_r SET processing_status = 'PENDING' WHERE raw_event_id = 2")
    ((_, became, why),) = carry(mended, ids=(2,))
    assert (became, "duplicate" in why) == ("left alone", True)
    assert staged(mended) == [2]


def test_an_event_somebody_else_is_at_is_left_alone(
    mended: psycopg.Connection, incident_database: Database
) -> None:
    with connect(incident_database.admin_conninfo) as other:
        other.execute("SELECT FROM raw.site_tracking_events_r WHERE raw_event_id = 1 FOR UPDATE")
        ended = carry(mended)
    assert [became for _, became, _ in ended] == ["left alone", *["PROCESSED"] * 4]


def test_a_function_that_claims_processed_without_a_row_is_not_believed(mended: psycopg.Connection) -> None:
    mended.execute(
        "CREATE OR REPLACE FUNCTION staging.process_site_event(p_raw_event_id bigint) RETURNS boolean "  # type: ignore[call-overload]
        + BODY.format(
            "UPDATE raw.site_tracking_events_r SET processing_status = 'PROCESSED' WHERE raw_event_id ="
            " p_raw_event_id; RETURN true; -- staging.site_tracking_events_s\n"
        )
    )
    through = foreign.choose(mended, None)
    done = foreign.replay(mended, through, foreign.select(mended, foreign.Selection()))
    assert (done.outcomes, done.complete) == ({"PROCESSED?": 5}, False)


def test_selection_by_tenant_and_status(mended: psycopg.Connection) -> None:
    assert carry(mended, tenant="THE_ONE_SPA") == [], "they are under another tenant still"
    assert len(carry(mended, tenant="TEST_COMPANY_20250601", statuses=("PENDING",))) == 5


def test_of_several_functions_one_has_to_be_named(conn: psycopg.Connection) -> None:
    with pytest.raises(UsageError, match="2 functions carry events"):
        foreign.choose(conn, None)
    assert foreign.choose(conn, "staging.catch_up_site_event").name == "staging.catch_up_site_event"
    with pytest.raises(UsageError, match="No such function"):
        foreign.choose(conn, "staging.nothing")


def test_sitevaults_own_database_is_refused(database: Database) -> None:
    with pytest.raises(UsageError, match="its own pipeline"), foreign.opened(database.admin_conninfo):
        pass


def test_the_command_asks_shows_and_carries(
    mended: psycopg.Connection, incident_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("replay", "--database", incident_database.admin_conninfo)
    assert run((*words, "--dry-run")) == 0
    assert "Would end: 5 PROCESSED." in capsys.readouterr().out
    assert run(words) == 2
    assert "Nobody is there to ask" in capsys.readouterr().err
    assert run((*words, "--yes", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["outcomes"] == {"PROCESSED": 5}
    assert run((*words, "--yes")) == 0
    assert "no event was stuck" in capsys.readouterr().out


@pytest.mark.parametrize(
    "other", [("--rebuild", "vault"), ("--set", "a=1"), ("--sqlstate", "23502"), ("--id", "x")]
)
def test_what_only_our_own_pipeline_can_do_is_refused(
    incident_database: Database, capsys: pytest.CaptureFixture[str], other: tuple[str, ...]
) -> None:
    assert run(("replay", "--database", incident_database.admin_conninfo, *other)) == 2
    capsys.readouterr()
