"""The embedded server's process: started, waited for however long it recovers, stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sitevault.db.cluster import PORT, Cluster
from sitevault.errors import SitevaultError

Notify = Callable[[str], None]

LOG_KEPT_BYTES = 16 * 1024 * 1024
PATIENCE_SECONDS = 3.0
"""How long a start may take before it says so; and how long orphans may take to notice their server is gone."""
_NEWS_SECONDS = 10.0
_PROC = Path("/proc/self")


@dataclass(frozen=True)
class PidFile:
    """What postmaster.pid says; fields it does not have yet are empty."""

    pid: int
    port: int
    socket_directory: str
    status: str


class StillDyingError(Exception):
    """The start failed only because processes of the killed predecessor are still there."""


def read_pid_file(data: Path) -> PidFile | None:
    """The contents of postmaster.pid, None if there is none or it is empty."""
    try:
        lines = (data / "postmaster.pid").read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    if not lines or not lines[0].strip().lstrip("-").isdigit():
        return None
    lines += [""] * (8 - len(lines))
    port = lines[3].strip()
    return PidFile(abs(int(lines[0])), int(port) if port.isdigit() else 0, lines[4].strip(), lines[7].strip())


def serves(pid: int, data: Path) -> bool:
    """Whether this process is alive and a PostgreSQL of this data directory, not a reused number."""
    if not is_alive(pid):
        return False
    try:
        return _works_in(pid, data)
    except PermissionError:
        # Only the owner of the data can serve it; where we may not look closer, believe that he does.
        return Path(f"/proc/{pid}").stat().st_uid == data.stat().st_uid
    except OSError:
        return is_alive(pid) and not _PROC.exists()


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended but was not collected by its parent does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        status = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return not _PROC.exists()
    return status.rpartition(")")[2].split()[0] not in "ZX"


def _works_in(pid: int, data: Path) -> bool:
    """A postmaster and its children have the data directory as theirs; so may somebody's shell have."""
    directory = os.readlink(f"/proc/{pid}/cwd")
    program = Path(f"/proc/{pid}/comm").read_text("utf-8", errors="replace").strip()
    return program == "postgres" and directory == str(data)


def answers(socket_directory: str, port: int) -> bool:
    """Whether some process accepts connections on this socket, visible to us as a process or not."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(f"{socket_directory}/.s.PGSQL.{port}")
        except OSError:
            return False
        return True


def launch(cluster: Cluster, log: Path, overrides: dict[str, str]) -> int:
    """Start the server in a session of its own, orphaned at once so that it outlives us; returns its pid."""
    settings = {
        "config_file": str(cluster.root / "postgresql.conf"),
        "hba_file": str(cluster.root / "pg_hba.conf"),
        "unix_socket_directories": str(cluster.socket_directory),
        "port": str(PORT),
        "shared_buffers": f"{_shared_buffers_mb()}MB",
    } | overrides
    arguments = [f"--{name}={value}" for name, value in settings.items()]
    command = [cluster.binaries.program("postgres"), "-D", str(cluster.data), *arguments]
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600), "ab") as sink:
        started = subprocess.run(
            # The shell goes away at once: the server belongs to init, and nobody's Ctrl-C reaches it.
            ["/bin/sh", "-c", '"$@" </dev/null >&2 & echo $!', "sh", *command],
            stdout=subprocess.PIPE,
            stderr=sink,
            text=True,
            check=True,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            **cluster.account.process_options(),
        )
    return int(started.stdout)


def wait_until_ready(cluster: Cluster, pid: int, log: Path, log_from: int, notify: Notify) -> PidFile:
    """Wait as long as the server lives: crash recovery takes what it takes. Raises when it dies."""
    since = time.monotonic()
    for _ in ticks("PostgreSQL is starting", notify, log):
        found = read_pid_file(cluster.data)
        if found and found.pid == pid and found.status == "ready":
            return found
        if not is_alive(pid):
            break
    said = _tail(log, log_from)
    if "pre-existing shared memory block" in said or 'lock file "postmaster.pid"' in said:
        raise StillDyingError(said)
    raise SitevaultError(
        f"PostgreSQL ended {time.monotonic() - since:.1f} s after its start. Its last words:\n{said}",
        fix=f"The whole log is {log}. The data in {cluster.data} was not touched by Sitevault.",
    )


def wait_until_gone(pid: int, what: str, notify: Notify, seconds: float | None = None) -> bool:
    """Wait until the process has ended, for ever or for some seconds; False when it is still there."""
    until = None if seconds is None else time.monotonic() + seconds
    for _ in ticks(what, notify):
        if not is_alive(pid):
            return True
        if until is not None and time.monotonic() >= until:
            return False
    raise AssertionError("the ticks never end")


def stop(pid: int, notify: Notify) -> None:
    """A fast shutdown: clients are disconnected, everything is written, the data stays."""
    try:
        os.kill(pid, signal.SIGINT)
    except ProcessLookupError:
        return
    wait_until_gone(pid, "PostgreSQL is writing its last checkpoint", notify)


def clear_remains(cluster: Cluster, notify: Notify) -> None:
    """Take away what a killed server left: its postmaster.pid, and children that have not noticed yet."""
    (cluster.data / "postmaster.pid").unlink(missing_ok=True)
    for socket_file in cluster.socket_directory.glob(".s.PGSQL.*"):
        socket_file.unlink(missing_ok=True)
    until = time.monotonic() + PATIENCE_SECONDS
    for _ in ticks("Processes of a killed PostgreSQL are ending", notify):
        orphans = list(processes_of(cluster.data))
        if not orphans:
            return
        if time.monotonic() >= until:
            # A busy orphan would run to the end of its statement and be unable to tell anyone.
            for orphan in orphans:
                _signal(orphan, signal.SIGQUIT)


def processes_of(data: Path) -> Iterator[int]:
    """Every PostgreSQL process that works in this data directory, with or without a postmaster."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if _works_in(int(entry.name), data) and is_alive(int(entry.name)):
                yield int(entry.name)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def ticks(what: str, notify: Notify, log: Path | None = None) -> Iterator[None]:
    """Short naps without end; from time to time the person waiting is told what for."""
    start = time.monotonic()
    news = start + PATIENCE_SECONDS
    nap = 0.005
    while True:
        yield
        time.sleep(nap)
        nap = min(nap * 1.3, 0.2)
        now = time.monotonic()
        if now >= news:
            last = _tail(log, 0, lines=1) if log else ""
            notify(f"{what} ({now - start:.0f} s so far)" + (f": {last}" if last else ""))
            news = now + _NEWS_SECONDS


def _tail(log: Path, start: int, lines: int = 12) -> str:
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(start, size - 8192))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def trim(log: Path) -> int:
    """Keep the log within bounds (the server holds it open, so it is emptied, not moved); returns its size."""
    try:
        size = log.stat().st_size
    except FileNotFoundError:
        return 0
    if size <= LOG_KEPT_BYTES:
        return size
    log.with_suffix(".log.1").write_bytes(log.read_bytes())
    os.truncate(log, 0)
    return 0


def _shared_buffers_mb() -> int:
    """A quarter of the memory, as PostgreSQL's manual advises; it is taken as it is used.

    The keys of the vault are hashes: a load touches the indexes of hubs and satellites all over; they should fit.
    With 512 MB the CPU per event had risen 1.6 times at three million events, half of it in two hubs.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return max(64, min(8192, memory // 4))
