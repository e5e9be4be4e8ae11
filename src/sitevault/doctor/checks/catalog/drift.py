"""The catalog is what this version of Sitevault makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sitevault.db.expected import Expected, comparable, expected
from sitevault.doctor import say
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.drift"


def _look(snapshot: Snapshot) -> Outcome:
    if not snapshot.is_house:
        nobody = ("Nobody knows what a foreign catalog should be.",)
        return Outcome("objects", 0, nothing_is_fine=True, notes=nobody)
    todo = snapshot.migrations
    if not todo.empty:
        return Outcome("objects", 0, (_another_version(len(todo.pending)),))
    wanted, found = expected(), comparable(snapshot.definitions)
    same_major = snapshot.server.version // 10_000 == wanted.major
    elsewhere = f"Definitions are compared on PostgreSQL {wanted.major} only; here, what is there and what is not."
    notes = () if same_major else (elsewhere,)
    findings = tuple(_differences(snapshot, wanted, found, same_major))
    return Outcome("objects", len(wanted.objects), findings, notes=notes)


def _another_version(pending: int) -> Finding:
    return Finding(
        ID,
        Verdict.PROBLEM,
        "ops.migration",
        f"the schema is not this version's: {pending} migrations are pending, or objects are to be applied",
        (Evidence("ops.migration", "the migrations' ledger", counts={"pending": pending}),),
        repair="sitevault migrate",
    )


def _differences(
    snapshot: Snapshot, wanted: Expected, found: Mapping[str, str], same_major: bool
) -> Iterator[Finding]:
    by_hand = f"not by a migration: the last was applied {say.age(snapshot.migrated_seconds)} ago"
    for name in sorted(wanted.objects.keys() | found.keys()):
        if name not in found:
            if same_major or wanted.on_every_version(name):
                yield _finding(name, Verdict.PROBLEM, "is missing", by_hand)
        elif name not in wanted.objects:
            if same_major or not name.startswith("constraint"):
                yield _finding(name, Verdict.WARNING, "was added", by_hand)
        elif same_major and wanted.objects[name] != found[name]:
            yield _finding(name, Verdict.PROBLEM, "was changed", by_hand)


def _finding(name: str, verdict: Verdict, what: str, by_hand: str) -> Finding:
    return Finding(
        ID,
        verdict,
        name,
        f"it {what}, {by_hand}",
        (Evidence(name, f"{what}: definition, owner, rights, comment or settings"),),
        repair=f"sitevault repair plan {ID}",
    )


CHECK = Check(
    id=ID,
    title="The catalog is what the migrations make",
    why="What somebody changed by hand is in no release, was in no rehearsal, and goes with the next restore. In "
    "the incident each environment had a different function under one name.",
    looks_at="Every object with its definition, owner, rights, comment and settings, against what a fresh "
    "database of this version has; daily partitions and their parts aside. On another major version of PostgreSQL "
    "than the one that comes along, whether each is there. Who changed something the catalog does not tell.",
    mend="Put it back, or make a migration of it.",
    look=_look,
)
