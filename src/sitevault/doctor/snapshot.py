"""The database as the checks see it: read in one read-only transaction, part by part, when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic, LiteralString, TypeVar, overload

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from sitevault.audit.catalog import snapshot as audit
from sitevault.db import queries
from sitevault.db.catalog import CatalogSnapshot, capture
from sitevault.db.connect import connect
from sitevault.db.migrate import MigrationPlan, plan
from sitevault.doctor import queue, staged
from sitevault.doctor.payloads import Payloads, profile
from sitevault.doctor.rows import (
    Blocked,
    Column,
    Constraint,
    Function,
    Index,
    Relation,
    Sequence,
    Server,
    Session,
    TableUse,
    Trigger,
)
from sitevault.doctor.sample import KEY_COLUMNS, EventTable, Sampled, take
from sitevault.errors import ConfigurationError, Exit, SitevaultError
from sitevault.observe.health import Partitions
from sitevault.observe.ledger import SQL as HOUSE_SQL
from sitevault.observe.ledger import Ledger

SQL = queries.load("doctor")

STATEMENT_SECONDS = 10
"""What takes longer is unknown, not a burden."""

_T = TypeVar("_T")
_Row = TypeVar("_Row")


class Shape(StrEnum):
    """Whose schema it is."""

    HOUSE = "house"  # Sitevault's own
    GUIDE = "guide"  # raw.site_tracking_events_r and staging.site_tracking_events_s as plain tables


class Ground(StrEnum):
    """Where functions are tried: on a schema-only scratch copy, or on the database itself, rolled back.

    HERE is the snapshot's own transaction, which may have changed the schema already; nobody asks for it by name.
    """

    CLONE = "clone"
    TARGET = "target"
    HERE = "here"


@dataclass(frozen=True)
class Options:
    """What the person who asked wants looked at."""

    since: timedelta = timedelta(days=7)
    sample: int = 5_000
    ground: Ground | None = None
    pending_limit_seconds: int = 60


class Unreadable(SitevaultError):
    """A part of the database could not be read, so whatever needs it is unknown."""

    exit_code = Exit.UNKNOWN

    def __init__(self, part: str, error: psycopg.Error) -> None:
        self.part = part
        self.sqlstate = error.sqlstate
        super().__init__(f"{part.replace('_', ' ')} could not be read: {_reason(error)}")


class part(Generic[_T]):
    """A part of the snapshot: read when first asked for, then a value; Unreadable each time where it cannot be."""

    def __init__(self, read: Callable[[Any], _T]) -> None:
        self._read = read
        self.__doc__ = read.__doc__
        self._name = read.__name__

    @overload
    def __get__(self, snapshot: None, owner: type) -> part[_T]: ...
    @overload
    def __get__(self, snapshot: Snapshot, owner: type) -> _T: ...
    def __get__(self, snapshot: Snapshot | None, owner: type) -> part[_T] | _T:
        if snapshot is None:
            return self
        found: _T = snapshot.read(self._name, lambda: self._read(snapshot))
        return found


class Snapshot:
    """Everything the checks look at. Each part costs a query or two, whatever the size of the catalog."""

    def __init__(self, conn: psycopg.Connection[Any], conninfo: str, options: Options | None = None) -> None:
        self.options = options or Options()
        self._conn = conn
        self._conninfo = conninfo
        self._parts: dict[str, Any] = {}

    def read(self, name: str, reading: Callable[[], _T]) -> _T:
        """What `reading` returns, remembered; Unreadable, remembered too, where the database refused."""
        if name not in self._parts:
            try:
                with self._conn.transaction():  # a savepoint: what is refused costs its own part only
                    self._parts[name] = reading()
            except psycopg.Error as error:
                self._parts[name] = Unreadable(name, error)
        found = self._parts[name]
        if isinstance(found, Unreadable):
            raise found
        answer: _T = found
        return answer

    def rows(
        self, query: LiteralString, row: type[_Row], parameters: Mapping[str, object] | None = None
    ) -> list[_Row]:
        """A query's rows as values; within a part, so that a refusal is contained."""
        with self._conn.cursor(row_factory=class_row(row)) as cursor:
            return cursor.execute(query, parameters).fetchall()

    def rows_despite_locks(self, query: LiteralString, row: type[_Row]) -> list[_Row]:
        """The same, of a query that can do without what needs a lock: who holds one is what we look for."""
        try:
            with self._conn.transaction():
                return self.rows(query, row, {"careful": False})
        except psycopg.errors.LockNotAvailable:
            return self.rows(query, row, {"careful": True})

    def rows_of_events(
        self, query: LiteralString, row: type[_Row], parameters: Mapping[str, object] | None = None
    ) -> list[_Row]:
        """The same, of a query that names the table of events by placeholders."""
        with self._conn.cursor(row_factory=class_row(row)) as cursor:
            return cursor.execute(self.event_table.compose(query), parameters).fetchall()

    @property
    def is_house(self) -> bool:
        """It is Sitevault's own schema."""
        return self.shape is Shape.HOUSE

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """The read-only transaction, for a reading of a check's own: `snapshot.read("name", lambda: ...)`."""
        return self._conn

    @property
    def conninfo(self) -> str:
        """How it is connected; holds the password."""
        return self._conninfo

    def connect(self) -> psycopg.Connection[Any]:
        """Another connection as the same user, for what is tried and rolled back."""
        return connect(self._conninfo)

    # -- the server -------------------------------------------------------------------------------------------

    @part
    def server(self) -> Server:
        """The server, its clock and who is connected."""
        return self.rows(SQL.server, Server)[0]

    @part
    def sessions(self) -> list[Session]:
        """Every session of this database, and whom it waits for."""
        return self.rows(SQL.sessions, Session)

    @part
    def blocked(self) -> list[Blocked]:
        """Who waits for a lock, for how long, and for whom."""
        return self.rows(SQL.blocked, Blocked)

    @part
    def transactions_behind(self) -> int:
        """How many transactions began since the oldest that is still running."""
        (behind,) = self._conn.execute(SQL.transactions_behind).fetchone() or (0,)
        return int(behind)

    @part
    def definitions(self) -> CatalogSnapshot:
        """Every object with its definition, to be compared."""
        return capture(self._conn)

    @part
    def migrations(self) -> MigrationPlan:
        """What this version would do to the schema; ask only where it is ours."""
        return plan(self._conn)

    @part
    def migrated_seconds(self) -> float:
        """How long ago the newest migration or set of objects was applied."""
        (seconds,) = self._conn.execute(SQL.migrated_seconds).fetchone() or (0.0,)
        return float(seconds)

    @part
    def partitions(self) -> list[Partitions]:
        """How far ahead of the clock the house's partitions are."""
        return [Partitions(*row) for row in self._conn.execute(HOUSE_SQL.partitions)]

    @part
    def sees_all_sessions(self) -> bool:
        """Whether the connected role is shown what others do."""
        (seen,) = self._conn.execute(SQL.sees_all_sessions).fetchone() or (False,)
        return bool(seen)

    # -- the catalog ------------------------------------------------------------------------------------------

    @part
    def relations(self) -> list[Relation]:
        """Tables, partitions, views, sequences that are nobody else's."""
        return self.rows_despite_locks(SQL.relations, Relation)

    @part
    def columns(self) -> list[Column]:
        """Their columns."""
        return self.rows_despite_locks(SQL.columns, Column)

    @part
    def constraints(self) -> list[Constraint]:
        """Their constraints."""
        return self.rows(SQL.constraints, Constraint)

    @part
    def indexes(self) -> list[Index]:
        """Their indexes, with their use."""
        return self.rows_despite_locks(SQL.indexes, Index)

    @part
    def functions(self) -> list[Function]:
        """Every function and procedure somebody made, with its source."""
        return self.rows(SQL.functions, Function)

    @part
    def triggers(self) -> list[Trigger]:
        """Every trigger somebody made."""
        return self.rows(SQL.triggers, Trigger)

    @part
    def sequences(self) -> list[Sequence]:
        """Sequences and how far they are."""
        return self.rows(SQL.sequences, Sequence)

    @part
    def table_use(self) -> list[TableUse]:
        """Sizes, dead rows, vacuums and transaction ages."""
        return self.rows_despite_locks(SQL.table_use, TableUse)

    @part
    def audited(self) -> audit.Snapshot:
        """The catalog as the audit of isolation reads it."""
        return audit.read_within(self._conn)

    # -- the events -------------------------------------------------------------------------------------------

    @cached_property
    def shape(self) -> Shape:
        """Our own house or the guide's tables. Raises ForeignDatabaseError for anything else."""
        kinds = {(one.schema, one.name): one.kind for one in self.relations}
        if kinds.get(("raw", "landed_event")) == "p" and ("ops", "ledger_d") in kinds:
            return Shape.HOUSE
        if kinds.get(("raw", "site_tracking_events_r")) in ("r", "p"):
            return Shape.GUIDE
        raise ForeignDatabaseError(
            f"The database {self.server.database} is neither Sitevault's nor of the guide's shape: it has no "
            "table raw.site_tracking_events_r.",
            fix="Name another database with --database, or set this one up.",
            command="sitevault init",
        )

    @cached_property
    def event_table(self) -> EventTable:
        """Where the payloads are, and by which names of columns."""
        if self.shape is Shape.HOUSE:
            return EventTable.of_the_house()
        return EventTable.of_the_guide(self.columns, self.indexes)

    @part
    def sample(self) -> Sampled:
        """Landed events: all of them where they are few, else the newest and a spread over the window."""
        return take(self._conn, self.event_table, self.server.now, self.options.since, self.options.sample)

    @part
    def payloads(self) -> Payloads:
        """Which keys the payloads carry, per tenant and event type: presence and kinds, never values."""
        return profile(self.sample.events)

    @part
    def waiting(self) -> list[queue.Waiting]:
        """Who waits, and since when."""
        return queue.read_waiting(self)

    @part
    def failures(self) -> list[queue.FailureRow]:
        """What failed, by what was said of it."""
        return queue.read_failures(self)

    @part
    def workers(self) -> queue.Workers:
        """Who is at work."""
        return queue.read_workers(self)

    @part
    def rhythms(self) -> list[queue.Rhythm]:
        """When each tenant's events came."""
        return queue.read_rhythms(self)

    @part
    def ledger(self) -> Ledger:
        """The house's books; ask only where it is ours."""
        return queue.read_ledger(self)

    @part
    def carried(self) -> list[staged.Carried]:
        """Where the sampled events are in staging."""
        return staged.read_carried(self)

    @part
    def orphans(self) -> staged.Orphaned:
        """The newest staged rows, and those whose landed event is gone."""
        return staged.read_orphans(self)

    @part
    def hashes(self) -> list[staged.Recomputed]:
        """Hub keys computed again; ask only where the house is ours."""
        return staged.read_hashes(self)

    @part
    def key_owners(self) -> dict[str, frozenset[bytes]]:
        """Whose each API key is, by every table of keys in schema auth."""
        owners: dict[str, set[bytes]] = {}
        for (schema, relation), columns in self.columns_of.items():
            key = next((name for name in KEY_COLUMNS if name in columns), None)
            if schema != "auth" or key is None or "tenant_hk" not in columns:
                continue
            query = sql.SQL(SQL.key_owners).format(
                key=sql.Identifier(key), tenant=sql.Identifier("tenant_hk"), table=sql.Identifier(schema, relation)
            )
            for value, tenant_hk in self._conn.execute(query).fetchall():
                owners.setdefault(value, set()).add(tenant_hk)
        return {value: frozenset(tenants) for value, tenants in owners.items()}

    @part
    def tenants(self) -> dict[bytes, str]:
        """Each tenant's id as people read it, by its hash key."""
        return dict(self._conn.execute(SQL.tenants).fetchall())

    @cached_property
    def columns_of(self) -> dict[tuple[str, str], dict[str, Column]]:
        """The columns of a relation by name."""
        found: dict[tuple[str, str], dict[str, Column]] = {}
        for column in self.columns:
            found.setdefault((column.schema, column.relation), {})[column.name] = column
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name of the catalog, which may be shown: relations, columns, constraints, functions."""
        return frozenset(
            (
                *(one.name for one in self.relations),
                *(one.name for one in self.columns),
                *(one.name for one in self.constraints),
                *(one.name for one in self.indexes),
                *(one.name for one in self.functions),
                *(one.schema for one in self.relations),
            )
        )

    def tenant_name(self, tenant_hk: bytes | None) -> str:
        """A tenant as people read it, or its key where it has no name."""
        if tenant_hk is None:
            return "(no tenant)"
        try:
            return self.tenants.get(tenant_hk) or tenant_hk.hex()[:16]
        except Unreadable:
            return tenant_hk.hex()[:16]


class ForeignDatabaseError(ConfigurationError):
    """The database is nothing the doctor knows."""


@contextmanager
def opened(conninfo: str, options: Options | None = None) -> Iterator[Snapshot]:
    """A snapshot on a connection of its own; nothing can be written through it, and nothing waits for a lock."""
    with connect(conninfo) as conn:
        conn.execute(SQL.begin_snapshot)
        conn.execute(SQL.limits, {"milliseconds": f"{STATEMENT_SECONDS}s"})
        try:
            yield Snapshot(conn, conninfo, options)
        finally:
            if not conn.closed:
                conn.rollback()


def _reason(error: psycopg.Error) -> str:
    if error.sqlstate == psycopg.errors.QueryCanceled.sqlstate:
        return f"it took longer than {STATEMENT_SECONDS} s"
    if error.sqlstate == psycopg.errors.InsufficientPrivilege.sqlstate:
        return str(error.diag.message_primary)
    # Other messages may quote a value.
    return f"{type(error).__name__} (SQLSTATE {error.sqlstate or 'none: the connection was lost'})"
