"""The steps of a plan as the SQL a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString, assert_never

from psycopg import sql

from sitevault.repair.model import RowChange, RowInsert, Statement, Step


def said(step: Step) -> str:
    """One step as SQL. A row that changes its tenant is taken from the one and given to the other."""
    match step:
        case Statement():
            return step.sql
        case RowInsert():
            names = sql.SQL(", ").join(map(sql.Identifier, step.values))
            values = sql.SQL(", ").join(map(sql.Literal, step.values.values()))
            return _text(
                sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(*step.relation), names, values)
            )
        case RowChange():
            table, key = sql.Identifier(*step.relation), _pairs(step.key, " AND ")
            if step.set is None:
                return _text(sql.SQL("DELETE FROM {} WHERE {}").format(table, key))
            return _text(sql.SQL("UPDATE {} SET {} WHERE {}").format(table, _pairs(step.set, ", "), key))
        case _:
            assert_never(step)


def _pairs(values: Mapping[str, str | None], between: LiteralString) -> sql.Composed:
    return sql.SQL(between).join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in values.items()
    )


def _text(statement: sql.Composed) -> str:
    return statement.as_string(None)
