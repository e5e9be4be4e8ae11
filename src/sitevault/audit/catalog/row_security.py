"""Row-level security: on, forced, and made of exactly the policies the house makes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sitevault.audit.catalog.check import Check, Complaint, named, secure, statement
from sitevault.audit.catalog.expected import BOUND, OVERSIGHT, TENANT_FACING
from sitevault.audit.catalog.snapshot import EVERYBODY, Policy, Relation, Snapshot
from sitevault.db.roles import Role

_BOUNDARY, _ACCESS, _ACTIVE, _OVERSIGHT = "tenant_boundary", "tenant_access", "tenant_active", "oversight"

_CONTEXT = r"(\( SELECT auth\.current_tenant_hk\(\) AS current_tenant_hk\)|auth\.current_tenant_hk\(\))"
_TENANT_TEST = re.compile(rf"\((tenant_hk = {_CONTEXT}|{_CONTEXT} = ANY \(tenant_hks\))\)")
_ACTIVE_TEST = re.compile(r"\( SELECT auth\.tenant_is_active\(\) AS tenant_is_active\)")


def _enabled(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for table in snapshot.tenant_tables:
        kind = "partition" if table.is_partition else "table"
        yield (
            []
            if table.secured
            else [
                (
                    table.full_name,
                    f"row-level security is off on this {kind}: it shows every tenant's rows",
                    _cure(table),
                )
            ]
        )


def _forced(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for table in snapshot.tenant_tables:
        yield (
            []
            if table.forced
            else [(table.full_name, "row-level security does not bind the table's owner", _cure(table))]
        )


def _readable_tables_secured(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for table in snapshot.relations:
        if not table.is_table:
            continue
        readers = _tenant_facing_readers(snapshot, table)
        if readers:
            yield (
                []
                if table.secured
                else [
                    (
                        table.full_name,
                        f"{', '.join(readers)} may read this table, and no policy says whose rows",
                        statement(
                            "REVOKE ALL ON {} FROM PUBLIC, sitevault_reader, sitevault_eraser;", named(table)
                        ),
                    )
                ]
            )


def _tenant_facing_readers(snapshot: Snapshot, table: Relation) -> list[str]:
    grantees = snapshot.grantees("TABLE", table.schema, table.name, "SELECT")
    return sorted(name or "PUBLIC" for name in grantees & {*TENANT_FACING, EVERYBODY})


def _boundary(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for table in snapshot.tenant_tables:
        if table.kind == "f":
            continue
        found = [one for one in snapshot.policies_of(table) if one.name == _BOUNDARY]
        wrong = _wrong_with_boundary(found[0]) if found else "has no restrictive policy of its tenant"
        yield [(table.full_name, wrong, secure(table))] if wrong else []


def _wrong_with_boundary(policy: Policy) -> str | None:
    if policy.permissive:
        return f"the policy {policy.name} is permissive: any other policy widens it"
    if policy.command != "*":
        return f"the policy {policy.name} binds one command only"
    if EVERYBODY not in policy.roles and set(policy.roles) < BOUND:
        return f"the policy {policy.name} does not bind {', '.join(sorted(BOUND - set(policy.roles)))}"
    if not _is_tenant_test(policy.using_):
        return f"the policy {policy.name} does not test the tenant of what is read: {policy.using_}"
    if policy.check_ is None:
        return f"the policy {policy.name} has no WITH CHECK of its own"
    if not _is_tenant_test(policy.check_):
        return f"the policy {policy.name} does not test the tenant of what is written: {policy.check_}"
    return None


def _active(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    if "citus" in snapshot.server.extensions:
        return  # a policy of a distributed table cannot ask another table
    for table in snapshot.tenant_tables:
        if table.kind == "f":
            continue
        found = [one for one in snapshot.policies_of(table) if one.name == _ACTIVE]
        right = any(
            not one.permissive and one.command == "*" and Role.READER in one.roles
            and _ACTIVE_TEST.fullmatch(one.using_ or "") and _ACTIVE_TEST.fullmatch(one.check_ or "")
            for one in found
        )  # fmt: skip
        yield (
            []
            if right
            else [(table.full_name, "readers of a suspended tenant are not kept out of this table", secure(table))]
        )


def _no_other_policy(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for policy in snapshot.policies:
        table = snapshot.by_name[policy.schema, policy.relation]
        wrong = _wrong_with_permissive(policy) if policy.permissive else None
        yield (
            []
            if wrong is None
            else [
                (
                    f"{table.full_name}.{policy.name}",
                    wrong,
                    statement("DROP POLICY {} ON {};", policy.name, named(table))
                    + (f" {secure(table)}" if table.tenant_column else ""),
                )
            ]
        )


def _wrong_with_permissive(policy: Policy) -> str | None:
    if policy.name == _OVERSIGHT and policy.command == "r" and set(policy.roles) <= OVERSIGHT:
        return None
    whom = ", ".join(role or "PUBLIC" for role in policy.roles)
    conditions = [one for one in (policy.using_, policy.check_) if one is not None]
    if not all(map(_is_tenant_test, conditions)):
        return f"it lets {whom} reach rows by something else than their tenant: {' / '.join(conditions)}"
    if not set(policy.roles) <= BOUND:
        return f"it is for {whom}; only {', '.join(sorted(BOUND))} work within one tenant"
    if policy.name != _ACCESS:
        return f"it is not a policy of the house, and lets {whom} in beside {_ACCESS}"
    return None


def _is_tenant_test(expression: str | None) -> bool:
    return expression is not None and _TENANT_TEST.fullmatch(expression) is not None


def _cure(table: Relation) -> str:
    if table.kind == "f":
        return statement("DROP FOREIGN TABLE {};", named(table))
    return secure(table)


CHECKS = (
    Check("rls.enabled", "Row-level security is on", "tables and partitions of tenants", _enabled),
    Check("rls.forced", "Row-level security binds owners too", "tables and partitions of tenants", _forced),
    Check(
        "rls.readable", "What a tenant's role may read has policies", "tables a tenant's role may read",
        _readable_tables_secured,
    ),
    Check(
        "policy.boundary", "A restrictive policy tests the tenant of rows read and written",
        "tables and partitions of tenants", _boundary,
    ),
    Check(
        "policy.active", "A suspended or unknown tenant's reader is kept out", "tables and partitions of tenants",
        _active,
    ),
    Check("policy.permissive", "No policy lets anybody in but by the tenant", "policies", _no_other_policy),
)  # fmt: skip
