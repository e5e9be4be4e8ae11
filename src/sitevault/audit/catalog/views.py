"""Views: read with the rights of whoever asks, never with their owner's."""

from __future__ import annotations

from collections.abc import Iterator

from sitevault.audit.catalog.check import Check, Complaint, named, statement
from sitevault.audit.catalog.snapshot import SCHEMAS, Relation, Snapshot
from sitevault.db.roles import Role

_ON = ("true", "on", "1", "yes")


def _has(view: Relation, option: str) -> bool:
    return any(f"{option}={value}" in view.options for value in _ON)


def _views(snapshot: Snapshot) -> Iterator[tuple[Relation, set[str]]]:
    """Views of the house, and views anywhere that a role of the house or everybody may read."""
    house = {*Role, ""}
    for view in snapshot.relations:
        if view.kind != "v":
            continue
        readers = snapshot.grantees("TABLE", view.schema, view.name, "SELECT") & house
        if view.schema in SCHEMAS or readers:
            yield view, readers


def _invoker(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for view, readers in _views(snapshot):
        whose = "a superuser" if view.owner in snapshot.superusers else view.owner
        to = f"; {', '.join(sorted(one or 'PUBLIC' for one in readers))} may read it" if readers else ""
        yield (
            []
            if _has(view, "security_invoker")
            else [
                (
                    view.full_name,
                    f"it reads with the rights of its owner, {whose}{to}",
                    statement(
                        "ALTER VIEW {} SET (security_invoker = true, security_barrier = true);", named(view)
                    ),
                )
            ]
        )


def _barrier(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for view, _ in _views(snapshot):
        yield (
            []
            if _has(view, "security_barrier")
            else [
                (
                    view.full_name,
                    "a function in a query on it may see rows before its conditions leave them out",
                    statement("ALTER VIEW {} SET (security_barrier = true);", named(view)),
                )
            ]
        )


def _materialised(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for view in snapshot.relations:
        if view.kind != "m":
            yield []
            continue
        readers = snapshot.grantees("TABLE", view.schema, view.name, "SELECT") - {Role.OWNER}
        yield (
            []
            if view.schema not in SCHEMAS and not readers
            else [
                (
                    view.full_name,
                    "a materialised view holds rows of every tenant, and no policy can bind it"
                    + (
                        f"; {', '.join(sorted(one or 'PUBLIC' for one in readers))} may read it" if readers else ""
                    ),
                    statement("DROP MATERIALIZED VIEW {};", named(view)),
                )
            ]
        )


def _rules(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for relation in snapshot.relations:
        if relation.schema not in SCHEMAS or relation.kind == "S":
            continue
        yield [
            (
                f"{relation.full_name}.{rule}",
                "a rewrite rule acts with the rights of the table's owner, past the policies of whoever writes",
                statement("DROP RULE {} ON {};", rule, named(relation)),
            )
            for rule in relation.rules
        ]


CHECKS = (
    Check("view.security_invoker", "Views read with the rights of whoever asks", "views", _invoker),
    Check("view.security_barrier", "Views show nothing to functions beforehand", "views", _barrier),
    Check("view.materialised", "No materialised view of tenants' rows", "relations", _materialised),
    Check("view.rules", "No rewrite rules", "tables and views", _rules),
)
