"""Status tells healthy from findings from unknown, and never one as another."""

from __future__ import annotations

from typing import Any

import pytest

from given import Sender, land, page_view, row, sender
from observing import POISON, as_superuser, drain, judging, land_every_fate, refuse_poison
from sitevault.cli.status import report
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import Exit, UnknownTenantError
from sitevault.observe import health
from sitevault.observe.health import Health


@pytest.fixture
def spa(database: Database) -> Sender:
    return sender(database)


def examine(database: Database, **options: Any) -> Health:
    with judging(database) as judge:
        return health.examine(judge, Config(), **options)


def load_enough(database: Database, who: Sender) -> None:
    for first in range(0, 70, 14):
        land(database, [row(who, page_view(first + n)) for n in range(14)])
        drain(database)


def test_a_healthy_house_is_0(database: Database, spa: Sender) -> None:
    load_enough(database, spa)
    found = examine(database, deep=True)
    assert (found.findings, found.unknowns) == ([], [])
    assert found.exit_code is Exit.OK
    assert "Healthy." in "\n".join(report(found))


def test_a_house_without_events_is_unknown_not_healthy(database: Database, spa: Sender) -> None:
    found = examine(database)
    assert found.exit_code is Exit.UNKNOWN
    assert "Healthy." not in "\n".join(report(found))


def test_a_few_events_are_inconclusive_not_healthy(database: Database, spa: Sender) -> None:
    land(database, [row(spa, page_view(n)) for n in range(5)])
    drain(database)
    found = examine(database)
    assert found.findings == []
    assert found.exit_code is Exit.UNKNOWN
    assert any("54 more clean events needed" in sentence for sentence in found.unknowns)


def test_findings_beat_the_unknown(database: Database, spa: Sender) -> None:
    land_every_fate(database, spa)
    found = examine(database)
    assert found.unknowns
    assert found.exit_code is Exit.FINDINGS
    assert [(one.code, one.sqlstate, one.events) for one in found.failures] == [
        ("load.rejected_by_database", "23514", 1)
    ]


def test_one_event_in_error_among_many_is_a_finding_though_the_rate_holds(database: Database, spa: Sender) -> None:
    load_enough(database, spa)
    refuse_poison(database)
    land(database, [row(spa, page_view(n)) for n in range(200, 260)])
    land(database, [row(spa, page_view(1000, page_title=POISON))])
    drain(database)
    found = examine(database)
    assert {kpi.name: kpi.verdict for kpi in found.kpis}["Error Rate"] == "PASS"
    assert found.exit_code is Exit.FINDINGS


def test_pending_beyond_the_limit_is_an_alarm_that_names_the_cure(database: Database, spa: Sender) -> None:
    land(database, [row(spa, page_view(1))])
    assert examine(database).findings == []
    as_superuser(database, "UPDATE raw.batch SET received_timestamp = now() - interval '2 minutes'")
    (finding,) = [one for one in examine(database).findings if "pending" in one]
    assert "no worker is connected: sitevault serve --only worker" in finding
    with database.connect(Role.WORKER):
        assert any("a worker is connected" in one for one in examine(database).findings)


def test_a_requeued_event_is_as_old_as_its_requeuing(database: Database, spa: Sender) -> None:
    land_every_fate(database, spa)
    drain(database)
    as_superuser(
        database, "UPDATE raw.dead_letter SET status = 'PENDING', requeued_at = now() - interval '2 minutes'"
    )
    assert (examine(database).pending_seconds or 0) == pytest.approx(120, abs=30)


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        ("UPDATE ops.ledger_d SET vaulted = vaulted - 1", "accounted for (+1)"),
        ("DROP TABLE raw.landed_event_p{tomorrow}", "partitions for 1 days only"),
        (
            "INSERT INTO raw.landed_event SELECT tenant_hk, api_key_hk, batch_id, raw_event_id, event_id, "
            "'2001-01-01', client_ip, user_agent, origin, geo_hint, protocol, payload "
            "FROM raw.landed_event LIMIT 1",
            "rows in its default partition",
        ),
        ("DELETE FROM business.site_event_nl", "Processing Success Rate is"),
    ],
)
def test_damage_is_a_finding(database: Database, spa: Sender, damage: str, finding: str) -> None:
    load_enough(database, spa)
    with judging(database) as judge:
        (tomorrow,) = judge.execute(
            "SELECT to_char((now() AT TIME ZONE 'UTC')::date + 1, 'YYYYMMDD')"
        ).fetchone() or ("",)
    as_superuser(database, damage.replace("{tomorrow}", tomorrow))
    found = examine(database)
    assert any(finding in sentence for sentence in found.findings), found.findings
    assert found.exit_code is Exit.FINDINGS


def test_only_a_recount_sees_rows_that_vanished_with_their_account(database: Database, spa: Sender) -> None:
    load_enough(database, spa)
    as_superuser(
        database,
        "UPDATE ops.ledger_d SET landed = landed + 1, vaulted = vaulted + 1",
    )
    assert examine(database).exit_code is Exit.OK
    found = examine(database, deep=True)
    assert found.exit_code is Exit.FINDINGS
    assert any("the events themselves are 70" in sentence for sentence in found.findings)


def test_what_takes_too_long_is_unknown(database: Database, spa: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    load_enough(database, spa)
    monkeypatch.setattr(health, "KPI_SECONDS", 0.001)
    monkeypatch.setattr(health, "RECOUNT_SECONDS", 0.001)
    as_superuser(
        database, "INSERT INTO raw.landed_event SELECT e.* FROM raw.landed_event e, generate_series(1, 500)"
    )
    found = examine(database, deep=True)
    assert found.kpis == ()
    assert found.exit_code is Exit.UNKNOWN
    assert len(found.unknown) == 2


def test_one_tenants_status_is_of_its_events_only(database: Database, spa: Sender) -> None:
    other = sender(database, "Test Company")
    land_every_fate(database, other)
    load_enough(database, spa)
    found = examine(database, tenant_bk=spa.tenant_bk)
    assert [line.tenant_bk for line in found.ledger.lines] == [spa.tenant_bk]
    assert found.failures == ()
    assert found.exit_code is Exit.OK
    with pytest.raises(UnknownTenantError):
        examine(database, tenant_bk="nobody")


def test_rules_that_fired_are_counted_with_their_meaning(database: Database, spa: Sender) -> None:
    land(database, [row(spa, {"event_type": "click", "n": n}) for n in range(3)])
    drain(database)
    fired = {one.code: (one.events, one.meaning) for one in examine(database).rules}
    assert fired["validate.session_missing"] == (3, "The event names no session.")
