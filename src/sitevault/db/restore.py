"""The way back to a catalog that was captured: the statements that make objects what they were, to the byte.

Functions, procedures, views, policies, triggers, rules, indexes and constraints come back from their definitions;
of every object, owner, privileges with their grantors, comment and switches. Tables and columns that were dropped
do not: their rows are gone. Whoever uses this compares a new capture with the old one, and rolls back where they
differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from psycopg import sql

from sitevault.db.catalog import CatalogSnapshot, Change, Object
from sitevault.errors import SitevaultError

Definition = Mapping[str, Any]

_DROP_ORDER = ("trigger", "rule", "policy", "view", "procedure", "function", "constraint", "index")
_MAKE_ORDER = (
    "schema",
    "type",
    "table",
    "sequence",
    "function",
    "procedure",
    "view",
    "index",
    "constraint",
    "policy",
    "trigger",
    "rule",
)
_GRANTED_ON = {
    "schema": "SCHEMA",
    "table": "TABLE",
    "view": "TABLE",
    "materialized view": "TABLE",
    "sequence": "SEQUENCE",
    "function": "FUNCTION",
    "procedure": "PROCEDURE",
    "type": "TYPE",
}
_ENABLED = {"O": "ENABLE", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}
_COMMAND = {"*": "ALL", "r": "SELECT", "a": "INSERT", "w": "UPDATE", "d": "DELETE"}
_SWITCHES = {"row_security": ("ENABLE", "DISABLE"), "forced": ("FORCE", "NO FORCE")}
_ATTRIBUTES = {"owner", "privileges", "comment"}
_ON_VIEWS = ("column", "trigger", "rule")


class CannotRestoreError(SitevaultError):
    """What was changed cannot be brought back from its definition alone."""


class _Entry(NamedTuple):
    """An object as it was and as it is now; `now` is None for one that has to be made."""

    object: Object
    was: Definition | None
    now: Definition | None


def way_back(before: CatalogSnapshot, after: CatalogSnapshot, acting: str) -> list[str]:
    """The statements, in order, that turn the catalog `after` into `before`, run within one transaction.

    `acting` is the role (quoted) that runs them. Raises CannotRestoreError for a table, column or type that
    came, went or changed its form.
    """
    entries = [
        _Entry(c.object, _owned(_read(c.before), before), _owned(_read(c.after), after))
        for c in before.changes(after)
        if not became_valid(c)
    ]
    entries = [entry for entry in entries if not _comes_with_another(entry)]
    made = {entry.object for entry in entries if entry.was and (entry.now is None or _must_be_dropped(entry))}
    lost_with_views = [
        _Entry(name, _owned(definition, before), None)
        for name, text in before.objects.items()
        if name.kind in _ON_VIEWS and Object("view", (definition := _read(text) or {})["relation"]) in made
    ]
    again = {entry.object for entry in lost_with_views}
    statements: list[str] = []
    for entry in sorted(entries, key=lambda entry: _place(_DROP_ORDER, entry.object)):
        if entry.now is not None and entry.object not in again and _must_be_dropped(entry):
            statements += _dropped(entry.object, entry.now)
    entries = [entry for entry in entries if entry.object not in again] + lost_with_views
    for entry in sorted(entries, key=lambda entry: _place(_MAKE_ORDER, entry.object)):
        if entry.was is None:
            continue
        now = None if entry.object in made else entry.now
        statements += _made(entry.object, entry.was) if now is None else _altered(entry.object, entry.was, now)
        statements += _attributes(entry.object, entry.was, now, acting)
    return statements


def _read(definition: str | None) -> Definition | None:
    return None if definition is None else json.loads(definition)


def became_valid(change: Change) -> bool:
    """Whether an index that was not valid is now, and is the same otherwise."""
    was, now = _read(change.before), _read(change.after)
    if change.object.kind != "index" or was is None or now is None or was["valid"]:
        return False
    return _without(was, {"valid"}) == _without(now, {"valid"})


def _owned(definition: Definition | None, snapshot: CatalogSnapshot) -> Definition | None:
    """A column's definition with the owner of its relation, who is also the owner in its grants."""
    if definition is None or "place" not in definition:
        return definition
    kind = "view" if definition.get("of_view") else "table"
    relation = _read(snapshot.objects.get(Object(kind, definition["relation"])))
    return {**definition, "owner": relation["owner"]} if relation else definition


