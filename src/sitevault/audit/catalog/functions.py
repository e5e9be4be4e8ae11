"""Functions: none lends somebody else's rights without a pinned search_path, none promises not to leak."""

from __future__ import annotations

from collections.abc import Iterator

from sitevault.audit.catalog.check import Check, Complaint, signature, statement
from sitevault.audit.catalog.snapshot import SCHEMAS, Routine, Snapshot
from sitevault.db.roles import Role

_MAY_LEND = {
    ("auth", "tenant_is_active"): frozenset({Role.READER}),
    ("ops", "ensure_partition"): frozenset({Role.WORKER}),
    ("ops", "ensure_partitions_ahead"): frozenset({Role.WORKER}),
    ("ops", "empty_default"): frozenset({Role.WORKER}),
    ("staging", "supersede"): frozenset({Role.WORKER}),
    ("mart", "forget_days"): frozenset({Role.WORKER}),
}
"""The functions that run with the owner's rights, and who may call each."""

_CONTEXT = frozenset({("auth", "current_tenant_hk"), ("auth", "tenant_is_active")})


def _definers(snapshot: Snapshot) -> Iterator[Routine]:
    return (one for one in snapshot.routines if one.definer)


def _search_path(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for routine in _definers(snapshot):
        pinned = _pinned(routine)
        yield (
            []
            if pinned
            else [
                (
                    routine.full_name,
                    "it runs with its owner's rights, and its caller chooses where it finds its names",
                    statement("ALTER ROUTINE {} SET search_path = pg_catalog, pg_temp;", signature(routine)),
                )
            ]
        )


def _pinned(routine: Routine) -> bool:
    """Pinned, pg_temp last (left out it comes first), and nothing in between that others may create in."""
    for setting in routine.settings:
        name, _, value = setting.partition("=")
        if name == "search_path":
            places = [place.strip().strip('"') for place in value.split(",")]
            return places[-1] == "pg_temp" and all(place in ("pg_catalog", *SCHEMAS) for place in places[:-1])
    return False


def _lenders(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for routine in _definers(snapshot):
        callers = {
            one.grantee
            for one in snapshot.grants
            if one.kind == "ROUTINE" and (one.schema, one.name, one.part) == (
                routine.schema, routine.name, routine.arguments
            )
        }  # fmt: skip
        allowed = _MAY_LEND.get((routine.schema, routine.name), frozenset())
        wrong = callers - allowed - ({Role.OWNER} if routine.owner != Role.OWNER else set())
        yield (
            []
            if not wrong
            else [
                (
                    routine.full_name,
                    f"{_listed(wrong)} may act with the rights of {routine.owner} by it",
                    statement("REVOKE ALL ON ROUTINE {} FROM PUBLIC", signature(routine))
                    + "".join(statement(", {}", one) for one in sorted(wrong) if one)
                    + ";",
                )
            ]
        )


def _listed(grantees: set[str]) -> str:
    return ", ".join(sorted(one or "PUBLIC" for one in grantees))


def _owners(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for routine in snapshot.routines:
        if routine.schema in SCHEMAS or routine.definer:
            yield (
                []
                if routine.owner == Role.OWNER
                else [
                    (
                        routine.full_name,
                        f"it belongs to {routine.owner}"
                        + (", a superuser" if routine.owner_is_superuser else "")
                        + (", and runs with that role's rights" if routine.definer else ""),
                        statement("ALTER ROUTINE {} OWNER TO sitevault_owner;", signature(routine)),
                    )
                ]
            )


def _leakproof(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for routine in snapshot.routines:
        yield (
            []
            if not routine.leakproof
            else [
                (
                    routine.full_name,
                    "it is marked LEAKPROOF, so it sees rows before the policies leave them out",
                    statement("ALTER FUNCTION {} NOT LEAKPROOF;", signature(routine)),
                )
            ]
        )


def _languages(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for routine in snapshot.routines:
        yield (
            []
            if routine.trusted
            else [
                (
                    routine.full_name,
                    f"it is written in {routine.language}, which no right of the database binds",
                    statement("DROP ROUTINE {};", signature(routine)),
                )
            ]
        )


def _contexts(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for routine in snapshot.routines:
        if (routine.schema, routine.name) not in _CONTEXT:
            continue
        yield (
            []
            if routine.volatility == "s"
            else [
                (
                    routine.full_name,
                    "it reads the session's tenant and is not STABLE: a plan may keep another tenant's answer",
                    statement("ALTER FUNCTION {} STABLE;", signature(routine)),
                )
            ]
        )


def _triggers(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for trigger in snapshot.triggers:
        if trigger.schema not in SCHEMAS:
            continue
        ours = trigger.function_schema in SCHEMAS and trigger.function_owner == Role.OWNER
        yield (
            []
            if ours and not trigger.definer
            else [
                (
                    f"{trigger.schema}.{trigger.relation}.{trigger.name}",
                    f"every row it is shown goes to {trigger.function_schema}.{trigger.function_name}(), "
                    f"which is {trigger.function_owner}'s"
                    + (" and runs with that role's rights" * trigger.definer),
                    statement("DROP TRIGGER {} ON {}.{};", trigger.name, trigger.schema, trigger.relation),
                )
            ]
        )


CHECKS = (
    Check(
        "function.search_path",
        "What lends rights finds its names itself",
        "SECURITY DEFINER functions",
        _search_path,
    ),
    Check(
        "function.lenders",
        "Rights are lent only to whom the design lends them",
        "SECURITY DEFINER functions",
        _lenders,
    ),
    Check("function.owner", "Functions belong to the owner, who is no superuser", "functions", _owners),
    Check("function.context", "The tenant is read anew in every statement", "functions of the context", _contexts),
    Check("function.triggers", "No trigger lends rights", "triggers", _triggers),
    Check("function.leakproof", "No function claims not to leak", "functions", _leakproof),
    Check("function.language", "No function in an untrusted language", "functions", _languages),
)
