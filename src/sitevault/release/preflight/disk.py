"""Is there room on disk?"""

from __future__ import annotations

import os
from pathlib import Path

import psycopg

from sitevault.db import queries
from sitevault.release.preflight.model import Found, Item, Look, blocked, ok, unknown, warning

SQL = queries.load("release_preflight")

LEAST_BYTES = 256 * 2**20
SHARE = 0.1


def _look(look: Look) -> Found:
    ((size, local),) = look.rows(SQL.size)
    directory = _directory(look) if local else None
    if directory is None:
        return unknown(
            f"the database holds {_mb(size)}; how much is free is not seen from here", "Look on the server."
        )
    found = os.statvfs(directory)
    free = found.f_bavail * found.f_frsize
    said = f"{_mb(free)} free, the database holds {_mb(size)}"
    if free < LEAST_BYTES:
        return blocked(said, "Make room: a server without disk stops.")
    if free < SHARE * size:
        return warning(said, "Make room before something is rewritten.")
    return ok(said)


def _directory(look: Look) -> Path | None:
    """The server's data, where it is on this machine and this user is told where."""
    target = look.target
    if target.database is not None and target.config.database_url is None:
        return target.config.home if target.config.home.is_dir() else None
    try:
        ((name,),) = look.rows(SQL.data_directory)
    except psycopg.errors.InsufficientPrivilege:
        return None
    path = Path(str(name))
    return path if path.is_dir() else None


def _mb(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"


ITEM = Item(
    "disk",
    "There is room on disk",
    f"Free space where the server's data is, if that is on this machine and readable. Blocked: under "
    f"{LEAST_BYTES // 2**20} MiB. Warning: under a tenth of the database. Unknown: the server is elsewhere.",
    _look,
)
