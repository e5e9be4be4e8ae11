"""Where a repair works: one connection, whose rows it may touch, and the tables of the record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from sitevault.db import queries
from sitevault.repair.model import DatabaseId, RepairError, RepairRefusedError

SQL = queries.load("repair")

LOCK_TIMEOUT = "3s"
STATEMENT_TIMEOUT = "10min"

Image = Mapping[str, str | None]
"""A row, each column as PostgreSQL's text."""


@dataclass
class Ground:
    """`house`: a Sitevault database, worked on as the owner under row-level security, one tenant at a time."""

    conn: psycopg.Connection[Any]
    house: bool
    _columns: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One transaction in which waits are bounded and values read as the same text whoever asks.

        Raises RepairError while another repair works.
        """
        with self.conn.transaction():
            if self.house:
                self.conn.execute(SQL.become_owner)
            self.conn.execute(
                SQL.bound_waiting, {"lock_timeout": LOCK_TIMEOUT, "statement_timeout": STATEMENT_TIMEOUT}
            )
            self.conn.execute(SQL.same_text_everywhere)
            if self.one(SQL.only_one) != (True,):
                raise RepairError(
                    "Another repair of this database is under way.", fix="Wait for it, then try again."
                )
            yield

    def within(self, tenant: str | None) -> None:
        """What follows touches this tenant's rows only (hex; None: nobody's); foreign databases know no limit."""
        if self.house:
            self.conn.execute(SQL.within_tenant, {"tenant": tenant or ""})

    @property
    def acting(self) -> str:
        """The role that acts, quoted."""
        return sql.Identifier("sitevault_owner" if self.house else self.conn.info.user).as_string(self.conn)

    def one(self, statement: Any, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        return self.conn.cursor(row_factory=tuple_row).execute(statement, parameters).fetchone()

    def all(self, statement: Any, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self.conn.cursor(row_factory=tuple_row).execute(statement, parameters).fetchall()

    def database_id(self) -> DatabaseId:
        row = self.one(SQL.database_id)
        if row is None:
            raise RuntimeError("the connected database is not in pg_database")
        return DatabaseId(*row)

    def record(self, template: str) -> sql.Composed:
        """A query on the record: tables in `ops`, or in a foreign database in a schema of their own."""
        schema = "ops" if self.house else "sitevault_repair"
        return sql.SQL(template).format(
            repair=sql.Identifier(schema, "repair"),
            object=sql.Identifier(schema, "repair_object"),
            row=sql.Identifier(schema, "repair_row"),
        )

    def has_record(self) -> bool:
        return self.house or self.one(SQL.has_record) == (True,)

    # -- rows ------------------------------------------------------------------------------------------------

    def columns(self, relation: tuple[str, str]) -> dict[str, str]:
        """Each column's type, in order. Raises RepairRefusedError where the relation is not there."""
        if relation not in self._columns:
            name = sql.Identifier(*relation).as_string(self.conn)
            found = self.all(SQL.columns, {"relation": name})
            if not found:
                raise RepairRefusedError(f"The table {name} is not there.")
            self._columns[relation] = dict(found)
        return self._columns[relation]

    def image(self, relation: tuple[str, str], key: Mapping[str, str | None]) -> dict[str, str | None] | None:
        """The one row with this key, locked; None where there is none. Raises RepairRefusedError for several."""
        columns = self.columns(relation)
        found = self.conn.cursor(row_factory=tuple_row).execute(
            sql.SQL("SELECT {} FROM {} WHERE {} FOR UPDATE").format(
                sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in columns),
                sql.Identifier(*relation),
                self._where(relation, key),
            )
        )
        rows = found.fetchmany(2)
        if len(rows) > 1:
            raise RepairRefusedError(f"{'.'.join(relation)} has several rows with {dict(key)}.")
        return dict(zip(columns, rows[0], strict=True)) if rows else None

    def update(self, relation: tuple[str, str], key: Mapping[str, str | None], values: Image) -> None:
        self._exactly_one(
            sql.SQL("UPDATE {} SET {} WHERE {}").format(
                sql.Identifier(*relation),
                sql.SQL(", ").join(
                    sql.SQL("{} = {}").format(sql.Identifier(name), self._typed(relation, name, value))
                    for name, value in values.items()
                ),
                self._where(relation, key),
            ),
            relation,
        )

    def delete(self, relation: tuple[str, str], key: Mapping[str, str | None]) -> None:
        self._exactly_one(
            sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(*relation), self._where(relation, key)),
            relation,
        )

    def insert(self, relation: tuple[str, str], values: Image) -> None:
        self._exactly_one(
            sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
                sql.Identifier(*relation),
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(self._typed(relation, name, value) for name, value in values.items()),
            ),
            relation,
        )

    def _where(self, relation: tuple[str, str], key: Mapping[str, str | None]) -> sql.Composed:
        return sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), self._typed(relation, name, value))
            for name, value in key.items()
        )

    def _typed(self, relation: tuple[str, str], name: str, value: str | None) -> sql.Composed:
        kind = self.columns(relation).get(name)
        if kind is None:
            raise RepairRefusedError(f"{'.'.join(relation)} has no column {name}.")
        # the type is as the server wrote it
        return sql.SQL("{}::{}").format(sql.Literal(value), sql.SQL(kind))

    def _exactly_one(self, statement: sql.Composed, relation: tuple[str, str]) -> None:
        changed = self.conn.execute(statement).rowcount
        if changed != 1:
            raise RepairRefusedError(f"{changed} rows of {'.'.join(relation)} would have changed, not one.")
