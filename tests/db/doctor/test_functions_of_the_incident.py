"""On the reproduced incident each fault class is found where it stands, and on our own house none is."""

from __future__ import annotations

import pytest
from tests.doctoring import snapshot_of

from sitevault.db.connect import Database, connect
from sitevault.demo import incident
from sitevault.doctor.checks import functions
from sitevault.doctor.model import Check, Verdict

INGEST = "raw.ingest_site_event"
STAGING, CATCH_UP = "staging.process_site_event", "staging.catch_up_site_event"
BROWSER = "staging.browser_of"

EXPECTED: dict[str, set[tuple[str, str]]] = {
    # function, and the words of the line that the finding has to point at
    "F1": {(INGEST, "SELECT tenant_hk INTO v_tenant_hk")},
    "F2": {
        (STAGING, "v_event_data->>'evt_type'"),
        (STAGING, "v_event_data->>'session_id'"),
        (CATCH_UP, "v_payload->>'evt_type'"),
        (CATCH_UP, "v_payload->>'session_id'"),
    },
    "F3": {(STAGING, "jsonb_object_keys")},
    "F4": {(STAGING, "processed_timestamp = CURRENT_TIMESTAMP"), (BROWSER, "util.classify_user_agent")},
    "F5": {(STAGING, "UPDATE raw.site_tracking_events_r"), (CATCH_UP, "UPDATE raw.site_tracking_events_r")},
    "F6": {(BROWSER, "WHEN OTHERS THEN")},
    "F7": {(STAGING, "")},
    "F8": {(STAGING, "'tenant_verified', true")},
}


def of_class(alias: str) -> Check:
    return next(check for check in functions.CHECKS if check.alias == alias)


@pytest.mark.parametrize("alias", EXPECTED)
def test_each_fault_of_the_incident_is_found_with_its_line(incident_database: Database, alias: str) -> None:
    with snapshot_of(incident_database.admin_conninfo) as snapshot:
        outcome = of_class(alias).look(snapshot)
        sources = {
            one.full_name: (f"{one.schema}.{one.name}", one.source.split("\n")) for one in snapshot.functions
        }
    assert outcome.verdict is Verdict.PROBLEM
    found = set()
    for finding in outcome.findings:
        name, lines = sources[finding.evidence[0].object]
        line = finding.evidence[0].line
        assert line is not None
        text = lines[line - 1].strip()
        matching = {words for function, words in EXPECTED[alias] if function == name and words in text}
        assert matching, f"{alias} points at {name}:{line} {text}"
        found |= {(name, words) for words in matching}
    assert found == EXPECTED[alias]


@pytest.mark.parametrize("check", functions.CHECKS, ids=lambda check: str(check.alias))
def test_the_mended_incident_shows_none_of_them(incident_database: Database, check: Check) -> None:
    with connect(incident_database.admin_conninfo) as admin:
        incident.mend(admin)
    with snapshot_of(incident_database.admin_conninfo) as snapshot:
        outcome = check.look(snapshot)
    assert outcome.findings == ()
    assert outcome.count > 0


@pytest.mark.parametrize("check", functions.CHECKS, ids=lambda check: str(check.alias))
def test_our_own_functions_have_none_of_them(database: Database, check: Check) -> None:
    with snapshot_of(database) as snapshot:
        outcome = check.look(snapshot)
    assert outcome.findings == ()
    assert outcome.count > 0


def test_a_key_that_is_missing_comes_with_the_one_that_is_there_and_how_sure_that_is(
    incident_database: Database,
) -> None:
    with snapshot_of(incident_database.admin_conninfo) as snapshot:
        messages = [one.message for one in of_class("F2").look(snapshot).findings]
    assert any(
        "evt_type" in one and "0 of 5" in one and "event_type" in one and "5 of 5" in one for one in messages
    )
    assert any("event_data.session_id, nested," in one and "at least 55%" in one for one in messages)


def test_the_same_pattern_elsewhere_is_named_with_each_finding(incident_database: Database) -> None:
    with snapshot_of(incident_database.admin_conninfo) as snapshot:
        findings = of_class("F5").look(snapshot).findings
    for finding in findings:
        others = {one.subject for one in findings} - {finding.subject}
        assert {evidence.object for evidence in finding.siblings} == others
    assert len(findings) == 3
