"""Grants: what each role has is what the design gives it, and everybody has nothing."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from sitevault.audit.catalog.check import Check, Complaint, grantee, statement
from sitevault.audit.catalog.expected import ROW_PRIVILEGES, may
from sitevault.audit.catalog.snapshot import EVERYBODY, SCHEMAS, Grant, Snapshot
from sitevault.db.roles import Role


def revoke(grant: Grant) -> str:
    """The statement that takes a grant away."""
    whom = grantee(grant.grantee)
    privilege = sql.SQL(grant.privilege)  # the server's own word
    place = sql.Identifier(grant.schema, grant.name) if grant.schema else sql.Identifier(grant.name)
    match grant.kind:
        case "COLUMN":
            return statement("REVOKE {} ({}) ON {} FROM {};", privilege, grant.part or "", place, whom)
        case "ROUTINE":
            arguments = sql.SQL(grant.part or "")  # as the server deparsed it
            return statement("REVOKE {} ON ROUTINE {}({}) FROM {};", privilege, place, arguments, whom)
        case "SCHEMA":
            return statement("REVOKE {} ON SCHEMA {} FROM {};", privilege, grant.name, whom)
        case "LARGE OBJECT":
            number = sql.SQL(grant.name)  # digits
            return statement("REVOKE {} ON LARGE OBJECT {} FROM {};", privilege, number, whom)
        case "DEFAULT":
            template = "ALTER DEFAULT PRIVILEGES FOR ROLE {} {}REVOKE {} ON {} FROM {};"
            schema = sql.SQL("IN SCHEMA {} ").format(sql.Identifier(grant.schema)) if grant.schema else sql.SQL("")
            kind = sql.SQL(grant.name)  # one of five words
            return statement(template, grant.owner, schema, privilege, kind, whom)
        case kind:
            word = sql.SQL(kind)  # one of our own words
            return statement("REVOKE {} ON {} {} FROM {};", privilege, word, place, whom)


def _everybody(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    seen = [one for one in snapshot.grants if _concerns_the_house(one)]
    yield []  # the database itself
    for one in seen:
        yield (
            []
            if one.grantee != EVERYBODY
            else [(one.full_name, f"everybody has {one.privilege} on this {one.kind.lower()}", revoke(one))]
        )


def _concerns_the_house(grant: Grant) -> bool:
    if grant.kind in ("SCHEMA", "DATABASE", "LARGE OBJECT", "FOREIGN SERVER", "LANGUAGE"):
        return True
    if grant.kind == "DEFAULT":
        return grant.owner == Role.OWNER or grant.schema in SCHEMAS
    return grant.schema in SCHEMAS


def _tables(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    """SELECT, INSERT, UPDATE, DELETE on tables, views and their columns."""
    for one in snapshot.grants:
        if one.kind not in ("TABLE", "COLUMN") or one.schema not in SCHEMAS or one.grantee == EVERYBODY:
            continue
        if one.privilege not in ROW_PRIVILEGES:
            continue
        allowed = one.grantee == Role.OWNER or may(one.grantee, one.privilege, one.schema, one.name)
        yield (
            []
            if allowed
            else [
                (
                    one.full_name,
                    f"{one.grantee} has {one.privilege}, which the design does not give it",
                    revoke(one),
                )
            ]
        )


def _powerful(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for one in snapshot.grants:
        if one.kind not in ("TABLE", "COLUMN") or one.schema not in SCHEMAS:
            continue
        wrong = one.privilege not in ROW_PRIVILEGES and one.grantee != Role.OWNER
        why = {
            "TRUNCATE": "which empties a table of every tenant, whatever the policies say",
            "REFERENCES": "by which a foreign key tells which keys exist",
            "TRIGGER": "by which a function of its own sees every row",
            "MAINTAIN": "by which it can lock and rewrite the table",
        }.get(one.privilege, "")
        yield (
            []
            if not wrong
            else [(one.full_name, f"{one.grantee or 'everybody'} has {one.privilege}, {why}", revoke(one))]
        )


def _partitions(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    partitions = {(one.schema, one.name) for one in snapshot.relations if one.is_partition}
    yield from ([] for _ in partitions)
    for one in snapshot.grants:
        if one.kind in ("TABLE", "COLUMN") and (one.schema, one.name) in partitions and one.grantee != Role.OWNER:
            yield [
                (
                    one.full_name,
                    f"{one.grantee or 'everybody'} has {one.privilege} on a partition, past its table's policies",
                    revoke(one),
                )
            ]


def _strangers(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    house = {*Role, EVERYBODY, *snapshot.superusers, snapshot.server.database_owner}
    for one in snapshot.grants:
        if one.schema in SCHEMAS or one.kind in ("DATABASE", "LARGE OBJECT"):
            yield (
                []
                if one.grantee in house
                else [(one.full_name, f"{one.grantee}, no role of the house, has {one.privilege}", revoke(one))]
            )


def _passed_on(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for one in snapshot.grants:
        if one.schema not in SCHEMAS:
            continue
        yield (
            []
            if not one.grantable or one.grantee == Role.OWNER
            else [
                (
                    one.full_name,
                    f"{one.grantee} may pass {one.privilege} on to others",
                    revoke(one).replace("REVOKE ", "REVOKE GRANT OPTION FOR ", 1),
                )
            ]
        )


def _creating(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    allowed = {Role.OWNER, snapshot.server.database_owner, *snapshot.superusers}
    for one in snapshot.grants:
        if one.kind not in ("SCHEMA", "DATABASE"):
            continue
        makes = one.privilege == "CREATE" or (one.privilege == "TEMPORARY" and one.grantee != Role.WORKER)
        yield (
            []
            if not makes or one.grantee in allowed | {EVERYBODY}
            else [
                (
                    one.full_name,
                    f"{one.grantee} has {one.privilege}: what it makes there can take the place of another name",
                    revoke(one),
                )
            ]
        )


def _defaults(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    yield []  # the defaults themselves, also where nobody changed any
    for one in snapshot.grants:
        if one.kind == "DEFAULT" and _concerns_the_house(one) and one.grantee not in (EVERYBODY, Role.OWNER):
            yield [
                (
                    f"{one.name} of {one.owner}",
                    f"{one.grantee} will have {one.privilege} on everything that is still to be made",
                    revoke(one),
                )
            ]


def _sequences(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    allowed = {Role.OWNER, Role.COLLECTOR, Role.WORKER}
    for one in snapshot.grants:
        if one.kind == "SEQUENCE" and one.schema in SCHEMAS:
            yield (
                []
                if (one.grantee in allowed and one.privilege == "USAGE")
                # whoever sees every row may see how many there were
                or (one.grantee == Role.AUDITOR and one.privilege == "SELECT")
                else [
                    (
                        one.full_name,
                        f"{one.grantee or 'everybody'} has {one.privilege}: its values tell how busy everybody is",
                        revoke(one),
                    )
                ]
            )


def _large_objects(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    yield []
    for function in snapshot.open_system_functions:
        name = sql.Identifier("pg_catalog", function.name)
        arguments = sql.SQL(function.arguments)  # as the server deparsed it
        yield [
            (
                f"pg_catalog.{function.name}({function.arguments})",
                "a reader may call it: what it makes or reads has no row-level security",
                statement("REVOKE EXECUTE ON FUNCTION {}({}) FROM PUBLIC;", name, arguments),
            )
        ]


CHECKS = (
    Check("grant.public", "Everybody has nothing", "grants", _everybody),
    Check("grant.tables", "Each role has what the design gives it", "grants on tables, views, columns", _tables),
    Check("grant.powerful", "Nobody may TRUNCATE, REFERENCE, TRIGGER, MAINTAIN", "grants on tables", _powerful),
    Check("grant.partitions", "Partitions are reached through their tables only", "partitions", _partitions),
    Check("grant.strangers", "No role of somebody else has anything", "grants", _strangers),
    Check("grant.passed_on", "Nobody may pass a right on", "grants", _passed_on),
    Check("grant.creating", "Nobody but the owner may create", "grants on schemas and the database", _creating),
    Check("grant.default", "Nobody has rights on what is still to be made", "default privileges", _defaults),
    Check("grant.sequences", "Nobody reads sequences", "grants on sequences", _sequences),
    Check("grant.system", "Readers leave and fetch no files or large objects", "system functions", _large_objects),
)  # fmt: skip
