"""What a bundle makes of each object, learnt from its trial, and whether a target has become that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sitevault.db.catalog import CatalogSnapshot, Change, Object
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


def learn(
    before: CatalogSnapshot, changes: Sequence[Change], owner: str, by_parameter: Iterable[Object] = ()
) -> tuple[Expectation, ...]:
    """An expectation for each object that the trial changed; `before` is the catalog of its base.

    `by_parameter`: those made by files with parameters; what a value can be in is left to the plan, which is
    made with the environment's own.
    """
    varying, passed_down = frozenset(by_parameter), _passed_down(before, changes, changes)
    return tuple(
        _expectation(change, owner, change.object in varying, change.object in passed_down) for change in changes
    )


def matches(expectation: Expectation, before: str | None, after: str | None, same_major: bool) -> list[str]:
    """What on the target is not as the bundle says; `before` and `after` are the catalog's, on the target.

    What the bundle does not set must have stayed. Definitions that PostgreSQL rewrites (views, constraints,
    indexes, defaults) are compared on the major version of the trial; on another the object has to be there.
    """
    if expectation.attributes is None:
        return [] if after is None else ["it is still there"]
    wanted: Mapping[str, Any] = json.loads(expectation.attributes)
    if after is None:
        # partitions come and go: another database has others
        return [] if before is None and wanted.get(_OF_PARTITION) else ["it is not there"]
    now, then = json.loads(after), json.loads(before) if before is not None else None
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


def unexpected(bundle: Bundle, changes: Sequence[Change], before: CatalogSnapshot | None = None) -> list[Object]:
    """Objects that changed on the target, but not in the trial.

    With `before`, the target's catalog, not those of partitions that the trial did not have and that changed
    because their parent did, as expected.
    """
    known = {(one.kind, one.identity) for one in bundle.expected}
    others = [change for change in changes if change.object not in known]
    expected = [change for change in changes if change.object in known]
    passed_down = _passed_down(before, expected, others) if before is not None else frozenset()
    return [change.object for change in others if change.object not in passed_down]


# -- learning --------------------------------------------------------------------------------------------------

_VARYING = "$by_parameter"
"""Marks an object whose definition may hold a parameter."""
_OF_PARTITION = "$of_partition"
"""Marks an object of a partition that was there before, changed because its parent did."""
_BOUND = re.compile(r" (FOR VALUES .*|DEFAULT)$", re.DOTALL)


def _expectation(change: Change, owner: str, varying: bool, passed_down: bool) -> Expectation:
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
    if passed_down:
        attributes[_OF_PARTITION] = True
    return Expectation(
        kind, identity, json.dumps(attributes, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    )


def _passed_down(
    before: CatalogSnapshot, causes: Iterable[Change], changes: Iterable[Change]
) -> frozenset[Object]:
    """Of the changes, those on a partition that was there, where one of the causes is on a parent of it."""
    parents = {
        name.identity: _BOUND.sub("", json.loads(definition)["partition_of"])
        for name, definition in before.objects.items()
        if name.kind == "table" and '"partition_of"' in definition
    }
    if not parents:
        return frozenset()
    changed = {(_relation(change), _gist(change)) for change in causes}
    return frozenset(
        change.object
        for change in changes
        if any((relation, _gist(change)) in changed for relation in _above(_relation(change), parents))
    )


def _above(relation: str, parents: Mapping[str, str]) -> Iterator[str]:
    while relation in parents:
        relation = parents[relation]
        yield relation


def _relation(change: Change) -> str:
    """The table that the object is, or belongs to."""
    definition = json.loads(change.after or change.before or "{}")
    return str(definition.get("relation") or definition.get("on") or change.object.identity)


def _gist(change: Change) -> tuple[str, str]:
    """What an object has in common with the one of a partition that PostgreSQL makes after it."""
    definition = json.loads(change.after or change.before or "{}")
    match change.object.kind:
        case "index":
            says = str(definition.get("definition")).partition(" USING ")[2]
        case "constraint":
            says = str(definition.get("definition"))
        case _:
            says = str(definition.get("name"))
    return change.object.kind, says


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
    if name in (_VARYING, _OF_PARTITION):
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
    if "owner" not in now:
        # of a column: who owns it stands with its table, and it is he who grants
        held = [[privilege, grantee, OWNER, grantable] for privilege, grantee, _, grantable in held]
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
