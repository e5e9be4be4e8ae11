"""What a server must offer before Sitevault touches it, each point in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import psycopg
from psycopg.rows import dict_row

from sitevault.db import queries
from sitevault.db.roles import Role
from sitevault.errors import PreflightError

OLDEST, NEWEST = 15, 18
SAFE_MINOR = {15: 14, 16: 10, 17: 6}
"""First releases without CVE-2025-8713 (statistics showing rows that row-level security hides)."""

CONNECTIONS_NEEDED = 20


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """One point of the check: what was found, and for anything but ok, what to do."""

    id: str
    level: Level
    message: str
    fix: str | None = None


def preflight(conn: psycopg.Connection) -> list[Finding]:
    """Check the server and database behind an administrator's connection; changes nothing."""
    asked = queries.load("preflight")
    with conn.cursor(row_factory=dict_row) as cursor:
        (facts,) = cursor.execute(asked.server_facts, {"roles": list(Role)}).fetchall()
    major, minor = divmod(conn.info.server_version, 10000)
    return [
        _version(major),
        _security_fixes(major, minor),
        _encoding(facts["encoding"]),
        _not_a_replica(facts["in_recovery"]),
        _create_roles(facts, major),
        _create_schemas(facts),
        _schemas_free(facts["foreign_schemas"]),
        _durable(facts),
        _connections(facts["max_connections"], facts["used_connections"]),
    ]


def refuse_unsafe(server_version: int) -> None:
    """Raise PreflightError for a server whose row-level security has known holes; asked at every start.

    `server_version` as libpq says it: 150014 is 15.14.
    """
    finding = _security_fixes(*divmod(server_version, 10000))
    if finding.level is Level.PROBLEM:
        raise PreflightError(finding.message, fix=finding.fix)


def _version(major: int) -> Finding:
    if major < OLDEST:
        return _problem(
            "version",
            f"The server is PostgreSQL {major}; Sitevault needs {OLDEST} to {NEWEST}.",
            "Upgrade the server.",
        )
    if major > NEWEST:
        return _warning(
            "version",
            f"The server is PostgreSQL {major}; Sitevault is tested with {OLDEST} to {NEWEST}.",
            "Try it on a copy first.",
        )
    return _ok("version", f"PostgreSQL {major}.")


def _security_fixes(major: int, minor: int) -> Finding:
    safe = SAFE_MINOR.get(major, 0)
    if minor < safe:
        return _problem(
            "security_fixes",
            f"PostgreSQL {major}.{minor} can show rows that row-level security hides (CVE-2025-8713).",
            f"Update the server to {major}.{safe} or newer; a minor update keeps the data.",
        )
    return _ok("security_fixes", "The server has the fixes that row-level security depends on.")


def _encoding(encoding: str) -> Finding:
    if encoding != "UTF8":
        return _problem(
            "encoding",
            f"The database is encoded in {encoding}, which cannot hold every event.",
            "Create one with: CREATE DATABASE sitevault TEMPLATE template0 ENCODING 'UTF8'",
        )
    return _ok("encoding", "The database is encoded in UTF-8.")


def _not_a_replica(in_recovery: bool) -> Finding:
    if in_recovery:
        message = "The server is a replica and takes no writes."
        return _problem("replica", message, "Name the primary in DATABASE_URL.")
    return _ok("replica", "The server takes writes.")


def _create_roles(facts: dict[str, object], major: int) -> Finding:
    if facts["is_superuser"] or facts["roles_complete"]:
        return _ok("roles", "The roles are there, or can be created.")
    if major >= 16 and facts["can_create_roles"] and facts["can_bypass_rls"]:
        return _ok("roles", "The roles can be created.")
    needed = "a superuser" if major < 16 else "a superuser, or a role with CREATEROLE and BYPASSRLS,"
    return _problem(
        "roles",
        f"The user {facts['user']} may not create Sitevault's roles: two of them must bypass row-level security.",
        f"Name {needed} in DATABASE_URL for `sitevault init`; the services do not use it.",
    )


def _create_schemas(facts: dict[str, object]) -> Finding:
    if facts["can_grant_create"]:
        return _ok("schemas", "The database lets Sitevault create its schemas.")
    return _problem(
        "schemas",
        f"The user {facts['user']} may not let others create schemas in {facts['database']}.",
        f"As its owner: ALTER DATABASE {facts['database']} OWNER TO {facts['user']}",
    )


def _schemas_free(foreign: list[str]) -> Finding:
    if foreign:
        return _problem(
            "names_free",
            f"The database has schemas of somebody else under Sitevault's names: {', '.join(foreign)}.",
            "Give Sitevault a database of its own: CREATE DATABASE sitevault",
        )
    return _ok("names_free", "No schema of somebody else is in the way.")


def _durable(facts: dict[str, object]) -> Finding:
    off = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if facts[name] == "off"]
    if off:
        return _problem(
            "durable",
            f"The server may lose what it has committed: {', '.join(off)} off.",
            "; ".join(f"ALTER SYSTEM SET {name} = on" for name in off) + "; SELECT pg_reload_conf()",
        )
    return _ok("durable", "What the server commits is on disk.")


def _connections(allowed: int, used: int) -> Finding:
    free = allowed - used
    if free < CONNECTIONS_NEEDED:
        return _warning(
            "connections",
            f"Only {free} of {allowed} connections are free; Sitevault uses up to {CONNECTIONS_NEEDED}.",
            f"Raise max_connections to {used + CONNECTIONS_NEEDED} or more.",
        )
    return _ok("connections", f"{free} connections are free.")


def _ok(check: str, message: str) -> Finding:
    return Finding(check, Level.OK, message)


def _warning(check: str, message: str, fix: str) -> Finding:
    return Finding(check, Level.WARNING, message, fix)


def _problem(check: str, message: str, fix: str) -> Finding:
    return Finding(check, Level.PROBLEM, message, fix)
