"""What a bundle makes of each object, learnt from its trial, and whether a target has become that."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sitevault.db.catalog import Change, Object
from sitevault.release.model import Bundle, Expectation

OWNER = "$owner"
"""Whoever owns the object: in the trial that is a role of the trial's."""

_NUMBERED_HERE = {"aggregate": ("definition",), "column": ("place",), "constraint": ("inherited",)}
"""What counts objects of one database, or its columns: another has other numbers."""
_REWRITTEN = ("definition", "default", "partition_by", "partition_of", "collation")
"""What PostgreSQL writes anew from its own tree, each major version in its own way."""
_AS_WRITTEN = ("function", "procedure", "policy", "trigger")
_GIVEN_BY_PARAMETER = (*_REWRITTEN, "using", "check", "comment", "arguments", "options", "sequence")
_PUBLIC_BY_DEFAULT = {"function": "EXECUTE", "procedure": "EXECUTE", "aggregate": "EXECUTE", "type": "USAGE"}


def learn(changes: Iterable[Change], owner: str, by_parameter: Iterable[Object] = ()) -> tuple[Expectation, ...]:
    """An expectation for each object that the trial changed.

    `by_parameter`: those made by files with parameters; what a value can be in is left to the plan, which is
    made with the environment's own.
    """
    varying = frozenset(by_parameter)
    return tuple(_expectation(change, owner, change.object in varying) for change in changes)


def matches(expectation: Expectation, before: str | None, after: str | None, same_major: bool) -> list[str]:
    """What on the target is not as the bundle says; `before` and `after` are the catalog's, on the target.

    What the bundle does not set must have stayed. Definitions that PostgreSQL rewrites (views, constraints,
    indexes, defaults) are compared on the major version of the trial; on another the object has to be there.
    """
    if expectation.attributes is None:
        return [] if after is None else ["it is still there"]
    if after is None:
        return ["it is not there"]
    now, then = json.loads(after), json.loads(before) if before is not None else None
    wanted: Mapping[str, Any] = json.loads(expectation.attributes)
    wrong = [
        f"{name} is {_shown(now.get(name))}, not {_shown(value)}"
        for name, value in wanted.items()
        if name != "privileges" and _comparable(expectation.kind, name, value, same_major)
        if not _same(name, value, now)
    ]
    if "privileges" in wanted:
        wrong += _privileges(wanted["privileges"], now)
    if then is not None:
        wrong += [
            f"{name} was {_shown(then.get(name))} and is {_shown(now.get(name))}, which the bundle does not set"
            for name in sorted(then.keys() | now.keys())
            if name not in wanted and not _counted(expectation.kind, name) and then.get(name) != now.get(name)
            if not (wanted.get(_VARYING) and name in _GIVEN_BY_PARAMETER)
        ]
    return wrong


def unexpected(bundle: Bundle, changes: Iterable[Change]) -> list[Object]:
    """Objects that changed on the target, but not in the trial."""
    known = {(one.kind, one.identity) for one in bundle.expected}
    return [change.object for change in changes if change.object not in known]


# -- learning --------------------------------------------------------------------------------------------------

_VARYING = "$by_parameter"
"""Marks an object whose definition may hold a parameter."""


def _expectation(change: Change, owner: str, varying: bool) -> Expectation:
    kind, identity = change.object
    if change.after is None:
        return Expectation(kind, identity, None)
    after, before = json.loads(change.after), json.loads(change.before) if change.before else None
    names = after.keys() | (before or {}).keys()
    attributes = {
        name: _named(after.get(name), owner)
        for name in names
        if name != "privileges" and not _counted(kind, name)
        if before is None or before.get(name) != after.get(name)
    }
    rights = _rights(kind, before, after, owner)
    if rights["granted"] or rights["revoked"]:
        attributes["privileges"] = rights
    if varying:
        attributes = {name: value for name, value in attributes.items() if name not in _GIVEN_BY_PARAMETER}
        attributes[_VARYING] = True
    return Expectation(
        kind, identity, json.dumps(attributes, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    )


def _rights(
    kind: str, before: Mapping[str, Any] | None, after: Mapping[str, Any], owner: str
) -> dict[str, list[Any]]:
    """What was granted and what taken away; of a new object also what everybody would have had by default."""
    now = _list(after, owner)
    if before is not None:
        then = _list(before, owner)
    elif kind in _PUBLIC_BY_DEFAULT:
        then = [[_PUBLIC_BY_DEFAULT[kind], "PUBLIC", OWNER, False]]
        return {"granted": now, "revoked": [one for one in then if one not in now]}
    else:
        then = []
    return {
        "granted": [one for one in now if one not in then],
        "revoked": [one for one in then if one not in now],
    }


def _list(definition: Mapping[str, Any], owner: str) -> list[Any]:
    return sorted(_named(one, owner) for one in definition.get("privileges") or ())


def _named(value: Any, owner: str) -> Any:
    """The value with the trial's owner under no name of its own."""
    if isinstance(value, list):
        return [_named(one, owner) for one in value]
    return OWNER if value == owner else value


# -- comparing -------------------------------------------------------------------------------------------------


def _counted(kind: str, name: str) -> bool:
    return name in _NUMBERED_HERE.get(kind, ())


def _comparable(kind: str, name: str, value: Any, same_major: bool) -> bool:
    if name == _VARYING:
        return False
    if same_major or name not in _REWRITTEN:
        return True
    # a body of standard SQL is kept as a tree, and written anew like a view
    return kind in _AS_WRITTEN and "BEGIN ATOMIC" not in str(value)


def _same(name: str, value: Any, now: Mapping[str, Any]) -> bool:
    if name == "owner" and value == OWNER:
        return True
    there = now.get(name)
    if isinstance(value, list) and OWNER in value and isinstance(there, list):
        # of a policy: whoever makes it, by name
        return len(there) == len(value) and {one for one in value if one != OWNER} <= set(there)
    return bool(there == value)


def _privileges(wanted: Mapping[str, list[Any]], now: Mapping[str, Any]) -> list[str]:
    held = _list(now, str(now.get("owner")))
    return [
        *(f"{_right(one)} is not granted" for one in wanted["granted"] if one not in held),
        *(f"{_right(one)} is still granted" for one in wanted["revoked"] if one in held),
    ]


def _right(one: list[Any]) -> str:
    privilege, grantee, _, grantable = one
    return f"{privilege} to {grantee}" + (" with grant option" if grantable else "")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if value is not None else "not set"
    return text if len(text) <= 200 else f"{text[:200]}... ({len(text)} characters)"
