"""The embedded server's directory: where it lies, and how it comes to be whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sitevault.db.account import Account, for_server
from sitevault.db.binaries import SHARED_ROOT, Binaries, within_reach
from sitevault.errors import SitevaultError

SUPERUSER = "postgres"
PORT = 5432
"""Names the socket file and nothing else: the server listens on no network."""

MAX_SOCKET_DIRECTORY_BYTES = 80
"""A socket's whole path may have 107 bytes; `/.s.PGSQL.5432.lock` takes 19 of them."""

_SETTINGS = Path(__file__).parent / "postgresql.conf"


@dataclass(frozen=True)
class Cluster:
    """One data directory with all that belongs to it, and the user and programs that serve it."""

    root: Path
    account: Account
    binaries: Binaries

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def socket_directory(self) -> Path:
        """Where a server started now would have its socket; a running one says itself where it is."""
        beside = self.root / "run"
        if len(os.fsencode(beside)) <= MAX_SOCKET_DIRECTORY_BYTES:
            return beside
        return Path(tempfile.gettempdir()) / self._distant_name

    def is_own_socket_directory(self, directory: str) -> bool:
        """Whether a server with its socket there was started by us, perhaps by a process with another TMPDIR."""
        return Path(directory) == self.root / "run" or Path(directory).name == self._distant_name

    @property
    def _distant_name(self) -> str:
        return f"sitevault-{_digest(self.root)}"

    @property
    def superuser_password(self) -> str:
        path = self.root / "superuser"
        try:
            return path.read_text("ascii")
        except OSError as error:
            raise SitevaultError(
                f"The superuser's password in {path} cannot be read: {error}",
                fix="Restore the file, or use the user that created this home.",
            ) from error


def locate(home: Path, binaries: Binaries) -> Cluster:
    """The cluster of a home: in the home, or under /var/lib/sitevault when the server's user cannot reach that."""
    inside, outside = home / "postgres", SHARED_ROOT / _digest(home)
    # Where data already is decides; otherwise a changed mode on some parent would show an empty database.
    root = next((root for root in (inside, outside) if _exists(root / "data")), None)
    account = for_server((root or inside) / "data")
    if root is None:
        root = inside if account.can_enter(home) else outside
    elif root == inside and not account.can_enter(root / "data"):
        raise SitevaultError(
            f"The owner of {root / 'data'}, whom PostgreSQL runs as, can no longer reach it.",
            command=f"chmod o+x {home} (and each directory above it)",
        )
    return Cluster(root, account, within_reach(binaries, account))


def create_unless_there(cluster: Cluster, *, durable: bool) -> bool:
    """Run initdb if there is no data yet; a kill at any moment leaves all of it or none. True if created."""
    private(cluster.root, mode=0o700 if cluster.account.ours else 0o711)
    _sweep(cluster.root)
    if _exists(cluster.data):
        _refuse_another_major(cluster)
        return False
    workspace = Path(tempfile.mkdtemp(prefix="init-", dir=cluster.root))
    cluster.account.give(workspace)
    password = secrets.token_urlsafe(32)
    _write_private(workspace / "password", password, cluster.account)
    _initdb(cluster, workspace, durable=durable)
    # The password first: data without its password would be lost, a password without data is overwritten.
    _write_private(workspace / "superuser", password, None)
    (workspace / "superuser").rename(cluster.root / "superuser")
    (workspace / "data").rename(cluster.data)
    _flush_directory(cluster.root)
    shutil.rmtree(workspace, ignore_errors=True)
    return True


def prepare(cluster: Cluster) -> None:
    """Write what each start needs: the settings, the rules of who may log in, the private socket directory."""
    _write_readable(cluster.root / "postgresql.conf", _SETTINGS.read_text("utf-8"))
    _write_readable(
        cluster.root / "pg_hba.conf",
        "# No trust, no peer: everybody shows a password, on the private socket (TCP only if a test opens it).\n"
        "local all all scram-sha-256\n"
        "host  all all 127.0.0.1/32 scram-sha-256\n",
    )
    run = private(cluster.socket_directory, mode=0o700)
    cluster.account.give(run)


def private(directory: Path, *, mode: int) -> Path:
    """Make the directory with exactly this mode; one that is there must be ours and no looser."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        directory.mkdir(mode=mode)
        directory.chmod(mode)
    except FileExistsError:
        found = directory.lstat()
        foreign = found.st_uid != os.geteuid() and os.geteuid() != 0
        if not stat.S_ISDIR(found.st_mode) or foreign:
            raise SitevaultError(
                f"{directory} is in the way: it is not a directory of ours.", command=f"ls -ld {directory}"
            ) from None
        directory.chmod(mode)
    return directory


def _initdb(cluster: Cluster, workspace: Path, *, durable: bool) -> None:
    command = [
        cluster.binaries.program("initdb"),
        f"--pgdata={workspace / 'data'}",
        f"--username={SUPERUSER}",
        f"--pwfile={workspace / 'password'}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--data-checksums",
        "--no-instructions",
        *_locale(cluster.binaries.major),
        *([] if durable else ["--no-sync"]),
    ]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        start_new_session=True,
        **cluster.account.process_options(),
    )
    if result.returncode:
        shutil.rmtree(workspace, ignore_errors=True)
        raise SitevaultError(
            f"PostgreSQL's initdb failed in {cluster.root}: {result.stderr.strip()}",
            fix="Mend what it complains about and start again; nothing was left behind.",
        )


def _locale(major: int) -> list[str]:
    """Code-point order and Unicode character classes; built in since 17, before that from the C library."""
    if major >= 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8", "--lc-messages=C"]


def _refuse_another_major(cluster: Cluster) -> None:
    holds = (cluster.data / "PG_VERSION").read_text("ascii").strip()
    if holds != str(cluster.binaries.major):
        raise SitevaultError(
            f"The data in {cluster.data} is of PostgreSQL {holds}; the programs in "
            f"{cluster.binaries.directory} are of PostgreSQL {cluster.binaries.major}.",
            fix=f"Point SITEVAULT_PG_BINDIR at the programs of PostgreSQL {holds}, or run pg_upgrade.",
        )


def _sweep(root: Path) -> None:
    for leftover in root.glob("init-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _exists(data: Path) -> bool:
    return (data / "PG_VERSION").exists()


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def _write_private(path: Path, text: str, account: Account | None) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if account:
        account.give(path)


def _write_readable(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(text, "utf-8")
    fresh.chmod(0o644)
    fresh.rename(path)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
