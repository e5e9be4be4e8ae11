"""Who could do more than they should."""

from __future__ import annotations

from collections.abc import Iterator

from sitevault.audit.catalog import CHECKS as AUDITED
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.rows import Function
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.posture"
_ELSEWHERE = ("server.version",)
_TOOLS = ("psql", "pg_dump", "pg_restore", "pgadmin", "dbeaver", "datagrip", "sitevault-")
_WRITES = {"a": "INSERT", "w": "UPDATE", "d": "DELETE", "D": "TRUNCATE"}
_EVENT_SCHEMAS = ("auth", "raw", "staging", "business")


def _look(snapshot: Snapshot) -> Outcome:
    if snapshot.is_house:
        return _as_the_audit_does(snapshot)
    findings = (*_definers(snapshot), *_public(snapshot), *_superusers(snapshot))
    looked = len(snapshot.functions) + len(snapshot.relations) + len(snapshot.sessions)
    return Outcome("functions, tables and sessions", looked, findings, nothing_is_fine=True)


def _as_the_audit_does(snapshot: Snapshot) -> Outcome:
    checks = [check.run(snapshot.audited) for check in AUDITED if check.id not in _ELSEWHERE]
    findings = tuple(
        Finding(
            ID,
            Verdict.PROBLEM,
            one.object,
            one.message,
            (Evidence(one.object, f"{one.check}: {one.message}", context=one.repair),),
            repair=f"sitevault repair plan {ID}",
        )
        for check in checks
        for one in check.findings
    )
    unseen = tuple(
        Finding(ID, Verdict.UNKNOWN, check.id, f"found no {check.looked_at} to look at")
        for check in checks
        if not check.count
    )
    return Outcome("points of the audit", len(checks), (*findings, *unseen, *_superusers(snapshot)))


def _definers(snapshot: Snapshot) -> Iterator[Finding]:
    for one in snapshot.functions:
        if one.definer and not any(setting.startswith("search_path=") for setting in one.settings):
            callers = "everybody may call it" if _open_to_all(one) else "some may call it"
            yield Finding(
                ID,
                Verdict.PROBLEM,
                one.full_name,
                f"it runs with the rights of {one.owner}, and its caller chooses where it finds its names; "
                f"{callers}",
                (Evidence(one.full_name, "SECURITY DEFINER without SET search_path"),),
                repair=f"ALTER ROUTINE {one.full_name} SET search_path = pg_catalog, pg_temp",
            )


def _open_to_all(function: Function) -> bool:
    return function.acl is None or any(item.startswith("=") for item in function.acl)


def _public(snapshot: Snapshot) -> Iterator[Finding]:
    for one in snapshot.relations:
        if one.schema not in _EVENT_SCHEMAS or one.kind not in ("r", "p", "v"):
            continue
        rights = next((item[1:].partition("/")[0] for item in one.acl or () if item.startswith("=")), "")
        writes = [name for letter, name in _WRITES.items() if letter in rights]
        if writes or "r" in rights:
            yield Finding(
                ID,
                Verdict.PROBLEM if writes else Verdict.WARNING,
                one.full_name,
                f"everybody who may connect may {', '.join([*writes, *(['SELECT'] if 'r' in rights else [])])} it",
                (Evidence(one.full_name, f"PUBLIC={rights}"),),
                repair=f"REVOKE ALL ON {one.full_name} FROM PUBLIC",
            )


def _superusers(snapshot: Snapshot) -> Iterator[Finding]:
    """An application, or the service under a superuser's name: no right of the database binds it."""
    found = {
        (one.user, one.application)
        for one in snapshot.sessions
        if one.is_superuser and one.kind in ("client backend", None) and not _is_a_tool(one.application)
    }
    for user, application in sorted(found, key=str):
        yield Finding(
            ID,
            Verdict.WARNING,
            f"role {user}",
            f"{application or 'an application without a name'} works as a superuser: no policy and no grant binds "
            f"it",
            (Evidence(f"role {user}", "superuser, connected now"),),
        )


def _is_a_tool(application: str) -> bool:
    return application.lower().startswith(_TOOLS)


CHECK = Check(
    id=ID,
    title="Nobody could do more than they should",
    why="A function that lends its owner's rights, a grant to PUBLIC, a service that works as superuser: nothing "
    "fails because of them, until somebody uses them.",
    looks_at="In our house, the checks of the catalog that `sitevault audit isolation` makes. In the guide's "
    "shape: SECURITY DEFINER functions without a search_path of their own, rights of PUBLIC on tables of events, "
    "and sessions of superusers that are no administrator's tool.",
    mend="Run the statement that is named, as the object's owner. `sitevault audit isolation` also tries what it "
    "finds.",
    look=_look,
)
