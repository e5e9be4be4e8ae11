"""Our audit beside pgrls, another linter of row-level security, on the same broken databases.

Not part of `make test`: pgrls brings a GPL parser and a theorem prover, which have no place in our locks. To run:

    python -m venv /tmp/pgrls && /tmp/pgrls/bin/pip install pgrls==0.57.1
    SITEVAULT_PGRLS=/tmp/pgrls/bin/pgrls .venv/bin/python -m pytest tests/db/audit/test_pgrls.py

SITEVAULT_PGRLS_TABLE names a file that the lines of the table in docs/explanation/isolation.md are added to.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.db.audit.broken import CATALOG, Break

from sitevault.audit.catalog import CHECKS
from sitevault.audit.catalog.snapshot import SCHEMAS, read
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role, provision_roles

PROGRAM = os.environ.get("SITEVAULT_PGRLS", "")
TABLE = os.environ.get("SITEVAULT_PGRLS_TABLE")

pytestmark = pytest.mark.skipif(not PROGRAM, reason="SITEVAULT_PGRLS names no pgrls to compare with")

Violation = tuple[str, str]

# What pgrls names where the fault shows, and we where it is.
_CONSEQUENCES = {
    "SEC023": "role.powers",  # each policy of a role that bypasses row-level security
    "SEC044": "grant.public",  # default privileges
    "SEC046": "function.context",  # each policy that calls an IMMUTABLE function of the session
    "SEC048": "rls.forced",  # a role that can become the owner of a table that is not FORCEd
}


@pytest.fixture
def superuser(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with connect(database.admin_conninfo, autocommit=True) as conn:
        yield conn
        conn.execute("RESET ROLE")
        conn.execute("DROP ROLE IF EXISTS sitevault_helper")
        conn.execute("REVOKE sitevault_worker FROM sitevault_reader; REVOKE sitevault_owner FROM pg_monitor")
        conn.execute("ALTER ROLE sitevault_reader RESET ALL; ALTER ROLE sitevault_judge RESET ALL")
        provision_roles(conn, {})


@pytest.fixture(scope="session")
def always_said(template: Database) -> set[Violation]:
    """What pgrls says of a fresh install: decisions of the design; docs/explanation/isolation.md has them."""
    return violations(template)


def violations(database: Database) -> set[Violation]:
    """(rule, place) of everything pgrls finds."""
    where = ["--database-url", database.admin_conninfo, "--schemas", ",".join(SCHEMAS)]
    ran = subprocess.run(
        [PROGRAM, "lint", *where, "--format", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode in (0, 1), ran.stderr
    return {(one["rule_id"], one["location"]) for one in json.loads(ran.stdout)["violations"]}


@pytest.mark.parametrize("broken", CATALOG, ids=lambda broken: broken.name.replace(" ", "-"))
def test_whatever_pgrls_finds_we_find(
    database: Database, superuser: psycopg.Connection[Any], always_said: set[Violation], broken: Break
) -> None:
    superuser.execute(broken.statements)
    superuser.execute("RESET ROLE")
    theirs = violations(database) - always_said
    with database.connect(Role.AUDITOR, autocommit=True) as conn:
        snapshot = read(conn)
    ours = {(one.check, one.object) for check in CHECKS for one in check.run(snapshot).findings}
    if TABLE:
        rules = ", ".join(sorted({rule for rule, _ in theirs})) or "—"
        with Path(TABLE).open("a") as file:
            file.write(f"| {broken.name} | `{broken.check}` | {rules} |\n")
    assert (broken.check, broken.object) in ours
    for rule, place in theirs:
        same = any(_same_place(place, name) for _, name in ours)
        assert same or _CONSEQUENCES.get(rule) == broken.check, (rule, place, ours)


def _same_place(theirs: str, ours: str) -> bool:
    """Their place is ours, or a policy, column or index of it, or the other way round."""
    ours = ours.partition("(")[0]
    return theirs.startswith(ours) or ours.startswith(theirs) or theirs.split(".")[:2] == ours.split(".")[:2]
