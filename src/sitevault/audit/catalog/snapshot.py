"""The catalog as the checks see it: read once, in one read-only transaction, then plain values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, LiteralString, NamedTuple, TypeVar

import psycopg
from psycopg.rows import class_row

from sitevault.db import queries

SQL = queries.load("audit")

SCHEMAS = ("auth", "raw", "staging", "business", "mart", "audit", "ops")
TENANT_COLUMNS = ("tenant_hk", "tenant_hks")
EVERYBODY = ""
"""The grantee and the policy role that stand for PUBLIC."""

Row = TypeVar("Row")


class Server(NamedTuple):
    version: int
    database: str
    database_owner: str
    extensions: list[str]


class Relation(NamedTuple):
    schema: str
    name: str
    kind: str  # pg_class.relkind
    owner: str
    is_partition: bool
    secured: bool
    forced: bool
    options: list[str]
    columns: list[str]
    required: list[str]
    rules: list[str]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def is_table(self) -> bool:
        return self.kind in ("r", "p", "f")

    @property
    def tenant_column(self) -> str | None:
        return next((column for column in TENANT_COLUMNS if column in self.columns), None)


class Policy(NamedTuple):
    schema: str
    relation: str
    name: str
    permissive: bool
    command: str  # pg_policy.polcmd: * is ALL
    roles: list[str]
    using_: str | None
    check_: str | None


class Key(NamedTuple):
    schema: str
    relation: str
    name: str
    constraint_name: str | None
    is_primary: bool
    columns: list[str]


class ForeignKey(NamedTuple):
    schema: str
    relation: str
    name: str
    foreign_schema: str
    foreign_relation: str
    columns: list[str]
    foreign_columns: list[str]


class Routine(NamedTuple):
    schema: str
    name: str
    arguments: str
    kind: str
    owner: str
    owner_is_superuser: bool
    definer: bool
    leakproof: bool
    volatility: str  # pg_proc.provolatile: i, s or v
    settings: list[str]
    language: str
    trusted: bool

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}({self.arguments})"


class Trigger(NamedTuple):
    schema: str
    relation: str
    name: str
    function_schema: str
    function_name: str
    function_owner: str
    definer: bool


class RoleRow(NamedTuple):
    name: str
    can_login: bool
    is_superuser: bool
    bypasses_rls: bool
    creates_roles: bool
    creates_databases: bool
    replicates: bool
    inherits: bool
    settings: list[str]


class Membership(NamedTuple):
    role: str
    member: str
    administers: bool
    inherits: bool
    can_set: bool


class Schema(NamedTuple):
    name: str
    owner: str


class Grant(NamedTuple):
    """A right that somebody other than the owner has."""

    kind: str
    schema: str
    name: str
    part: str | None  # the column, or a routine's arguments
    owner: str
    grantee: str
    privilege: str
    grantable: bool

    @property
    def full_name(self) -> str:
        place = f"{self.schema}.{self.name}" if self.schema and self.kind not in ("SCHEMA",) else self.name
        if self.kind == "COLUMN":
            return f"{place}.{self.part}"
        return f"{place}({self.part})" if self.kind == "ROUTINE" else place


class SystemFunction(NamedTuple):
    name: str
    arguments: str


@dataclass(frozen=True)
class Snapshot:
    """Everything the checks look at."""

    server: Server
    relations: tuple[Relation, ...]
    policies: tuple[Policy, ...]
    keys: tuple[Key, ...]
    foreign_keys: tuple[ForeignKey, ...]
    routines: tuple[Routine, ...]
    triggers: tuple[Trigger, ...]
    roles: tuple[RoleRow, ...]
    memberships: tuple[Membership, ...]
    schemas: tuple[Schema, ...]
    grants: tuple[Grant, ...]
    open_system_functions: tuple[SystemFunction, ...]

    @cached_property
    def tenant_tables(self) -> tuple[Relation, ...]:
        """Every table and partition that holds rows of tenants, wherever it is."""
        return tuple(one for one in self.relations if one.is_table and one.tenant_column)

    @cached_property
    def by_name(self) -> dict[tuple[str, str], Relation]:
        return {(one.schema, one.name): one for one in self.relations}

    @cached_property
    def superusers(self) -> frozenset[str]:
        return frozenset(role.name for role in self.roles if role.is_superuser)

    def policies_of(self, relation: Relation) -> list[Policy]:
        return [one for one in self.policies if (one.schema, one.relation) == (relation.schema, relation.name)]

    def grantees(self, kind: str, schema: str, name: str, privilege: str) -> set[str]:
        """Who has this right on the whole object or on a part of it."""
        kinds = (kind, "COLUMN") if kind == "TABLE" else (kind,)
        return {
            one.grantee
            for one in self.grants
            if one.kind in kinds and (one.schema, one.name, one.privilege) == (schema, name, privilege)
        }


def read(conn: psycopg.Connection[Any]) -> Snapshot:
    """The catalog as it is now, all of one moment; `conn` is sitevault_auditor's, any role can read it."""
    with conn.transaction():
        conn.execute(SQL.begin_snapshot)
        return read_within(conn)


def read_within(conn: psycopg.Connection[Any]) -> Snapshot:
    """The catalog as the connection's open transaction sees it."""

    def rows(query: LiteralString, row: type[Row]) -> tuple[Row, ...]:
        with conn.cursor(row_factory=class_row(row)) as cursor:
            return tuple(cursor.execute(query).fetchall())

    (server,) = rows(SQL.server, Server)
    return Snapshot(
        server=server,
        relations=rows(SQL.relations, Relation),
        policies=rows(SQL.policies, Policy),
        keys=rows(SQL.keys, Key),
        foreign_keys=rows(SQL.foreign_keys, ForeignKey),
        routines=rows(SQL.routines, Routine),
        triggers=rows(SQL.triggers, Trigger),
        roles=rows(SQL.roles, RoleRow),
        memberships=rows(SQL.memberships, Membership),
        schemas=rows(SQL.schemas, Schema),
        grants=rows(SQL.grants, Grant),
        open_system_functions=rows(SQL.open_system_functions, SystemFunction),
    )
