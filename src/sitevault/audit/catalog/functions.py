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
}
"""The functions that run with the owner's rights, and who may call each."""


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
    Check("function.leakproof", "No function claims not to leak", "functions", _leakproof),
    Check("function.language", "No function in an untrusted language", "functions", _languages),
)
