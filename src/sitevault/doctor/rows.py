"""The rows of the snapshot: plain values of the catalog, named as PostgreSQL names them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class Server(NamedTuple):
    version: int  # 180004 is 18.4
    database: str
    user: str
    is_superuser: bool
    in_recovery: bool
    now: datetime
    started: datetime
    settings: dict[str, str]
    extensions: list[str]
    transaction_age: int
    multixact_age: int
    counted_since: datetime
    """Since when the server counts how often an index is used."""


class Session(NamedTuple):
    pid: int
    application: str
    user: str | None
    kind: str
    state: str | None
    transaction_seconds: float | None
    state_seconds: float | None
    waits_for: list[int]
    prepared: bool
    is_superuser: bool


class Blocked(NamedTuple):
    """A session that waits for a lock."""

    pid: int
    seconds: float
    relation: str | None
    blockers: list[int]


class Function(NamedTuple):
    """A function or procedure; `source` is its body alone, `definition` the whole CREATE statement."""

    oid: int
    schema: str
    name: str
    arguments: str  # as they identify it
    returns: str | None
    kind: str  # pg_proc.prokind: f, p, a or w
    language: str
    source: str
    definition: str | None
    definer: bool
    settings: list[str]
    owner: str
    volatility: str  # pg_proc.provolatile: i, s or v
    trigger_tables: list[str]
    acl: list[str] | None  # None: the default, which lets everybody call it

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}({self.arguments})"


class Relation(NamedTuple):
    oid: int
    schema: str
    name: str
    kind: str  # pg_class.relkind
    owner: str
    is_partition: bool
    parent: str | None
    bound: str | None
    rows: float  # the planner's estimate; -1 where nobody has looked
    bytes: int
    definition: str | None  # of a view
    acl: list[str] | None

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


class Column(NamedTuple):
    schema: str
    relation: str
    name: str
    position: int
    type: str
    not_null: bool
    default: str | None
    generated: str


class Constraint(NamedTuple):
    oid: int
    schema: str
    relation: str
    name: str
    kind: str  # pg_constraint.contype
    columns: list[str]
    definition: str
    validated: bool
    enforced: bool
    is_inherited: bool
    foreign_relation: str | None
    foreign_columns: list[str]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.relation}.{self.name}"


class Index(NamedTuple):
    oid: int
    schema: str
    relation: str
    name: str
    method: str
    columns: list[str]  # '' where it is an expression
    definition: str
    unique: bool
    primary: bool
    valid: bool
    ready: bool
    live: bool
    predicate: str | None
    is_partition: bool
    constraint: str | None
    scans: int
    bytes: int

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


class Trigger(NamedTuple):
    schema: str
    relation: str
    name: str
    function_oid: int
    function: str
    enabled: str  # pg_trigger.tgenabled: O, D, R or A
    definition: str


class Sequence(NamedTuple):
    schema: str
    name: str
    type: str
    last_value: int | None
    min_value: int
    max_value: int
    increment: int
    cycle: bool
    owned_by: str | None
    readable: bool

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


class TableUse(NamedTuple):
    schema: str
    name: str
    live: int
    dead: int
    bytes: int
    sequential_scans: int
    index_scans: int
    last_vacuum: datetime | None
    last_analyze: datetime | None
    transaction_age: int
    freeze_max_age: int

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"
