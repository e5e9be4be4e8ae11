"""Keys: each begins with the tenant, so that no row refers to another tenant's or betrays that it exists."""

from __future__ import annotations

from collections.abc import Iterator

from sitevault.audit.catalog.check import Check, Complaint, named, statement
from sitevault.audit.catalog.snapshot import ForeignKey, Key, Relation, Snapshot

_TENANT = "tenant_hk"


def _tenant_tables(snapshot: Snapshot) -> dict[tuple[str, str], Relation]:
    return {
        (table.schema, table.name): table for table in snapshot.tenant_tables if table.tenant_column == _TENANT
    }


def _unique(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    tables = _tenant_tables(snapshot)
    for key in snapshot.keys:
        table = tables.get((key.schema, key.relation))
        if table is None:
            continue
        yield (
            []
            if key.columns[0] == _TENANT
            else [
                (
                    f"{table.full_name}.{key.name}",
                    f"it is unique over all tenants on ({_columns(key)}): "
                    "whoever tries a value learns whether another tenant has it",
                    _drop(table, key),
                )
            ]
        )


def _columns(key: Key) -> str:
    return ", ".join(name or "an expression" for name in key.columns)


def _drop(table: Relation, key: Key) -> str:
    if key.constraint_name:
        return statement("ALTER TABLE {} DROP CONSTRAINT {};", named(table), key.constraint_name)
    return statement("DROP INDEX {}.{};", key.schema, key.name)


def _foreign(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    tables = _tenant_tables(snapshot)
    for key in snapshot.foreign_keys:
        table = tables.get((key.schema, key.relation))
        if table is None or (key.foreign_schema, key.foreign_relation) not in tables:
            continue
        yield (
            []
            if _pairs_tenants(key)
            else [
                (
                    f"{table.full_name}.{key.name}",
                    f"a row may refer to another tenant's in {key.foreign_schema}.{key.foreign_relation}",
                    statement("ALTER TABLE {} DROP CONSTRAINT {};", named(table), key.name),
                )
            ]
        )


def _pairs_tenants(key: ForeignKey) -> bool:
    return (_TENANT, _TENANT) in zip(key.columns, key.foreign_columns, strict=True)


def _required(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for table in snapshot.tenant_tables:
        column = table.tenant_column or _TENANT
        yield (
            []
            if column in table.required
            else [
                (
                    table.full_name,
                    f"{column} may be NULL: a row could belong to nobody",
                    statement("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL;", named(table), column),
                )
            ]
        )


CHECKS = (
    Check("key.unique", "Every unique key begins with the tenant", "primary, unique and exclusion keys", _unique),
    Check("key.foreign", "Every reference between tenants' rows holds the tenant", "foreign keys", _foreign),
    Check("key.required", "Every row has its tenant", "tables and partitions of tenants", _required),
)
