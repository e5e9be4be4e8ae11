"""The pages that the database says of itself: its tables, and its roles with what each may do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from docs.markdown import block, code, codes, page, table
from psycopg.rows import namedtuple_row

from sitevault.db import queries
from sitevault.db.connect import Database, connect
from sitevault.db.roles import SQL_FILE, Role

SQL = queries.load("catalog", Path(__file__).parent)

Rows = list[Any]


class Catalog(NamedTuple):
    """Everything the pages need, read once."""

    schemas: Rows
    relations: Rows
    columns: Rows
    constraints: Rows
    indexes: Rows
    routines: Rows
    roles: Rows
    grants: Rows
    policies: Rows


def read(database: Database) -> Catalog:
    """The catalog of a migrated database."""
    with connect(database.admin_conninfo) as conn:
        return Catalog(
            *(_fetch(conn, name, {"order": list(Role)} if name == "roles" else None) for name in Catalog._fields)
        )


def uncommented(catalog: Catalog) -> list[str]:
    """Tables, views and functions that say nothing of themselves."""
    listed = (*catalog.relations, *catalog.routines)
    return [f"{one.schema}.{one.name}" for one in listed if not one.comment]


def tables_page(catalog: Catalog) -> str:
    """Every schema, table, view and function."""
    parts = [_schema(catalog, schema) for schema in catalog.schemas]
    return page(
        "Tables, views and functions",
        "the catalog of a migrated database (PostgreSQL 18), whose files are in src/sitevault/sql",
        "`_hk` is a hash key (32 bytes), `_bk` a business key, `_h` a hub, `_l` a link, `_s` a satellite, `_es` "
        "an effectivity satellite, `_nl` a non-historised link, `_ns` its satellite, `_f` a fact table, `_d` a "
        "table by day, `_r` landing, `_v` a view. The [glossary](../glossary.md) says what each is; "
        "[data-vault.md](../explanation/data-vault.md) draws them together.",
        "Partitioned tables have a partition for each day (UTC) and a default one, which a healthy house keeps "
        "empty; partitions are reached through their parents only.",
        "\n".join(
            f"- [{schema.name}](#{schema.name}): {schema.comment or 'no comment'}" for schema in catalog.schemas
        ),
        *parts,
    )


def roles_page(catalog: Catalog) -> str:
    """Every role: how it connects, what is set for it, what it may do."""
    return page(
        "Roles",
        "the catalog of a migrated database; the roles are in src/sitevault/sql/roles.sql, grants and policies in "
        "src/sitevault/sql/objects",
        "Nobody works as superuser. A role has the rights written here and no others; what is not named is "
        "refused. `sitevault_owner` owns every object and cannot log in.",
        table(
            ("role", "for what", "logs in", "bypasses row-level security", "may become"),
            [
                (
                    code(role.name), _purpose(role.name), _yes(role.logs_in), _yes(role.bypasses_rls),
                    codes(role.may_become),
                )
                for role in catalog.roles
            ],
        ),
        "## Row-level security",
        "Forced on every table of tenant data and on every partition. The context of a tenant is the setting "
        "`sitevault.tenant_hk` (64 hex digits); without it a role under row-level security sees nothing.",
        table(
            ("policy", "kind", "command", "for", "rows", "tables"),
            [
                (code(one.name), one.kind, one.command, codes(one.roles), code(one.test), one.tables)
                for one in catalog.policies
            ],
        ),
        "Tables without it, because they hold no tenant's data: "
        + codes(f"{one.schema}.{one.name}" for one in catalog.relations if one.kind == "table" and not one.secured)
        + ".",
        *(_role(catalog, role) for role in catalog.roles if role.name != Role.OWNER),
    )  # fmt: skip


def _fetch(conn: psycopg.Connection[Any], name: str, parameters: dict[str, object] | None) -> Rows:
    with conn.cursor(row_factory=namedtuple_row) as cursor:
        return list(cursor.execute(getattr(SQL, name), parameters))


def _schema(catalog: Catalog, schema: Any) -> str:
    relations = [one for one in catalog.relations if one.schema == schema.name]
    routines = [one for one in catalog.routines if one.schema == schema.name]
    parts = [f"## {schema.name}", schema.comment or "", *(_relation(catalog, one) for one in relations)]
    if routines:
        parts.append(f"### Functions of {schema.name}")
        parts.append(
            table(
                ("function", "returns", "runs as", "comment"),
                [
                    (code(f"{one.name}({one.arguments})"), code(one.result), one.runs_as, one.comment)
                    for one in routines
                ],
            )
        )
    if not relations and not routines:
        parts.append("Empty so far.")
    return "\n\n".join(part for part in parts if part)


def _relation(catalog: Catalog, relation: Any) -> str:
    def of_it(rows: Rows) -> Rows:
        return [one for one in rows if (one.schema, one.relation) == (relation.schema, relation.name)]

    parts = [f"### {relation.schema}.{relation.name}", relation.comment or ""]
    facts = [relation.kind.capitalize()]
    if relation.partitioned_by:
        facts.append(f"partitioned by `{relation.partitioned_by}`")
    parts.append(", ".join(facts) + ".")
    columns = of_it(catalog.columns)
    headings: tuple[str, ...] = ("column", "type", "")
    rows: list[Sequence[object]] = [
        (code(one.name), one.type, "NOT NULL" if one.required else "") for one in columns
    ]
    if any(one.comment for one in columns):
        headings = (*headings, "comment")
        rows = [(*row, one.comment) for row, one in zip(rows, columns, strict=True)]
    parts.append(table(headings, rows))
    rules = [f"{one.name}: {one.definition}" for one in of_it(catalog.constraints)]
    rules += [f"{one.name}: index {one.definition}" for one in of_it(catalog.indexes)]
    if rules:
        parts.append(block("\n".join(rules)))
    return "\n\n".join(part for part in parts if part)


def _role(catalog: Catalog, role: Any) -> str:
    parts = [f"## {role.name}", _purpose(role.name).capitalize() + "."]
    settings = [one for one in role.settings if not one.startswith(("search_path", "TimeZone", "timezone"))]
    if settings:
        parts.append("Set for it: " + codes(settings) + ".")
    rows = list(_grants([one for one in catalog.grants if one.role == role.name]))
    parts.append(table(("schema", "may", "what"), rows) if rows else "It has no rights of its own.")
    return "\n\n".join(parts)


def _grants(grants: Rows) -> Iterator[tuple[str, str, str]]:
    """Objects with the same privileges on one line, by schema."""
    for schema, in_schema in groupby(grants, key=lambda one: one.schema):
        privileges: defaultdict[str, list[str]] = defaultdict(list)
        for (name, privilege), rows in groupby(in_schema, key=lambda one: (one.object, one.privilege)):
            columns = [one.column_name for one in rows if one.column_name]
            privileges[name].append(privilege + (f" ({', '.join(sorted(columns))})" if columns else ""))
        objects: defaultdict[str, list[str]] = defaultdict(list)
        for name, allowed in privileges.items():
            # The schema itself has no name here and stands alone.
            objects[", ".join(allowed) if name else "USAGE of"].append(name)
        for allowed_text, names in objects.items():
            yield code(schema), allowed_text, "the schema" if names == [""] else codes(sorted(names))


def _purpose(role: str) -> str:
    """The remark beside the role in db/roles.py."""
    marked = next(
        line for line in Path(SQL_FILE.parent.parent, "db", "roles.py").read_text("utf-8").splitlines()
        if f'= "{role}"' in line
    )  # fmt: skip
    return marked.partition("# ")[2]


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"