def _comes_with_another(entry: _Entry) -> bool:
    """Whether it comes and goes with the constraint, or the view, that it belongs to."""
    if entry.was is not None and entry.now is not None:
        return False
    of = entry.was or entry.now or {}
    return bool(of.get("of_constraint")) or (entry.was is None and bool(of.get("of_view")))


def _must_be_dropped(entry: _Entry) -> bool:
    """Whether it is not wanted, or there is no other way to change it."""
    kind, was, now = entry.object.kind, entry.was, entry.now
    if was is None or now is None:
        return was is None
    if kind in ("function", "procedure"):  # a new result, name or default of an argument refuses REPLACE (42P13)
        return was["arguments"] != now["arguments"] or was.get("result") != now.get("result")
    if kind in ("policy", "trigger", "rule", "index", "constraint"):
        return _without(was, _ATTRIBUTES | {"enabled"}) != _without(now, _ATTRIBUTES | {"enabled"})
    return kind == "view" and (was["definition"], was.get("options")) != (now["definition"], now.get("options"))


def _without(definition: Definition, names: set[str]) -> Definition:
    return {name: value for name, value in definition.items() if name not in names}


def _dropped(name: Object, now: Definition) -> Iterator[str]:
    kind, identity = name
    if kind in ("function", "procedure", "view", "index"):
        yield f"DROP {kind.upper()} {identity}"
    elif kind in ("policy", "trigger", "rule"):
        yield f"DROP {kind.upper()} {now['name']} ON {now['relation']}"
    elif kind == "constraint":
        yield f"ALTER TABLE {now['relation']} DROP CONSTRAINT {now['name']}"
    else:
        raise CannotRestoreError(f"The {kind} {identity} was made; taking it back would lose what is in it.")


def _made(name: Object, was: Definition) -> Iterator[str]:
    kind, identity = name
    if kind in ("function", "procedure", "trigger", "rule", "index"):
        yield was["definition"].rstrip(";\n")
    elif kind == "view":
        options = f" WITH ({', '.join(was['options'])})" if was.get("options") else ""
        yield f"CREATE VIEW {identity}{options} AS {was['definition'].rstrip(';')}"
    elif kind == "constraint":
        yield f"ALTER TABLE {was['relation']} ADD CONSTRAINT {was['name']} {was['definition']}"
    elif kind == "policy":
        yield _policy(was)
    elif not was.get("of_view"):
        raise CannotRestoreError(f"The {kind} {identity} was dropped; what was in it cannot be made again.")
    if was.get("enabled", "O") != "O":
        yield _enabled(name, was)


def _policy(was: Definition) -> str:
    text = f"CREATE POLICY {was['name']} ON {was['relation']}"
    text += f" AS {'PERMISSIVE' if was['permissive'] else 'RESTRICTIVE'} FOR {_COMMAND[was['command']]}"
    text += f" TO {', '.join('PUBLIC' if role == 'public' else role for role in was['roles'])}"
    if was.get("using"):
        text += f" USING ({was['using']})"
    if was.get("check"):
        text += f" WITH CHECK ({was['check']})"
    return text


def _altered(name: Object, was: Definition, now: Definition) -> Iterator[str]:
    kind, identity = name
    if kind in ("function", "procedure"):
        if was["definition"] != now["definition"]:
            yield was["definition"]
        return
    if was.get("enabled") != now.get("enabled"):
        yield _enabled(name, was)
    for switch, (on, off) in _SWITCHES.items():
        if was.get(switch) != now.get(switch):
            yield f"ALTER TABLE {identity} {on if was[switch] else off} ROW LEVEL SECURITY"
    handled = _ATTRIBUTES | {"enabled", *_SWITCHES}
    different = {
        name for name in was.keys() | now.keys() if name not in handled and was.get(name) != now.get(name)
    }
    if kind == "column" and different <= {"required", "default"}:
        yield from _column(was, now)
    elif different:
        raise CannotRestoreError(f"The {kind} {identity} changed its {', '.join(sorted(different))}.")


