"""The server: new enough for row-level security to hold, and without back doors loaded."""

from __future__ import annotations

from collections.abc import Iterator

from sitevault.audit.catalog.check import Check, Complaint, statement
from sitevault.audit.catalog.snapshot import Snapshot
from sitevault.db.preflight import OLDEST, SAFE_MINOR

_BACK_DOORS = {
    "dblink": "connects back into the server as somebody else",
    "postgres_fdw": "reads tables of this or another server as somebody else",
    "file_fdw": "reads the server's files",
    "adminpack": "reads and writes the server's files",
    "pageinspect": "shows raw pages, with every tenant's rows",
    "pg_surgery": "changes rows past every rule",
    "plpython3u": "runs any program on the server",
    "plperlu": "runs any program on the server",
}


def _version(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    major, minor = divmod(snapshot.server.version, 10000)
    safe = SAFE_MINOR.get(major, 0)
    if major < OLDEST or minor < safe:
        yield [
            (
                f"PostgreSQL {major}.{minor}",
                "it has known holes in row-level security (CVE-2025-8713 and kin)",
                f"-- update the server to {max(major, OLDEST)}.{SAFE_MINOR.get(max(major, OLDEST), 0)} or newer",
            )
        ]
    else:
        yield []


def _extensions(snapshot: Snapshot) -> Iterator[list[Complaint]]:
    for name in snapshot.server.extensions:
        why = _BACK_DOORS.get(name)
        yield (
            []
            if why is None
            else [(f"extension {name}", f"it {why}", statement("DROP EXTENSION {} CASCADE;", name))]
        )


CHECKS = (
    Check("server.version", "The server has the fixes row-level security depends on", "server", _version),
    Check("server.extensions", "No extension is a way around it", "extensions", _extensions),
)
