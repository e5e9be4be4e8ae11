"""A plan as one script of SQL that a person reads, and psql can run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from psycopg import sql

from sitevault.release.apply import rendered
from sitevault.release.model import Bundle, File, ReleasePlan
from sitevault.repair.ground import LOCK_TIMEOUT, STATEMENT_TIMEOUT

_COMMENT_END = re.compile(r"[\r\n]+")


def render_sql(plan: ReleasePlan, bundle: Bundle) -> str:
    """Every file of the plan in order, in one transaction; the same plan is the same text.

    What it leaves out it says: settings of tenants, and the record that `deploy` keeps.
    """
    return "\n".join(_lines(plan, bundle)) + "\n"


def _lines(plan: ReleasePlan, bundle: Bundle) -> Iterator[str]:
    yield from _head(plan)
    yield "\\set ON_ERROR_STOP on"
    yield "BEGIN;"
    yield f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}';"
    yield f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}';"
    if plan.shape == "house":
        yield "SET LOCAL ROLE sitevault_owner;"
    due = [file for file in bundle.migrations if file.name in plan.migrations]
    objects = bundle.objects if plan.changes or plan.migrations else ()
    for file in (*due, *objects):
        yield from _file(file, plan.parameters)
        if bundle.own and file in due:
            yield from _ledger(file)
    for file in (*due, *objects):
        if file.verify is not None:
            yield from _verify(file, plan.parameters)
    yield ""
    yield "COMMIT;"


def _head(plan: ReleasePlan) -> Iterator[str]:
    yield f"-- {_one_line(plan.bundle_name)} {_one_line(plan.bundle_version)}, to {plan.identity.environment}"
    yield f"-- bundle {plan.bundle_digest}"
    yield f"-- plan {plan.digest}"
    yield f"-- database {_one_line(plan.identity.database)}, fingerprint {plan.identity.fingerprint}"
    for hazard in plan.hazards:
        accepted = "accepted" if hazard.name in plan.accepted else "NOT ACCEPTED"
        yield f"-- hazard {hazard.name} ({accepted}): {_one_line(hazard.why)}"
    for name in plan.settings:
        yield f"-- not in this script: {_one_line(name)}"
    yield "-- `sitevault release deploy` runs exactly this, verifies it, and can take it back."
    yield "-- Run by hand it leaves no record: the next preflight sees the objects as moved."


def _file(file: File, parameters: Mapping[str, str]) -> Iterator[str]:
    yield ""
    yield f"-- {_one_line(file.name)} (sha256 {file.sha256})"
    yield _closed(rendered(file.text, parameters))


def _ledger(file: File) -> Iterator[str]:
    version, _, name = file.name.rpartition("/")[2].removesuffix(".sql").partition("_")
    values = sql.SQL(", ").join(map(sql.Literal, (int(version), name, file.sha256))).as_string(None)
    yield "INSERT INTO ops.migration (version, name, sha256, applied_by, duration_ms)"
    yield f"VALUES ({values}, current_user, 0);"


def _verify(file: File, parameters: Mapping[str, str]) -> Iterator[str]:
    query = rendered(file.verify or "", parameters).rstrip().rstrip(";")
    tag = "sitevault_verify"
    while f"${tag}$" in query:
        tag += "_"
    failed = sql.Literal(f"{file.name} does not verify").as_string(None)
    yield ""
    yield f"-- verifies {_one_line(file.name)}"
    yield f"DO ${tag}$ BEGIN IF ("
    yield query
    yield f") IS NOT TRUE THEN RAISE EXCEPTION USING MESSAGE = {failed}; END IF; END ${tag}$;"


def _closed(text: str) -> str:
    """The file's text, ended by a semicolon on a line of its own: a comment may stand at its end."""
    return text.rstrip("\n") + "\n;"


def _one_line(text: str) -> str:
    return _COMMENT_END.sub(" ", text)
