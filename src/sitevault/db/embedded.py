"""The embedded PostgreSQL: every process that needs it attaches, the last one to leave stops it.

Each attached process holds a shared lock on `attached.lock`; the kernel drops it however the process ends.
Starting, attaching and leaving happen one at a time under `start.lock`, so nobody attaches to a server that
somebody else is stopping.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from psycopg.conninfo import make_conninfo

from sitevault.db import binaries, cluster, postmaster
from sitevault.db.cluster import Cluster
from sitevault.db.postmaster import Notify, PidFile
from sitevault.errors import SitevaultError

_DUTY_SECONDS = 10.0
"""How long a leaving process waits for one that is just starting; the latter then sees to the server."""


class EmbeddedServer:
    """A running server and our claim on it; a context manager that releases the claim."""

    def __init__(
        self,
        cluster: Cluster,
        home: Path,
        lock: int,
        found: PidFile,
        started_here: bool,
        overrides: dict[str, str],
    ) -> None:
        self._cluster = cluster
        self._overrides = overrides
        self.home = home
        self._lock: int | None = lock
        self._owner = os.getpid()
        self.pid = found.pid
        self.port = found.port
        self.socket_dir = Path(found.socket_directory)
        self.started_here = started_here
        self.major = cluster.binaries.major

    def superuser_conninfo(self, dbname: str = "postgres") -> str:
        """How the bootstrap superuser connects; for provisioning only, never for work."""
        return make_conninfo(
            host=str(self.socket_dir),
            port=self.port,
            dbname=dbname,
            user=cluster.SUPERUSER,
            password=self._cluster.superuser_password,
        )

    def revive(self, notify: Notify | None = None) -> bool:
        """Start the server again if it has fallen; False if it stands. Whoever starts a service does the same.

        Raises SitevaultError when it does not start; the claim stays, so that it can be tried again.
        """
        lock, notify = self._lock, notify or _silent
        if lock is None or postmaster.serves(self.pid, self._cluster.data):
            return False
        with _start_lock(self.home, notify):
            try:
                found, started_here = _ensure_running(self._cluster, self.home, lock, notify, self._overrides)
            finally:
                # A start that failed has asked whether we are the last, which makes the claim an exclusive one.
                fcntl.flock(lock, fcntl.LOCK_SH)
        self.pid = found.pid
        return started_here

    def release(self, notify: Notify | None = None) -> None:
        """Give up the claim; if nobody else has one, the server is stopped and its data left. Idempotent."""
        lock, self._lock = self._lock, None
        if lock is None:
            return
        try:
            # In a forked child the claim is the parent's; closing our copy leaves it in place.
            if os.getpid() == self._owner:
                _leave(self._cluster, self.home, lock, notify or _silent)
        finally:
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def attach(
    home: Path,
    *,
    bindir: Path | None = None,
    notify: Notify | None = None,
    durable: bool = True,
    loopback_port: int | None = None,
) -> EmbeddedServer:
    """Attach to the server of this home, creating and starting it if need be.

    `notify` hears what takes long. `durable=False` (no fsync) and `loopback_port` (TCP on 127.0.0.1) are for
    tests. Raises SitevaultError: data of another major version, held by a foreign postmaster, does not start.
    """
    home = home.resolve()
    notify = notify or _silent
    _make_home(home)
    with _start_lock(home, notify):
        lock = _open_lock(home / "attached.lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            place = cluster.locate(home, binaries.find(bindir))
            cluster.create_unless_there(place, durable=durable)
            overrides = _overrides(durable, loopback_port)
            found, started_here = _ensure_running(place, home, lock, notify, overrides)
        except BaseException:
            os.close(lock)
            raise
    return EmbeddedServer(place, home, lock, found, started_here, overrides)


def _ensure_running(
    place: Cluster, home: Path, lock: int, notify: Notify, overrides: dict[str, str]
) -> tuple[PidFile, bool]:
    log = home / "log" / "postgres.log"
    for _ in postmaster.ticks("A killed PostgreSQL has not let go of its memory yet", notify):
        size = postmaster.trim(log)
        found = postmaster.read_pid_file(place.data)
        running = found is not None and postmaster.serves(found.pid, place.data)
        if found and running:
            _refuse_foreign(place, found)
            pid = found.pid
            if found.status == "stopping":
                postmaster.wait_until_gone(pid, "PostgreSQL is stopping", notify)
                continue
        else:
            _refuse_out_of_sight(place, found)
            postmaster.clear_remains(place, notify)
            cluster.prepare(place)
            pid = postmaster.launch(place, log, overrides)
        try:
            return postmaster.wait_until_ready(place, pid, log, size, notify), not running
        except postmaster.StillDyingError:
            continue
        except BaseException:
            if _is_last(lock) and postmaster.serves(pid, place.data):
                postmaster.stop(pid, notify)
            raise
    raise AssertionError("the ticks never end")


def _refuse_foreign(place: Cluster, found: PidFile) -> None:
    # The socket line is written a moment after the first lines, so an empty one says nothing yet.
    if found.socket_directory and not place.is_own_socket_directory(found.socket_directory):
        raise SitevaultError(
            f"{place.data} is held by a PostgreSQL that Sitevault did not start: process {found.pid}, "
            f"socket in {found.socket_directory}.",
            fix="Stop it, then try again.",
            command=f"kill -INT {found.pid}",
        )


def _refuse_out_of_sight(place: Cluster, found: PidFile | None) -> None:
    """A server in another container shares our files but not our process numbers; two on one data destroy it."""
    if found and found.socket_directory and postmaster.answers(found.socket_directory, found.port):
        raise SitevaultError(
            f"{place.data} is served by a PostgreSQL that cannot be seen from here: process {found.pid}, "
            "of another container.",
            fix="Use one home per container, or stop the other one first.",
        )


def _leave(place: Cluster, home: Path, lock: int, notify: Notify) -> None:
    fcntl.flock(lock, fcntl.LOCK_UN)
    with _start_lock(home, notify, seconds=_DUTY_SECONDS) as ours:
        if not ours or not _is_last(lock):
            return
        found = postmaster.read_pid_file(place.data)
        if found and postmaster.serves(found.pid, place.data):
            postmaster.stop(found.pid, notify)


def _is_last(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _start_lock(home: Path, notify: Notify, seconds: float | None = None) -> Iterator[bool]:
    """Hold `start.lock`; with `seconds`, yields False when somebody else held it that long."""
    descriptor = _open_lock(home / "start.lock")
    start = time.monotonic()
    told = False
    try:
        while not _is_last(descriptor):
            waited = time.monotonic() - start
            if seconds is not None and waited > seconds:
                yield False
                return
            if waited > 3 and not told:
                told = True
                notify("Another Sitevault process is starting or stopping PostgreSQL; waiting for it")
            time.sleep(0.02)
        yield True
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except PermissionError as error:
        raise SitevaultError(
            f"{path} belongs to another user.", fix="Use that user, or another home with SITEVAULT_HOME."
        ) from error


def _make_home(home: Path) -> None:
    # Root's home is entered by the server's user, who can list nothing in it; everybody else's is closed.
    mode = 0o711 if os.geteuid() == 0 else 0o700
    try:
        if not home.exists():
            home.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                home.mkdir(mode=mode)
        (home / "log").mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SitevaultError(
            f"{home} cannot be used as Sitevault's home: {error}", fix="Choose another with SITEVAULT_HOME."
        ) from error


def _overrides(durable: bool, loopback_port: int | None) -> dict[str, str]:
    overrides = {} if durable else dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")
    if not durable:
        overrides["shared_buffers"] = "64MB"  # dropping a database walks through all of them
    if loopback_port is not None:
        overrides |= {"listen_addresses": "127.0.0.1", "port": str(loopback_port)}
    return overrides


def _silent(_: str) -> None:
    pass
