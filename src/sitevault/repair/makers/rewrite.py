"""A function's mapping, rewritten to the keys that payloads carry: a proposal, compared on real events.

Only an accessor that names its key right behind an arrow, once in its line, is edited; the rest is left to a
person.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from sitevault.doctor.checks.functions.field_contract import Misread, misread
from sitevault.doctor.snapshot import Snapshot
from sitevault.repair.makers.case import NotMended


class Rewritten(NamedTuple):
    """A whole function with its accessors edited."""

    name: str
    text: str


def propose(snapshot: Snapshot) -> Iterator[Rewritten | NotMended]:
    """Each function that reads keys which payloads carry under another name, or elsewhere."""
    of_function: dict[int, list[Misread]] = defaultdict(list)
    for one in misread(snapshot):
        of_function[one.code.function.oid].append(one)
    for found in of_function.values():
        yield from _rewritten(found)


def _rewritten(found: list[Misread]) -> Iterator[Rewritten | NotMended]:
    function = found[0].code.function
    lines = function.source.split("\n")
    left: list[str] = []
    for one in found:
        edited = _edited(lines[one.accessor.line - 1], one) if one.nearest else None
        if edited is None:
            left.append(f"{'.'.join(one.accessor.path)} in line {one.accessor.line}")
        else:
            lines[one.accessor.line - 1] = edited
    if left:
        why = "What is meant, or how it is read, is not plain enough to edit: write it into a file (--function)."
        yield NotMended(f"{function.full_name}: {', '.join(left)}", why)
    source = "\n".join(lines)
    if source != function.source and function.definition:
        yield Rewritten(
            f"a proposal for {function.full_name}", function.definition.replace(function.source, source)
        )


def _edited(line: str, one: Misread) -> str | None:
    """The line with the key's new name, or its new place; None where that is not one plain edit."""
    if one.nearest is None:
        return None
    path, meant = one.accessor.path, tuple(one.nearest.path.split("."))
    arrow = re.compile(rf"->(>?)\s*'{re.escape(path[-1])}'")
    if len(arrow.findall(line)) != 1:
        return None
    if path[:-1] == meant[:-1]:
        parents: tuple[str, ...] = ()
    elif len(path) == 1:
        parents = meant[:-1]
    else:
        return None
    way = "".join(f"->{_literal(key)}" for key in parents)
    return arrow.sub(lambda match: f"{way}->{match[1]}{_literal(meant[-1])}", line)


def _literal(key: str) -> str:
    return "'" + key.replace("'", "''") + "'"
