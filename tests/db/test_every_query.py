"""Every named query is one PostgreSQL understands on a fresh schema, and one that somebody uses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sitevault.db import queries
from sitevault.db.connect import Database, connect
from sitevault.demo.release.town import build

ROOT = Path(__file__).parents[2]
NAMED = [(path.stem, name) for path in sorted(queries.DIRECTORY.glob("*.sql")) for name in queries.load(path.stem)]
# Those with a {name} are completed by psycopg.sql for each table they try; the audit's own tests run them.
COMPLETE = [(stage, name) for stage, name in NAMED if "{" not in getattr(queries.load(stage), name)]
_PLACEHOLDER = re.compile(r"%\((\w+)\)[sbt]|%%")

_HARMLESS = (
    "could not determine data type of parameter",  # the driver's own type makes it definite
    "cannot insert multiple commands into a prepared statement",  # the migrations' ledger, made by each migrate
)


OF_THE_GUIDE = {"incident", "demo_release"}
"""Stages whose queries are about the guide's own tables."""


@pytest.fixture(scope="module")
def guide_schema(template: Database) -> Iterator[psycopg.Connection]:
    with connect(template.admin_conninfo, autocommit=True) as admin:
        admin.execute("CREATE DATABASE every_query_guide TEMPLATE template0")
        with connect(template.clone("every_query_guide").admin_conninfo) as conn:
            build(conn)
            yield conn
        admin.execute("DROP DATABASE every_query_guide")


@pytest.fixture(scope="module")
def fresh_schema(template: Database) -> Iterator[psycopg.Connection]:
    with connect(template.admin_conninfo, autocommit=True) as conn:
        yield conn


@pytest.mark.parametrize(("stage", "name"), COMPLETE)
def test_it_can_be_prepared(
    fresh_schema: psycopg.Connection, guide_schema: psycopg.Connection, stage: str, name: str
) -> None:
    numbers: dict[str, int] = {}

    def numbered(found: re.Match[str]) -> str:
        return "%" if found[0] == "%%" else f"${numbers.setdefault(found[1], len(numbers) + 1)}"

    text = _PLACEHOLDER.sub(numbered, getattr(queries.load(stage), name))
    conn = guide_schema if stage in OF_THE_GUIDE else fresh_schema
    result = conn.pgconn.prepare(b"", text.encode())
    said = result.error_message.decode()
    assert not said or any(harmless in said for harmless in _HARMLESS), said


def test_every_name_is_used() -> None:
    read = [path.read_text("utf-8") for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.py")]
    used = set(re.findall(r"\w+", "\n".join(read)))
    assert [f"{stage}.{name}" for stage, name in NAMED if name not in used] == []
