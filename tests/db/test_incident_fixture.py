"""The reproduced incident fails as the real one did, and mended it ends as the real one should have."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from sitevault.db.connect import Database, connect
from sitevault.demo import incident

Incident = Callable[[str], psycopg.Connection]

PENDING = [(number, "PENDING", None) for number in range(1, 6)]


@pytest.fixture
def incident_at(new_database: Callable[[str], Database]) -> Iterator[Incident]:
    """Makes the incident as it was at one version of the staging function."""
    open_ones: list[psycopg.Connection] = []

    def make(version: str) -> psycopg.Connection:
        conn = connect(new_database("template0").admin_conninfo)
        open_ones.append(conn)
        incident.build(conn, version)
        conn.commit()
        return conn

    yield make
    for conn in open_ones:
        conn.close()


def queue(conn: psycopg.Connection) -> list[tuple[int, str, str | None]]:
    return conn.execute(
        "SELECT raw_event_id, processing_status, error_message FROM raw.site_tracking_events_r ORDER BY 1"
    ).fetchall()


def test_five_events_wait_and_the_handler_loses_why(incident_at: Incident) -> None:
    conn = incident_at("v4")
    assert conn.execute("SELECT * FROM staging.process_pending_events()").fetchone() == (0, 5)
    conn.commit()
    assert queue(conn) == PENDING


def test_all_five_are_under_the_oldest_tenant_and_two_of_them_are_the_spas(incident_at: Incident) -> None:
    conn = incident_at("v1")
    found = conn.execute(
        """SELECT p.tenant_name, o.tenant_name FROM raw.site_tracking_events_r r
           JOIN auth.tenant_profile_s p ON p.tenant_hk = r.tenant_hk
           LEFT JOIN auth.api_key_h k ON k.api_key_hk = r.api_key_hk
           LEFT JOIN auth.tenant_profile_s o ON o.tenant_hk = k.tenant_hk
           ORDER BY r.raw_event_id"""
    ).fetchall()
    assert found == [
        ("Test Company", None),
        ("Test Company", "Test Company"),
        ("Test Company", None),
        ("Test Company", "The ONE Spa"),
        ("Test Company", "The ONE Spa"),
    ]
    assert conn.execute("SELECT count(*) FROM auth.tenant_h").fetchone() == (12,)


@pytest.mark.parametrize("version", incident.FAULTS)
def test_every_version_says_only_that_it_failed(incident_at: Incident, version: str) -> None:
    conn = incident_at(version)
    with pytest.raises(psycopg.errors.RaiseException, match="Failed to process site event 1"):
        conn.execute("SELECT staging.process_site_event(1)")


def _without_handler(conn: psycopg.Connection, version: str) -> None:
    """The version's function again, its handler cut out."""
    text = incident.text(f"staging_{version}")
    start, end = text.index("EXCEPTION\n"), text.index("END;\n$function$")
    conn.execute(text[:start] + text[end:])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("version", "sqlstate"),
    [("v1", "23502"), ("v2", "21000"), ("v3", "21000")],
)
def test_behind_the_handler_each_version_has_its_own_cause(
    incident_at: Incident, version: str, sqlstate: str
) -> None:
    conn = incident_at(version)
    _without_handler(conn, version)
    with pytest.raises(psycopg.Error) as caught:
        conn.execute("SELECT staging.process_site_event(1)")
    assert caught.value.sqlstate == sqlstate


def test_v3_with_its_other_faults_away_fails_on_the_column_that_is_not_there(incident_at: Incident) -> None:
    conn = incident_at("v3")
    text = incident.text("staging_v3").replace("jsonb_object_keys(v_event_data)", "1").replace("evt_", "event_")
    conn.execute(text[: text.index("EXCEPTION\n")] + text[text.index("END;\n$function$") :])  # type: ignore[call-overload]
    with pytest.raises(psycopg.errors.UndefinedColumn, match="processed_timestamp"):
        conn.execute("SELECT staging.process_site_event(1)")


def test_mended_all_five_are_processed_with_their_fields_and_a_full_score(incident_at: Incident) -> None:
    conn = incident_at("v4")
    incident.mend(conn)
    assert conn.execute("SELECT * FROM staging.process_pending_events()").fetchone() == (5, 0)
    staged = conn.execute(
        """SELECT event_type, session_id, browser, device_type, validation_status, enrichment_status,
                  quality_score::float8, enrichment_data->'tenant_verified'
           FROM staging.site_tracking_events_s ORDER BY raw_event_id"""
    ).fetchall()
    assert staged == [
        ("page_view", "s-1001", "Firefox", "desktop", "VALID", "ENRICHED", 1.0, None),
        ("page_view", "s-1001", "Firefox", "desktop", "VALID", "ENRICHED", 1.0, True),
        ("button_click", "s-1001", "Firefox", "desktop", "VALID", "ENRICHED", 1.0, None),
        ("page_view", "s-2001", "Safari", "mobile", "VALID", "ENRICHED", 1.0, False),
        ("form_submit", "s-2001", "Safari", "mobile", "VALID", "ENRICHED", 1.0, False),
    ]
    assert conn.execute("SELECT business.load_site_events()").fetchone() == (5,)


def test_mended_an_error_is_written_and_kept(incident_at: Incident) -> None:
    conn = incident_at("v4")
    incident.mend(conn, "staging")
    conn.execute(
        "UPDATE raw.site_tracking_events_r SET raw_payload = raw_payload - 'event_type' WHERE raw_event_id = 3"
    )
    assert conn.execute("SELECT staging.process_site_event(3)").fetchone() == (False,)
    conn.commit()
    assert [row[:2] for row in queue(conn)][2] == (3, "ERROR")
    assert queue(conn)[2][2].startswith("23502: ")  # type: ignore[union-attr]


def test_mending_the_staging_function_leaves_the_second_door_broken(incident_at: Incident) -> None:
    conn = incident_at("v4")
    incident.mend(conn, "staging")
    with pytest.raises(psycopg.errors.NotNullViolation):
        conn.execute("SELECT staging.catch_up_site_event(2)")


def test_the_mended_door_takes_the_tenant_from_the_key(incident_at: Incident) -> None:
    conn = incident_at("v4")
    incident.mend(conn)
    with pytest.raises(psycopg.errors.InvalidAuthorizationSpecification), conn.transaction():
        conn.execute("SELECT raw.ingest_site_event('{}')")
    conn.execute("SELECT raw.ingest_site_event('{}', sha256('key of THE_ONE_SPA'))")
    assert conn.execute(
        """SELECT t.tenant_bk FROM raw.site_tracking_events_r r JOIN auth.tenant_h t USING (tenant_hk)
           ORDER BY r.raw_event_id DESC LIMIT 1"""
    ).fetchone() == ("THE_ONE_SPA",)
