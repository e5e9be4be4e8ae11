"""Roles: these and no others, none with a power it does not need, none that can become another."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from sitevault.audit.catalog.check import Check, Complaint, named, statement
from sitevault.audit.catalog.expected import BYPASSING
from sitevault.audit.catalog.snapshot import SCHEMAS, RoleRow, Snapshot
from sitevault.db.roles import LOGIN_ROLES, Role

_PREFIX = "sitevault_"
_INIT = "-- as an administrator, from the shell: sitevault init"
_READ_ONLY = frozenset({Role.READER, Role.JUDGE, Role.AUDITOR})
_NEVER = ("row_security", "session_replication_role", "sitevault.", "role", "session_authorization")


def _complete(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    there = {role.name for role in snapshot.roles}
    for role in Role:
        yield [] if role in there else [(role, "the role does not exist", _INIT)]
    for name in sorted(there - set(Role)):
        if name.startswith(_PREFIX):
            yield [
                (
                    name,
                    "it is named like a role of the house, and is none",
                    statement("DROP OWNED BY {0}; DROP ROLE {0};", name),
                )
            ]


def _powers(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for role in snapshot.roles:
        if role.name not in set(Role):
            continue
        wrong = list(_wrong_powers(role))
        yield (
            []
            if not wrong
            else [
                (
                    role.name,
                    f"it has {', '.join(wrong)}",
                    statement(
                        "ALTER ROLE {} {} {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOINHERIT;",
                        role.name,
                        *_right_powers(role),
                    ),
                )
            ]
        )


def _right_powers(role: RoleRow) -> tuple[sql.SQL, sql.SQL]:
    return (
        sql.SQL("LOGIN" if role.name in LOGIN_ROLES else "NOLOGIN"),
        sql.SQL("BYPASSRLS" if role.name in BYPASSING else "NOBYPASSRLS"),
    )


def _wrong_powers(role: RoleRow) -> Iterator[str]:
    if role.is_superuser:
        yield "SUPERUSER"
    if role.creates_roles:
        yield "CREATEROLE"
    if role.creates_databases:
        yield "CREATEDB"
    if role.replicates:
        yield "REPLICATION"
    if role.inherits:
        yield "INHERIT"
    if role.bypasses_rls != (role.name in BYPASSING):
        yield "BYPASSRLS" if role.bypasses_rls else "NOBYPASSRLS"
    if role.can_login != (role.name in LOGIN_ROLES):
        yield "LOGIN" if role.can_login else "NOLOGIN"


def _memberships(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    house = set(Role)
    for one in snapshot.memberships:
        if one.role not in house and one.member not in house:
            continue
        # Since 16 whoever creates a role administers it; without SET and INHERIT that is no way into it.
        harmless = one.administers and not one.inherits and not one.can_set and one.member not in house
        intended = one.role in (Role.OWNER, Role.WORKER) and one.member == Role.MIGRATOR and not one.administers
        if harmless:
            continue
        yield (
            []
            if intended
            else [
                (
                    f"{one.member} in {one.role}",
                    f"{one.member} can act as {one.role}" + (" and let others" if one.administers else ""),
                    statement("REVOKE {} FROM {};", one.role, one.member),
                )
            ]
        )


def _settings(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for role in snapshot.roles:
        if role.name not in LOGIN_ROLES:
            continue
        settings = dict(setting.split("=", 1) for setting in role.settings)
        complaints = []
        if settings.get("search_path", "").replace(" ", "") != "pg_catalog,pg_temp":
            complaints.append(
                (
                    role.name,
                    "its sessions look for names in places where users may create some",
                    statement("ALTER ROLE {} SET search_path = pg_catalog, pg_temp;", role.name),
                )
            )
        if role.name in _READ_ONLY and settings.get("default_transaction_read_only") != "on":
            complaints.append(
                (
                    role.name,
                    "its transactions are not read-only from the start",
                    statement("ALTER ROLE {} SET default_transaction_read_only = on;", role.name),
                )
            )
        if role.name == Role.READER and settings.get("track_activities") != "off":
            complaints.append(
                (
                    role.name,
                    "every reader sees the text of the others' statements in pg_stat_activity",
                    statement("ALTER ROLE {} SET track_activities = off;", role.name),
                )
            )
        complaints += [
            (
                role.name,
                f"its sessions start with {name} set",
                statement("ALTER ROLE {} RESET {};", role.name, sql.Identifier(*name.split("."))),
            )
            for name in settings
            if name.startswith(_NEVER)
        ]
        yield complaints


def _owners(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for schema in snapshot.schemas:
        if schema.name in SCHEMAS:
            yield (
                []
                if schema.owner == Role.OWNER
                else [
                    (
                        schema.name,
                        f"the schema belongs to {schema.owner}",
                        statement("ALTER SCHEMA {} OWNER TO sitevault_owner;", schema.name),
                    )
                ]
            )
    for relation in snapshot.relations:
        if relation.schema in SCHEMAS:
            wrong = relation.owner != Role.OWNER
            powerful = ", a superuser" if relation.owner in snapshot.superusers else ""
            yield (
                []
                if not wrong
                else [
                    (
                        relation.full_name,
                        f"it belongs to {relation.owner}{powerful}",
                        statement("ALTER TABLE {} OWNER TO sitevault_owner;", named(relation)),
                    )
                ]
            )


CHECKS = (
    Check("role.complete", "The roles of the house, and no others of its name", "roles", _complete),
    Check("role.powers", "No role has a power it does not need", "roles of the house", _powers),
    Check("role.memberships", "No role can become another", "memberships", _memberships),
    Check("role.settings", "Sessions start safe", "login roles", _settings),
    Check("role.owner", "Everything belongs to the owner, who is no superuser", "schemas, tables, views", _owners),
)
