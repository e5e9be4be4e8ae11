"""One sample of everything that must stay flat."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from sitevault.db import queries

SQL = queries.load("soak", Path(__file__).parent)
_PAGE = os.sysconf("SC_PAGE_SIZE")
_FURTHER_SEGMENT = re.compile(r"/base/\d+/\w+\.\d+$")


def sample(admin: psycopg.Connection[Any], services: Mapping[str, int]) -> dict[str, float]:
    """Name -> figure. Memory in MB; what is private to a process only, so that shared buffers count for nobody."""
    figures: dict[str, float] = {}
    for name, pid in services.items():
        figures[f"{name} RSS MB"] = _resident(pid) / 2**20
        figures[f"{name} file handles"] = float(handles(pid))
    backends = admin.execute(SQL.backends).fetchall()
    figures["connections"] = float(len(backends))
    figures["backends private MB"] = sum(_private(pid) for (pid,) in backends) / 2**20
    figures["backends file handles"] = float(sum(handles(pid) for (pid,) in backends))
    for query in (SQL.tables, SQL.catalog, SQL.freshness, SQL.volume):
        cursor = admin.execute(query)
        columns = [column.name for column in cursor.description or ()]
        figures |= {name: float(value) for name, value in zip(columns, cursor.fetchone() or (), strict=True)}
    return figures


def _resident(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE
    return 0


def _private(pid: int) -> int:
    """Pages that are nobody else's: resident without what is shared."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/statm").read_text("ascii").split()
        return (int(fields[1]) - int(fields[2])) * _PAGE
    return 0


def handles(pid: int) -> int:
    """Open files and sockets of a process, without PostgreSQL's on a relation's second and further gigabytes."""
    with suppress(OSError):
        return sum(not _is_further_segment(handle) for handle in Path(f"/proc/{pid}/fd").iterdir())
    return 0


def _is_further_segment(handle: Path) -> bool:
    """Whether it is on a file like base/5/12345.1: that is data, which may grow."""
    with suppress(OSError):
        return _FURTHER_SEGMENT.search(os.readlink(handle)) is not None
    return False
