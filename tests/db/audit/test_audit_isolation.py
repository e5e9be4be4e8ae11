"""The audit as a whole: what it says, what it leaves behind, and that it works beside a busy pipeline."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests import given

from sitevault.audit.canaries import planted
from sitevault.audit.catalog.snapshot import read
from sitevault.audit.model import Provenance, Verdict
from sitevault.audit.run import audit_isolation
from sitevault.audit.sarif import as_sarif
from sitevault.cli.main import run
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.db.roles import Role
from sitevault.errors import SitevaultError
from sitevault.worker.run import Worker

Contents = dict[str, str]


@pytest.fixture
def superuser(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with connect(database.admin_conninfo, autocommit=True) as conn:
        yield conn


def contents(conn: psycopg.Connection[Any]) -> Contents:
    """A digest of every table, and where every sequence stands."""
    tables = conn.execute(
        "SELECT n.nspname, c.relname, c.relkind::text"
        " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'S')"
    ).fetchall()
    found = {}
    for schema, name, kind in tables:
        query = "SELECT last_value::text FROM {}" if kind == "S" else "SELECT t::text FROM {} AS t ORDER BY 1"
        rows = conn.execute(sql.SQL(query).format(sql.Identifier(schema, name))).fetchall()
        found[f"{schema}.{name}"] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def busy(database: Database) -> None:
    """Three tenants with processed and pending events."""
    senders = [given.sender(database, f"Tenant {number}") for number in range(3)]
    given.land(database, [given.row(one, given.page_view(n)) for one in senders for n in range(20)])
    Worker(database, Config(), lanes=1).drain()
    given.land(database, [given.row(senders[0], given.page_view(100))])


def test_the_audit_changes_nothing_it_did_not_create(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    busy(database)
    before = contents(superuser)
    report = audit_isolation(database)
    assert report.verdict is Verdict.OK
    assert contents(superuser) == before


def test_an_audit_of_a_broken_database_leaves_nothing_behind_either(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    busy(database)
    superuser.execute("ALTER TABLE mart.session_f DISABLE ROW LEVEL SECURITY")
    superuser.execute("GRANT INSERT, UPDATE, DELETE, TRUNCATE ON mart.session_f TO sitevault_reader")
    before = contents(superuser)
    report = audit_isolation(database)
    assert report.verdict is Verdict.PROBLEM
    assert contents(superuser) == before


def test_what_a_killed_audit_left_the_next_one_removes(
    database: Database, superuser: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(superuser)
    with database.connect(Role.AUDITOR, autocommit=True) as auditor:
        snapshot = read(auditor)
    monkeypatch.setattr("sitevault.audit.canaries.remove", lambda *_: None)
    with planted(database, snapshot):
        pass
    monkeypatch.undo()
    assert contents(superuser) != before
    audit_isolation(database, chosen=lambda name: name == "context.control")
    assert contents(superuser) == before


def test_two_audits_do_not_run_at_once(database: Database) -> None:
    with database.connect(Role.AUDITOR, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('sitevault audit'))")
        with pytest.raises(SitevaultError, match="Another audit"):
            audit_isolation(database)


def test_it_passes_while_events_land_and_a_worker_works(database: Database) -> None:
    one = given.sender(database)
    stop, working = threading.Event(), threading.Event()
    worker = threading.Thread(target=Worker(database, Config(poll_seconds=0.05)).run, args=(working,))

    def keep_landing() -> None:
        number = 0
        while not stop.wait(0.05):
            given.land(database, [given.row(one, given.page_view(number + n)) for n in range(50)])
            number += 50

    lander = threading.Thread(target=keep_landing)
    worker.start()
    lander.start()
    try:
        report = audit_isolation(database)
    finally:
        stop.set()
        lander.join()
        working.set()
        worker.join()
    assert [probe for probe in report.probes if probe.verdict is not Verdict.OK] == []
    assert report.verdict is Verdict.OK
    Worker(database, Config(), lanes=1).drain()
    with database.connect(Role.JUDGE) as judge:
        row = judge.execute(
            "SELECT sum(landed) = sum(vaulted + duplicate + invalid), count(DISTINCT tenant_hk) FROM ops.ledger_d"
        ).fetchone()
    assert row == (True, 1)


def test_every_events_tenant_is_derived_again_from_its_key(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    mine, other, gone = (given.sender(database, name) for name in ("Mine", "Other", "Gone"))
    given.land(database, [given.row(one, given.page_view(n)) for one in (mine, other, gone) for n in range(3)])
    superuser.execute(
        "UPDATE raw.landed_event SET tenant_hk = %s WHERE raw_event_id ="
        " (SELECT min(raw_event_id) FROM raw.landed_event WHERE tenant_hk = %s)",
        [mine.tenant_hk, other.tenant_hk],
    )
    superuser.execute("UPDATE raw.landed_event SET api_key_hk = '\\x00' WHERE tenant_hk = %s", [gone.tenant_hk])
    report = audit_isolation(database, chosen=lambda name: name == "provenance")
    assert {_counts(one) for one in report.provenance} == {
        (mine.tenant_bk, 3, 1, 0),
        (other.tenant_bk, 2, 0, 0),
        (gone.tenant_bk, 0, 0, 3),
    }
    assert report.verdict is Verdict.PROBLEM


def _counts(one: Provenance) -> tuple[str, int, int, int]:
    return one.tenant_bk, one.consistent, one.contradiction, one.unverifiable


def test_a_vault_row_under_another_tenant_than_its_landing_is_a_contradiction(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    mine, other = given.sender(database, "Mine"), given.sender(database, "Other")
    given.land(database, [given.row(mine, given.page_view(1))])
    Worker(database, Config(), lanes=1).drain()
    superuser.execute("UPDATE business.site_event_nl SET tenant_hk = %s", [other.tenant_hk])
    report = audit_isolation(database, chosen=lambda name: name == "provenance")
    assert {_counts(one) for one in report.provenance} == {(mine.tenant_bk, 1, 0, 0), (other.tenant_bk, 0, 1, 0)}


def test_sarif_names_each_finding_with_its_rule_and_its_repair(
    database: Database, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute("GRANT TRUNCATE ON mart.session_f TO sitevault_reader")
    log = as_sarif(audit_isolation(database, chosen=lambda name: name.endswith((".powerful", ".truncate"))))
    (made,) = log["runs"]
    rules = {rule["id"] for rule in made["tool"]["driver"]["rules"]}
    results = {result["ruleId"]: result for result in made["results"]}
    assert set(results) == {"grant.powerful", "table.truncate"} <= rules
    assert 'REVOKE TRUNCATE ON TABLE "mart"."session_f"' in results["grant.powerful"]["message"]["text"]
    assert {result["level"] for result in made["results"]} == {"error"}
    assert log["version"] == "2.1.0"


@pytest.fixture
def pointed(database: Database, server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database.admin_conninfo)
    monkeypatch.setenv("SITEVAULT_HOME", str(server.home))


@pytest.mark.usefixtures("pointed")
def test_the_command_exits_by_what_it_found(
    superuser: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", "isolation", "--catalog", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["probes"], len(said["checks"]) > 30) == ("ok", [], True)
    superuser.execute("GRANT SELECT ON mart.session_f TO PUBLIC")
    assert run(["audit", "isolation", "--catalog"]) == 1
    shown = capsys.readouterr().out
    assert "mart.session_f: everybody has SELECT on this table" in shown
    assert 'REVOKE SELECT ON TABLE "mart"."session_f" FROM PUBLIC;' in shown
