"""F4: a function refers to a table, a column or a function that is not there."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from sitevault.doctor import plpgsql_check
from sitevault.doctor.checks.functions.spots import Blind, Spot, outcome, run_time
from sitevault.doctor.code.library import Code, library
from sitevault.doctor.code.objects import Missing, Objects, objects
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.plpgsql_check import Answer, Said
from sitevault.doctor.snapshot import Snapshot

_NOT_THERE = frozenset({"42703", "42P01", "42883", "42704", "3F000"})
"""A column, a relation, a function or operator, another object, a schema."""
_RELATION = re.compile(r'relation "(?P<name>[^"]+)" does not exist')


def look(snapshot: Snapshot) -> Outcome:
    """References that lead nowhere, and what else PostgreSQL's own parser stumbles over where it can be asked."""
    known = library(snapshot)
    there = objects(snapshot, known)
    missing = {code.name: (code, sorted(set(there.missing(code)))) for code in known}
    spots = [_spot(code, one) for code, found in missing.values() for one in found]
    answer = plpgsql_check.ask(snapshot)
    for said in answer.said:
        code, seen = missing.get(said.function, (None, []))
        if code is not None and not _is_known(said, seen, there):
            spots.append(_spot_of(code, said))
    refused = [
        Blind(missing[one.function][0], 0, f"plpgsql_check could not read it: {one.why}")
        for one in answer.refused
        if one.function in missing
    ]
    found = outcome(CHECK.id, known, spots, [*run_time(known), *refused], _notes(answer))
    return _asked_in_vain(found, answer) if snapshot.options.ground and answer.not_asked else found


def _is_known(said: Said, seen: Iterable[Missing], there: Objects) -> bool:
    """The text already told it, or it is a table that the functions make for themselves."""
    message = said.message or ""
    relation = _RELATION.search(message)
    if said.sqlstate == "42P01" and relation is not None and relation["name"] in there.made:
        return True
    lines = {said.line, said.statement_line}
    return any(
        one.line in lines or (one.line >= said.statement_line and one.name.rpartition(".")[2] in message)
        for one in seen
    )


def _spot_of(code: Code, said: Said) -> Spot:
    there = said.sqlstate not in _NOT_THERE
    says = said.message or "plpgsql_check reports an error here"
    return Spot(
        code,
        said.line,
        f"line {said.line}: {says}: it fails with {said.sqlstate} when it gets there (plpgsql_check)",
        says,
        verdict=Verdict.WARNING if there else Verdict.PROBLEM,
        sqlstate=said.sqlstate,
    )


def _notes(answer: Answer) -> Iterable[str]:
    if answer.not_asked:
        yield f"Types and records were not checked by PostgreSQL's own parser: {answer.not_asked}."
    yield from answer.notes


def _asked_in_vain(found: Outcome, answer: Answer) -> Outcome:
    """Who names the ground wants it done there: that it was not is no detail then."""
    why = f"could not be checked by plpgsql_check as asked: {answer.not_asked}"
    finding = Finding(CHECK.id, Verdict.UNKNOWN, "functions", why, (Evidence("plpgsql_check", why),))
    return dataclasses.replace(found, findings=(*found.findings, finding))


def _spot(code: Code, one: Missing) -> Spot:
    elsewhere = tuple(Evidence(name, "has one of that name") for name in one.elsewhere)
    return Spot(
        code,
        one.line,
        f"line {one.line}: {one.says}"
        + (f"; {', '.join(one.elsewhere)} has one of that name" if one.elsewhere else "")
        + f": it fails with {one.sqlstate} when it gets there",
        one.says,
        sqlstate=one.sqlstate,
        more=elsewhere,
    )


CHECK = Check(
    id="functions.missing_object",
    alias="F4",
    title="Functions refer to what is there",
    why=(
        "PostgreSQL does not look into a PL/pgSQL body until it runs: UPDATE raw.… SET processed_timestamp = … is "
        "deployed without a word, and fails with 42703 at the first event that gets so far."
    ),
    looks_at=(
        "Every function that is called, by name and number of arguments; every table that is named; every column "
        "that is written, or read by its table's name or alias, or bare in a statement with one table; NEW and "
        "OLD in triggers. A bare name may be meant for any schema, since the caller's search_path is not known. "
        "By itself it does not see types of arguments or fields of records; what is built at run time is unknown. "
        "Where the server has the extension plpgsql_check, PostgreSQL's own parser reads every PL/pgSQL function "
        "too: by default (--clone) in a database made for it from the schema alone and dropped afterwards, which "
        "needs the right to create databases and the extension; with --on-target in the database itself, in a "
        "transaction that is rolled back. It finds operators, types and fields as well; errors that are not of "
        "something missing are warnings. Left out are functions with polymorphic arguments, and of triggers "
        "without a table. Where it cannot be asked, -v says why; where --clone or --on-target was given, that "
        "is unknown."
    ),
    mend="Name what is there, or make what is missing, if it is meant to be.",
    look=look,
)
