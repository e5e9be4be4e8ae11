"""Indexes that are missing or not valid, and constraints that were never checked against old rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from psycopg import sql

from sitevault.repair.ground import SQL
from sitevault.repair.makers.case import Case, NotMended
from sitevault.repair.model import Action, Statement


def rebuild_invalid(case: Case) -> Iterable[Action | NotMended]:
    """REINDEX of every invalid index. Writers to its table wait while it is built."""
    for (index,) in case.ground.all(SQL.invalid_indexes):
        yield _action(
            case, index, "The index is built again; writers to its table wait.", f"REINDEX INDEX {index}"
        )


def validate(case: Case) -> Iterable[Action | NotMended]:
    """VALIDATE of every constraint that was added NOT VALID; one that rows break is left, and named."""
    for table, name in case.ground.all(SQL.unvalidated_constraints):
        statement = f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}"
        yield _action(case, f"{table} {name}", "Every row is checked; nobody is locked out.", statement)


def make_missing(case: Case) -> Iterable[Action | NotMended]:
    """The index that a finding names the column of."""
    yield from _missing(case)


def _missing(case: Case) -> Iterator[Action | NotMended]:
    for finding in case.findings:
        schema, _, table = finding.subject.partition(".")
        column = finding.evidence[0].says.removeprefix("no index on ")
        name = sql.Identifier(f"{table}_{column}_repaired_ix")
        statement = sql.SQL("CREATE INDEX {} ON {} ({})").format(
            name, sql.Identifier(schema, table), sql.Identifier(column)
        )
        yield _action(
            case,
            f"{finding.subject} ({column})",
            "The index is built; writers to the table wait. On a large table build it by hand, CONCURRENTLY.",
            statement.as_string(None),
        )


def _action(case: Case, subject: str, reason: str, statement: str) -> Action:
    return Action(check=case.check, subject=subject, reason=reason, steps=(Statement(statement),))
