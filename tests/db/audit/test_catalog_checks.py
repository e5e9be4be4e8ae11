"""Every check of the catalog passes on a fresh install, fails on what it is for, and its repair mends it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.db.audit.broken import CATALOG, Break

from sitevault.audit.catalog import CHECKS
from sitevault.audit.catalog.snapshot import Snapshot, read, read_within
from sitevault.audit.model import Finding, Verdict
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role


@pytest.fixture
def superuser(template: Database) -> Iterator[psycopg.Connection[Any]]:
    """In a transaction that is rolled back: what is broken in it, roles included, was never broken."""
    with connect(template.admin_conninfo) as conn:
        yield conn
        conn.rollback()


@pytest.fixture
def snapshot(template: Database) -> Snapshot:
    with template.connect(Role.AUDITOR, autocommit=True) as conn:
        return read(conn)


def findings(conn: psycopg.Connection[Any]) -> list[Finding]:
    snapshot = read_within(conn)
    return [finding for check in CHECKS for finding in check.run(snapshot).findings]


def test_a_fresh_install_passes_every_check_and_none_looked_at_nothing(snapshot: Snapshot) -> None:
    results = [check.run(snapshot) for check in CHECKS]
    assert [finding for result in results for finding in result.findings] == []
    assert [result.id for result in results if result.verdict is not Verdict.OK] == []


@pytest.mark.parametrize("broken", CATALOG, ids=lambda broken: broken.name.replace(" ", "-"))
def test_what_is_broken_is_named_and_its_repair_mends_it(
    superuser: psycopg.Connection[Any], broken: Break
) -> None:
    superuser.execute(broken.statements)
    superuser.execute("RESET ROLE")
    all_found = findings(superuser)
    found = [one for one in all_found if (one.check, one.object) == (broken.check, broken.object)]
    assert found, [(one.check, one.object) for one in all_found]
    for finding in found:
        superuser.execute(finding.repair.encode())
    assert [one for one in findings(superuser) if one.check == broken.check] == []


def test_every_check_is_seen_to_fail_by_some_break() -> None:
    tried = {broken.check for broken in CATALOG} | {"server.version", "server.extensions"}
    assert {check.id for check in CHECKS} == tried


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("server.version", {"version": 150013}),
        ("server.version", {"version": 140019}),
        ("server.extensions", {"extensions": ["dblink", "plpgsql"]}),
    ],
)
def test_a_server_with_a_way_around_is_named(snapshot: Snapshot, check: str, change: dict[str, Any]) -> None:
    changed = dataclasses.replace(snapshot, server=snapshot.server._replace(**change))
    (ran,) = [one.run(changed) for one in CHECKS if one.id == check]
    assert ran.verdict is Verdict.PROBLEM
