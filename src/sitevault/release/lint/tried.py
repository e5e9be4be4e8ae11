"""What the database shows on which the bundle was tried: overloads, lost rights, bodies, the doctor's checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

from sitevault.db.catalog import Change
from sitevault.doctor.checks.functions import CHECKS as FUNCTION_CHECKS
from sitevault.doctor.checks.functions import field_contract
from sitevault.doctor.code import facts
from sitevault.doctor.code.library import Code, library
from sitevault.doctor.code.parser import kind, walk
from sitevault.doctor.model import Verdict
from sitevault.doctor.rows import Function
from sitevault.doctor.run import examine
from sitevault.doctor.snapshot import ForeignDatabaseError, Snapshot, opened
from sitevault.release.lint.model import Finding, Lint, Severity, found
from sitevault.release.scratch import SQL, Trial

DROPPED = Lint(
    "dropped_and_created",
    Severity.ERROR,
    "A function, procedure or view that is there before and after, but is another one: DROP, then CREATE.",
    "Its owner, its grants and its comment are lost, and whoever may call it changes.",
    "CREATE OR REPLACE. Where PostgreSQL refuses that (another result, other names of arguments), grant again in "
    "the same file, and allow it by name.",
)
OVERLOAD = Lint(
    "orphan_overload",
    Severity.ERROR,
    "A new function or procedure beside an older one of the same name with other arguments (F7).",
    "CREATE OR REPLACE with one parameter more replaces nothing: callers go on calling the old one.",
    "Drop the old one in the same file, or give the new one a name of its own.",
)
DEFINER = Lint(
    "definer_search_path",
    Severity.ERROR,
    "SECURITY DEFINER without SET search_path in the definition.",
    "The caller's search_path decides which objects it touches with its owner's rights.",
    "SET search_path = pg_catalog, pg_temp in the definition, and names in full in the body.",
)
BODY = Lint(
    "search_path_in_body",
    Severity.WARNING,
    "A table, view or function named without its schema in a body, where the definition pins no search_path.",
    "It is looked up when it is called, by the path of whoever calls it.",
    "Write schema.name, or SET search_path in the definition.",
)
DOCTOR = Lint(
    "doctor",
    Severity.ERROR,
    "What `sitevault doctor` says of the functions the bundle makes, F1 to F8, under its own names: "
    "`doctor:functions.lost_error_write`. Its problems are errors, its warnings warnings. Not run: "
    "functions.field_contract, which needs payloads; `release rehearse` has them.",
    "The incident's faults came in as hot-fixes.",
    "`sitevault doctor --explain ID` says it.",
)
LINTS = (DROPPED, OVERLOAD, DEFINER, BODY, DOCTOR)

_SEVERITY = {Verdict.PROBLEM: Severity.ERROR, Verdict.WARNING: Severity.WARNING, Verdict.UNKNOWN: Severity.UNKNOWN}
_CALLED = ("function", "procedure")


class Replaceable(NamedTuple):
    """Something that CREATE OR REPLACE keeps: its number stays, and with it owner, grants and comment."""

    kind: str
    name: str
    types: str
    identity: str
    number: int

    @property
    def signature(self) -> tuple[str, str, str]:
        return self.kind, self.name, self.types

    def __str__(self) -> str:
        return f"{self.kind} {self.identity}"


def numbers(conn: psycopg.Connection[Any]) -> list[Replaceable]:
    """What there is to be replaced, as this transaction sees it."""
    with conn.cursor(row_factory=class_row(Replaceable)) as cursor:
        return cursor.execute(SQL.replaceable).fetchall()


def look(
    trial: Trial, changes: list[Change], before: list[Replaceable], after: list[Replaceable]
) -> Iterator[Finding]:
    """Everything that the trial's database shows; it is committed by now."""
    yield from _dropped(before, after)
    yield from _overloads(before, after)
    made = {str(change.object) for change in changes if change.after is not None}
    functions = {one.number: str(one) for one in after if one.kind in _CALLED and str(one) in made}
    if functions:
        with opened(trial.conninfo) as snapshot:
            yield from _definers(snapshot, functions)
            yield from _bodies(snapshot, functions)
            yield from _doctor(snapshot, functions)


def _dropped(before: list[Replaceable], after: list[Replaceable]) -> Iterator[Finding]:
    now = {one.signature: one for one in after}
    for one in before:
        other = now.get(one.signature)
        if other is not None and other.number != one.number:
            yield found(DROPPED, str(other), 0, "is dropped and made again, which loses owner, grants and comment")


def _overloads(before: list[Replaceable], after: list[Replaceable]) -> Iterator[Finding]:
    then, now = {one.signature for one in before}, {one.signature for one in after}
    for one in after:
        if one.kind not in _CALLED or one.signature in then:
            continue
        beside = [old for old in before if (old.kind, old.name) == (one.kind, one.name) and old.signature in now]
        if beside:
            others = ", ".join(old.identity for old in beside)
            yield found(OVERLOAD, str(one), 0, f"is new beside {others}, which its callers go on calling")


def _definers(snapshot: Snapshot, functions: dict[int, str]) -> Iterator[Finding]:
    for one in snapshot.functions:
        if one.oid in functions and one.definer and not _pins(one):
            yield found(DEFINER, functions[one.oid], 0, "is SECURITY DEFINER and pins no search_path")


def _pins(function: Function) -> bool:
    return any(setting.startswith("search_path=") for setting in function.settings)


def _bodies(snapshot: Snapshot, functions: dict[int, str]) -> Iterator[Finding]:
    others = {
        name for what, name in snapshot.connection.execute(SQL.names_of_others).fetchall() if what == "function"
    }
    for code in library(snapshot):
        name = functions.get(code.function.oid)
        if name is None or _pins(code.function):
            continue
        for line, bare in dict.fromkeys(_bare_in(code, others)):
            yield found(BODY, name, line, f"{bare} is looked up by the path of whoever calls it")


def _bare_in(code: Code, others: set[str]) -> Iterator[tuple[int, str]]:
    made = {
        node.relation.relname
        for _, sql in code.body.pieces()
        if sql.tree is not None
        for node in walk(sql.tree)
        if kind(node) == "CreateStmt"
    }
    is_trigger = code.function.returns == "trigger"  # its transition tables have names of their own
    for _, sql in code.body.pieces():
        if sql.tree is None:
            continue
        for relation in facts.relations(sql.tree):
            named = relation.relname
            if not relation.schemaname and not is_trigger and named not in made and not named.startswith("pg_"):
                yield sql.line_of(relation), str(named)
        for call in facts.calls(sql):
            if call.schema is None and call.name in others:
                yield call.line, f"{call.name}()"


def _doctor(snapshot: Snapshot, functions: dict[int, str]) -> Iterator[Finding]:
    checks = [check for check in FUNCTION_CHECKS if check is not field_contract.CHECK]
    try:
        report = examine(snapshot, checks)
    except ForeignDatabaseError:
        message = "not run: the base has no raw.site_tracking_events_r"
        yield found(DOCTOR, "every function", 0, message, Severity.UNKNOWN)
        return
    ours = {one.full_name: functions[one.oid] for one in snapshot.functions if one.oid in functions}
    for finding in report.findings:
        for evidence in finding.evidence[: None if finding.verdict is Verdict.UNKNOWN else 1]:
            name = ours.get(evidence.object)
            if name is not None:
                severity = _SEVERITY[finding.verdict]
                message = evidence.says if severity is Severity.UNKNOWN else finding.message
                yield Finding(f"doctor:{finding.check}", severity, name, evidence.line or 0, message)
