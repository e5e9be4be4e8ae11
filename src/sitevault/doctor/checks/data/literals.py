"""Comparisons that can never be true."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "data.literals"

_LISTED = re.compile(r"^CHECK \(\(+[^']*?ARRAY\[(?P<values>[^\]]*)\]")
_EQUAL = re.compile(r"^CHECK \(\(\(?\"?(?P<column>\w+)\"?\)?(::\w+)? = '(?P<value>(?:[^']|'')*)'")
_VALUE = re.compile(r"'((?:[^']|'')*)'")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def _look(snapshot: Snapshot) -> Outcome:
    allowed = _allowed(snapshot)
    texts = list(_texts(snapshot))
    findings = tuple(
        finding for name, kind, text in texts for finding in _illegal(snapshot, name, kind, text, allowed)
    )
    return Outcome("views and functions", len(texts), findings, nothing_is_fine=True)


def _allowed(snapshot: Snapshot) -> dict[str, dict[str, frozenset[str]]]:
    """By column name and relation, the values that a CHECK constraint lists."""
    found: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for one in snapshot.constraints:
        if one.kind != "c" or len(one.columns) != 1:
            continue
        match = _LISTED.match(one.definition)
        equal = _EQUAL.match(one.definition)
        if match:
            found[one.columns[0]][one.relation] = frozenset(_VALUE.findall(match["values"]))
        elif equal:
            found[one.columns[0]][one.relation] = frozenset((equal["value"],))
    return found


def _texts(snapshot: Snapshot) -> Iterator[tuple[str, str, str]]:
    for view in snapshot.relations:
        if view.definition:
            yield view.full_name, "view", view.definition
    for function in snapshot.functions:
        if function.language in ("sql", "plpgsql"):
            yield function.full_name, "function", function.source


def _illegal(
    snapshot: Snapshot, name: str, kind: str, text: str, allowed: Mapping[str, Mapping[str, frozenset[str]]]
) -> Iterator[Finding]:
    bare = _COMMENT.sub(lambda comment: re.sub(r"[^\n]", " ", comment[0]), text)
    for column, by_relation in allowed.items():
        read = [one for one in by_relation if re.search(rf"\b{re.escape(one)}\b", bare)]
        if not read or _has_it_unchecked(snapshot, bare, column, by_relation):
            continue
        legal = frozenset().union(*(by_relation[one] for one in read))
        for value, line in _compared(bare, column):
            if value not in legal:
                relation = next(iter(read))
                yield Finding(
                    ID,
                    Verdict.PROBLEM,
                    name,
                    f"this {kind} compares {column} with '{value}', which a CHECK constraint of {relation} "
                    f"forbids: it can never be true",
                    (Evidence(name, f"{column} = '{value}'", line=line, sqlstate="23514"),),
                )


def _has_it_unchecked(snapshot: Snapshot, text: str, column: str, checked: Mapping[str, object]) -> bool:
    """Another relation in the text has a column of this name without a CHECK: whose it is, cannot be told."""
    return any(
        column in columns and relation not in checked and re.search(rf"\b{re.escape(relation)}\b", text)
        for (_, relation), columns in snapshot.columns_of.items()
    )


def _compared(text: str, column: str) -> Iterator[tuple[str, int]]:
    """Every literal a column is compared with, and the line it stands in."""
    name = rf"(?<![\w'])\"?{re.escape(column)}\"?\)?(?:::[\w ]+)?"
    for match in re.finditer(rf"{name}\s*(?:=|<>|!=)\s*'((?:[^']|'')*)'", text):
        yield match[1], text.count("\n", 0, match.start()) + 1
    for match in re.finditer(rf"{name}\s*(?:NOT\s+)?(?:IN\s*\(|= ANY \(\(?ARRAY\[)([^)\]]*)", text, re.IGNORECASE):
        for value in _VALUE.findall(match[1]):
            yield value, text.count("\n", 0, match.start()) + 1


CHECK = Check(
    id=ID,
    title="No query asks for what a constraint forbids",
    why="A monitoring query that counts a status which the table cannot hold is always zero, and always green: it "
    "cannot fail, so it proves nothing.",
    looks_at="CHECK constraints that list a column's values, against the literals that views and functions "
    "compare that column with. Where another relation in the same text has a column of that name without such a "
    "constraint, it is left alone: whose column is meant cannot be told. SQL that a function puts together at run "
    "time is not seen.",
    mend="Ask for the value that the table really holds.",
    look=_look,
)
