"""F7: a mended function stands beside the broken one, which everybody goes on calling."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from itertools import combinations

from sitevault.doctor.checks.functions.spots import Spot, outcome, run_time
from sitevault.doctor.code.library import Code, Library, library
from sitevault.doctor.code.parser import Unreadable, tokens
from sitevault.doctor.model import Check, Evidence, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ALIKE = 0.6
"""Share of words in common from which two bodies are versions of one function: the incident's have 0.9."""


def look(snapshot: Snapshot) -> Outcome:
    """Overloads that are versions of one another, of which callers use one only."""
    known = library(snapshot)
    named = {name for name, overloads in known.by_name.items() if len(overloads) > 1}
    callers = _callers(known)
    spots = [spot for name in sorted(named) for spot in _spots(known.by_name[name], callers)]
    hidden = [
        one for one in run_time(known) if any(name in sql.text for sql in one.code.dynamic for _, name in named)
    ]
    return outcome(CHECK.id, known, spots, hidden)


def _callers(known: Library) -> dict[int, list[tuple[Code, int]]]:
    """Function -> who calls it, and where; a call that can mean several counts for each."""
    found: dict[int, list[tuple[Code, int]]] = {}
    for code in known:
        for _, call in code.calls:
            for called in known.called(code, call):
                if called is not code:
                    found.setdefault(called.function.oid, []).append((code, call.line))
    return found


def _spots(overloads: tuple[Code, ...], callers: dict[int, list[tuple[Code, int]]]) -> Iterator[Spot]:
    names = {one.function.oid for one in overloads}
    for one, other in combinations(overloads, 2):
        used, unused = (one, other) if _used(one, callers) else (other, one)
        if _used(unused, callers) or not _versions(one, other):
            continue
        if any(caller.function.oid in names for caller, _ in callers.get(used.function.oid, ())):
            continue  # one calls the other: a convenience, not a second version
        if _used(used, callers):
            yield _orphan(used, unused, callers[used.function.oid] if callers.get(used.function.oid) else [])
        else:
            yield Spot(
                unused, 1,
                f"stands beside {used.name}, its like; nothing in the database calls either, so which one the "
                "application calls cannot be told from here",
                "two versions of one function can be called by the same name",
                Verdict.WARNING,
                more=(Evidence(used.name, "the other version", 1),),
            )  # fmt: skip


def _orphan(used: Code, unused: Code, calls: list[tuple[Code, int]]) -> Spot:
    shown = tuple(Evidence(caller.name, f"calls {used.name}", line) for caller, line in calls[:5])
    return Spot(
        unused,
        1,
        f"nothing in the database calls it; callers still reach {used.name}, of which it looks like a version",
        f"an overload of {used.name} that nothing calls",
        counts={"callers of the other": len(calls), "callers": 0},
        more=shown,
    )


def _used(code: Code, callers: dict[int, list[tuple[Code, int]]]) -> bool:
    return bool(callers.get(code.function.oid)) or bool(code.function.trigger_tables)


def _versions(one: Code, other: Code) -> bool:
    """Whether two functions are versions of one: the same first arguments, and bodies with most words in "
    "common."""
    if one.body.why or other.body.why:
        return False
    fewer, more = sorted((one.body.inputs, other.body.inputs), key=len)
    if not fewer or any(left.type != right.type for left, right in zip(fewer, more, strict=False)):
        return False
    return _likeness(one, other) >= ALIKE


def _likeness(one: Code, other: Code) -> float:
    try:
        first, second = ([token.word for token in tokens(code.function.source)] for code in (one, other))
    except Unreadable:
        return 0.0
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio()


CHECK = Check(
    id="functions.orphan_overload",
    alias="F7",
    title="No mended function stands unused beside a broken one",
    why=(
        "CREATE OR REPLACE with one parameter more replaces nothing: it makes a second function. Callers go on "
        "calling the old one, the deployment is reported as done, and nothing has changed."
    ),
    looks_at=(
        "Functions of the same name whose first arguments are of the same types and whose bodies have most "
        "words in "
        "common, of which one is called by other functions or triggers and the other by nobody. Left alone: "
        "overloads that are each called, that call one another, or that do different things. Calls of the "
        "application are not seen: where nothing in the database calls either, that is a warning."
    ),
    mend=(
        "Replace the function that is called, and drop the other; or drop the old one when nothing "
        "calls it any more."
    ),
    look=look,
)
