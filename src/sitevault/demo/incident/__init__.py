"""The incident, reproduced: a database of the guide's shape with its faults, in the order they came in."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, LiteralString

import psycopg

FAULTS = ("v1", "v2", "v3", "v4")
"""The staging function's versions; each hot-fix adds a fault to those before it."""
FIXES = ("staging", "ingest", "browser", "second_door")
"""What has to be mended, each a file of its own; "staging" alone gets the five events through."""
_BASE = ("01_tables", "02_tenants", "03_functions")


def build(conn: psycopg.Connection[Any], version: str = FAULTS[-1], *, events: bool = True) -> None:
    """Make the incident in an empty database: tables, tenants, the functions up to `version`, five events.

    Everything belongs to the connection's role; the caller commits.
    """
    for name in _BASE:
        conn.execute(text(name))
    for fault in FAULTS[: FAULTS.index(version) + 1]:
        install(conn, fault)
    if events:
        conn.execute(text("04_events"))


def install(conn: psycopg.Connection[Any], version: str) -> None:
    """One version of the staging function, as that hot-fix deployed it."""
    conn.execute(text(f"staging_{version}"))


def mend(conn: psycopg.Connection[Any], *names: str) -> None:
    """The corrected functions: all of FIXES, or those named."""
    for name in names or FIXES:
        conn.execute(text(f"fixed/{name}"))


def text(name: str) -> LiteralString:
    """A file's SQL, by its path without the ending."""
    return files(__name__).joinpath(f"{name}.sql").read_text("utf-8")
