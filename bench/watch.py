"""What a run costs: CPU of process trees from /proc, memory, and the write-ahead log."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg

from bench import ahead
from bench.figures import Figures

_TICK = os.sysconf("SC_CLK_TCK")
LEAST_SECONDS = 1 / _TICK
"""What CPU is counted in: less cannot be told from nothing."""
_WAL = "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"


class Cost:
    """Filled when the watched block ends."""

    seconds: float
    cpu: dict[str, float]
    """Seconds of CPU per process tree."""
    wal_bytes: float

    def per_event(self, events: int) -> Figures:
        """CPU microseconds per event and tree, WAL bytes per event."""
        figures = {f"{name} CPU us/event": spent * 1e6 / events for name, spent in self.cpu.items()}
        return figures | {"WAL bytes/event": self.wal_bytes / events}


@contextmanager
def watch(admin: psycopg.Connection[Any], trees: Mapping[str, int]) -> Iterator[Cost]:
    """Measure what the trees (name -> pid of the root) and the server's log spend within the block."""
    cost = Cost()
    wal, cpu = _wal_bytes(admin), {name: cpu_seconds(pid) for name, pid in trees.items()}
    roots = {os.getpid(), _parent(admin.info.backend_pid), *trees.values()}
    with ahead.of_others({pid for root in roots for pid in tree(root)}):
        began = monotonic()
        yield cost
        cost.seconds = monotonic() - began
    cost.cpu = {name: cpu_seconds(pid) - cpu[name] for name, pid in trees.items()}
    cost.wal_bytes = _wal_bytes(admin) - wal


def cpu_seconds(root: int) -> float:
    """CPU of a process and everything below it; what ended and was waited for is in its parent's account."""
    return sum(sum(map(int, _stat(pid)[11:15])) for pid in tree(root)) / _TICK


def peak_megabytes(root: int) -> float:
    """The most memory a process and everything below it ever held, in MB."""
    return sum(_status_kilobytes(pid, "VmHWM") for pid in tree(root)) / 1024


def tree(root: int) -> list[int]:
    """A process and everything below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (stat := _stat(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        if _stat(pid):
            found.append(pid)
            todo += children.get(pid, [])
    return found


def _parent(pid: int) -> int:
    """Of a server's process: the server."""
    return int(_stat(pid)[1])


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state is the first (see proc_pid_stat(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _status_kilobytes(pid: int, name: str) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def _wal_bytes(admin: psycopg.Connection[Any]) -> float:
    row = admin.execute(_WAL).fetchone()
    return float(row[0]) if row else 0.0
