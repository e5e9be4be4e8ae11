"""A server with the fixes that matter, and settings that keep what was committed."""

from __future__ import annotations

from collections.abc import Iterator

from sitevault.db.preflight import NEWEST, OLDEST, SAFE_MINOR
from sitevault.doctor.model import Check, Evidence, Finding, Outcome, Verdict
from sitevault.doctor.snapshot import Snapshot

ID = "catalog.server"
_LOSES = ("fsync", "full_page_writes", "synchronous_commit")
_BLINDS = {"autovacuum": "nothing takes dead rows away", "track_counts": "vacuum does not know what to do"}


def _look(snapshot: Snapshot) -> Outcome:
    findings = (*_version(snapshot), *_settings(snapshot))
    return Outcome("points", 1 + len(_LOSES) + len(_BLINDS), findings)


def _version(snapshot: Snapshot) -> Iterator[Finding]:
    major, minor = divmod(snapshot.server.version, 10_000)
    place = Evidence("server_version", f"PostgreSQL {major}.{minor}")
    if major < OLDEST:
        message = f"PostgreSQL {major} gets no fixes any more, or none that Sitevault was tested with"
        yield Finding(ID, Verdict.PROBLEM, "server_version", message, (place,))
    elif minor < SAFE_MINOR.get(major, 0):
        message = (
            f"PostgreSQL {major}.{minor} can show rows that row-level security hides (CVE-2025-8713); "
            f"{major}.{SAFE_MINOR[major]} does not"
        )
        yield Finding(ID, Verdict.PROBLEM, "server_version", message, (place,))
    elif major > NEWEST:
        message = f"PostgreSQL {major} is newer than what this doctor was tested with ({NEWEST})"
        yield Finding(ID, Verdict.WARNING, "server_version", message, (place,))


def _settings(snapshot: Snapshot) -> Iterator[Finding]:
    settings = snapshot.server.settings
    for name in _LOSES:
        if settings.get(name) == "off":
            message = f"{name} is off: what was committed may be gone after a crash"
            yield Finding(
                ID, Verdict.PROBLEM, name, message, (Evidence(name, "off"),), f"ALTER SYSTEM RESET {name}"
            )
    for name, effect in _BLINDS.items():
        if settings.get(name) == "off":
            message = f"{name} is off: {effect}"
            yield Finding(
                ID, Verdict.WARNING, name, message, (Evidence(name, "off"),), f"ALTER SYSTEM RESET {name}"
            )


CHECK = Check(
    id=ID,
    title="The server has the fixes that matter, and keeps what it commits",
    why="Releases before the named ones show rows that row-level security hides. A server without fsync answers "
    "before the event is safe.",
    looks_at="server_version against the first releases with the fix; fsync, full_page_writes and "
    "synchronous_commit, autovacuum and track_counts.",
    mend="Update the server (a minor update keeps the data); reset the settings.",
    look=_look,
)
