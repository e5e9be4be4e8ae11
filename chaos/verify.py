"""The account: what the clients know against what the tables hold, in one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg import sql

from chaos.journal import Journal
from sitevault.db import queries
from sitevault.marts import refresh
from sitevault.observe import ledger

SQL = queries.load("verify", Path(__file__).parent)
_RECOMPUTED: dict[str, LiteralString] = {
    "check_session_mart": refresh.SQL.recompute_sessions,
    "check_page_mart": refresh.SQL.recompute_pages,
    "check_event_mart": refresh.SQL.recompute_events,
}
CHECKS = tuple(name for name in SQL if name.startswith("check_"))
EXAMPLES = 5


class Check(msgspec.Struct, frozen=True):
    """One thing that must hold, how often it did not, and where."""

    name: str
    holds: str
    violations: int
    examples: list[str]


class Found(msgspec.Struct, frozen=True):
    """How many events are where. `events` counts those sent again once."""

    landed: int
    events: int
    vaulted: int
    duplicate: int
    invalid: int
    error: int


class Account(msgspec.Struct, frozen=True):
    """The whole account of a run."""

    checks: list[Check]
    found: Found

    @property
    def broken(self) -> list[Check]:
        """What does not hold."""
        return [check for check in self.checks if check.violations]


def verify(conn: psycopg.Connection[Any], journal: Journal) -> Account:
    """Every check, by a superuser's connection, in a transaction that is rolled back."""
    with conn.transaction(force_rollback=True):
        conn.execute("SET LOCAL work_mem = '256MB'")
        _load(conn, journal)
        checks = [*_of_the_clients(journal), *(_check(conn, name) for name in CHECKS), _recount(conn)]
        row = conn.execute(SQL.count_found).fetchone()
        assert row is not None
        return Account(checks, Found(*row))


def description(name: str) -> str:
    """What a named query proves, as its file says."""
    text = Path(__file__).with_name("verify.sql").read_text("utf-8")
    return text.partition(f"-- name: {name}\n-- ")[2].partition("\n")[0]


def _load(conn: psycopg.Connection[Any], journal: Journal) -> None:
    conn.execute(SQL.make_sent)
    with conn.cursor() as cursor, cursor.copy(SQL.copy_sent) as copy:
        for one in journal.sent:
            copy.write_row(
                (one.number, one.tenant_hk, one.digest, one.fate, one.repeatable, one.refused, one.event_id)
            )
    for statement in (SQL.index_sent, SQL.make_copy, SQL.make_place, SQL.analyze):
        conn.execute(statement)


def _of_the_clients(journal: Journal) -> Iterator[Check]:
    """What no database is needed for."""
    unanswered = [f"event {one.number}" for one in journal.unanswered()]
    yield Check(
        "everything_is_answered", "Every event that was sent again until it was answered, was.",
        len(unanswered), unanswered[:EXAMPLES],
    )  # fmt: skip
    yield Check(
        "answers_agree", "No event was answered with two ids, or both stored and refused.",
        len(journal.contradictions), journal.contradictions[:EXAMPLES],
    )  # fmt: skip


def _check(conn: psycopg.Connection[Any], name: str) -> Check:
    query = sql.SQL(_bare(getattr(SQL, name)))
    checked = query.format(recomputed=sql.SQL(_bare(_RECOMPUTED[name]))) if name in _RECOMPUTED else query
    rows = conn.execute(sql.SQL("SELECT what FROM ({}) AS violation LIMIT 100000").format(checked)).fetchall()
    found = [what or "a row" for (what,) in rows]
    return Check(name.removeprefix("check_"), description(name), len(found), found[:EXAMPLES])


def _bare(query: LiteralString) -> LiteralString:
    """As it can stand in another query."""
    return query.rstrip().rstrip(";")


def _recount(conn: psycopg.Connection[Any]) -> Check:
    """The product's own account of itself must come to the same verdict."""
    recount = ledger.recount(conn)
    found = [f"{one.tenant_bk}: {one.place}" for one in recount.disagreements]
    if not recount.confirmed and not found:
        found = ledger.unbalanced((*recount.ledger.lines, *recount.counted.lines))
    return Check(
        "recount", "The product's own recount (`sitevault status --recount`) confirms its ledger.",
        len(found), found[:EXAMPLES],
    )  # fmt: skip
