"""One attempt: as whom, in whose context, one statement, undone whatever happens; and what came of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from sitevault.audit.canaries import PROBES, Canaries, Canary
from sitevault.audit.catalog.snapshot import Relation, Snapshot
from sitevault.db.connect import Database
from sitevault.db.roles import Role

Statement = sql.SQL | sql.Composed | str

DENIED = ("42501", "25006", "0A000")
"""insufficient_privilege, read_only_sql_transaction, feature_not_supported (COPY under row-level security)."""


@dataclass(frozen=True)
class Outcome:
    """What the server did: rows and their number, or its error with everything it said."""

    rows: list[Any]
    count: int
    sqlstate: str | None = None
    said: str = ""

    @property
    def refused(self) -> bool:
        return self.sqlstate in DENIED

    @property
    def text(self) -> str:
        """Everything that came back, as one text to be searched."""
        return self.said + as_text(self.rows)

    @property
    def summary(self) -> str:
        if self.sqlstate:
            return self.sqlstate
        return f"{self.count} rows" if self.count >= 0 else "done"


def as_text(value: Any) -> str:
    """A value with everything in it, bytes in hexadecimal."""
    if isinstance(value, bytes | bytearray | memoryview):
        raw = bytes(value)
        return raw.hex() + raw.decode("utf-8", "ignore")
    if isinstance(value, dict):
        return " ".join(as_text(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return " ".join(map(as_text, value))
    return str(value)


@dataclass
class Ground:
    """What the probes stand on: a database, its catalog, the canaries, and a connection per role."""

    database: Database
    snapshot: Snapshot
    canaries: Canaries
    _connections: dict[Role, psycopg.Connection[Any]] = field(default_factory=dict)

    @property
    def a(self) -> Canary:
        return self.canaries.a

    @property
    def b(self) -> Canary:
        return self.canaries.b

    def connection(self, role: Role) -> psycopg.Connection[Any]:
        """This role's own login; the owner, who has none, is the migrator after SET ROLE."""
        login = Role.MIGRATOR if role is Role.OWNER else role
        if login not in self._connections or self._connections[login].closed:
            self._connections[login] = self.database.connect(
                login, autocommit=True, application_name="audit-probe"
            )
        return self._connections[login]

    def close(self) -> None:
        for conn in self._connections.values():
            conn.close()

    @property
    def tenant_tables(self) -> list[Relation]:
        """Tables of tenants, their partitions left out."""
        return [one for one in self.snapshot.tenant_tables if not one.is_partition]

    @property
    def partitions(self) -> list[Relation]:
        return [one for one in self.snapshot.tenant_tables if one.is_partition]

    @property
    def relations(self) -> list[Relation]:
        """Tables and views with tenants' rows, wherever they are; also those that lost their tenant column."""
        return [one for one in self.snapshot.relations if one.kind in "rpvmf" and not one.is_partition]

    @contextlib.contextmanager
    def acting(self, role: Role, context: str | None) -> Iterator[psycopg.Connection[Any]]:
        """A transaction as a role, in a context (hexadecimal, or any text; None: none at all), always undone."""
        conn = self.connection(role)
        with conn.transaction(force_rollback=True):
            conn.execute(PROBES.allow_writing)
            conn.execute(PROBES.give_up_soon)
            if context is not None:
                conn.execute(PROBES.set_context, {"context": context})
            if role is Role.OWNER:
                conn.execute(PROBES.act_as_owner)
            yield conn

    def attempt(
        self, conn: psycopg.Connection[Any], statement: Statement, parameters: dict[str, Any] | None = None
    ) -> Outcome:
        """Run one statement within `acting`, and undo it alone."""
        try:
            with conn.transaction(force_rollback=True):
                cursor = conn.execute(statement, parameters)
                return Outcome(cursor.fetchall() if cursor.description else [], cursor.rowcount)
        except psycopg.Error as error:
            return Outcome([], 0, error.sqlstate, everything_said(error))

    def stream(self, conn: psycopg.Connection[Any], statement: sql.Composed, *, out: bool) -> Outcome:
        """COPY to or from the client; inwards an empty stream, which is refused before it is read, or not."""
        try:
            with conn.transaction(force_rollback=True), conn.cursor().copy(statement) as copy:
                rows = [bytes(piece) for piece in copy] if out else []
                return Outcome(rows, len(rows))
        except psycopg.Error as error:
            return Outcome([], 0, error.sqlstate, everything_said(error))


def everything_said(error: psycopg.Error) -> str:
    """Message, detail, hint, context and names of an error: each may quote a value."""
    diag = error.diag
    parts = (
        diag.message_primary, diag.message_detail, diag.message_hint, diag.context, diag.table_name,
        diag.column_name, diag.constraint_name,
    )  # fmt: skip
    return " | ".join(part for part in parts if part) or str(error)