def _column(was: Definition, now: Definition) -> Iterator[str]:
    alter = f"ALTER TABLE {was['relation']} ALTER COLUMN {was['name']}"
    if was["required"] != now["required"]:
        yield f"{alter} {'SET' if was['required'] else 'DROP'} NOT NULL"
    if was.get("default") != now.get("default"):
        yield f"{alter} SET DEFAULT {was['default']}" if was.get("default") else f"{alter} DROP DEFAULT"


def _enabled(name: Object, was: Definition) -> str:
    return f"ALTER TABLE {was['relation']} {_ENABLED[was['enabled']]} {name.kind.upper()} {was['name']}"


def _attributes(name: Object, was: Definition, now: Definition | None, acting: str) -> Iterator[str]:
    """Owner, comment and privileges; `now` is None for an object that was just made."""
    kind, identity = name
    if kind in _GRANTED_ON and "owner" in was and (now is None or was["owner"] != now["owner"]):
        yield f"ALTER {kind.upper()} {identity} OWNER TO {was['owner']}"
    if (now is None and was.get("comment")) or (now is not None and was.get("comment") != now.get("comment")):
        comment = sql.Literal(was.get("comment")).as_string(None) if was.get("comment") else "NULL"
        yield f"COMMENT ON {_commented(name, was)} IS {comment}"
    yield from _privileges(name, was, now, acting)


def _commented(name: Object, was: Definition) -> str:
    kind, identity = name
    if kind in ("policy", "trigger", "rule", "constraint"):
        return f"{kind.upper()} {was['name']} ON {was['relation']}"
    return f"{kind.upper()} {identity}"


def _privileges(name: Object, was: Definition, now: Definition | None, acting: str) -> Iterator[str]:
    kind, identity = name
    if kind != "column" and kind not in _GRANTED_ON:
        return
    on = f"TABLE {was['relation']}" if kind == "column" else f"{_GRANTED_ON[kind]} {identity}"
    wanted = {tuple(one) for one in was.get("privileges") or ()}
    if now is None:
        present: set[tuple[Any, ...]] = set()
        if kind != "column":  # what PostgreSQL and the default privileges gave to a new object goes first
            yield f"REVOKE ALL ON {on} FROM PUBLIC, {was['owner']} CASCADE"
    else:
        # A new owner takes the old one's place in every grant.
        owners = {now.get("owner"): was.get("owner")}
        present = {
            (privilege, owners.get(grantee, grantee), owners.get(grantor, grantor), grantable)
            for privilege, grantee, grantor, grantable in now.get("privileges") or ()
        }
    for privilege, grantee, grantor, _ in sorted(present - wanted):
        yield from _as(
            grantor, f"REVOKE {_what(privilege, kind, was)} ON {on} FROM {grantee} CASCADE", was, acting
        )
    # The owner's own first, then who may pass on, then the rest: a grantor must hold what it grants.
    order = sorted(wanted - present, key=lambda one: (one[2] != was.get("owner"), one[1] != was.get("owner"), one))
    for privilege, grantee, grantor, grantable in order:
        option = " WITH GRANT OPTION" if grantable else ""
        yield from _as(grantor, f"GRANT {_what(privilege, kind, was)} ON {on} TO {grantee}{option}", was, acting)


def _what(privilege: str, kind: str, was: Definition) -> str:
    return f"{privilege} ({was['name']})" if kind == "column" else privilege


def _as(grantor: str, statement: str, was: Definition, acting: str) -> Iterator[str]:
    """Whoever acts for the owner grants in the owner's name; anybody else has to be that role for the moment."""
    if grantor == was.get("owner", grantor):
        yield statement
        return
    yield f"SET LOCAL ROLE {grantor}"
    yield statement
    yield f"SET LOCAL ROLE {acting}"


def _place(order: tuple[str, ...], name: Object) -> int:
    return order.index(name.kind) if name.kind in order else len(order)
