"""The operating-system user the embedded server runs as: PostgreSQL refuses to be root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitevault.errors import SitevaultError

NAME = "sitevault"


@dataclass(frozen=True)
class Account:
    """The user the server runs as; `ours` when that is simply whoever started us."""

    uid: int
    gid: int
    ours: bool

    def process_options(self) -> dict[str, Any]:
        """The arguments of subprocess.run that make a child this user."""
        if self.ours:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Make this user the owner of `path`."""
        if not self.ours:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_run(self, program: Path) -> bool:
        """Whether this user can execute the program: asked by doing it, which no mode bits can contradict."""
        return self._succeeds([str(program), "--version"])

    def can_enter(self, directory: Path) -> bool:
        """Whether this user can reach `directory` through all its parents."""
        return self._succeeds(["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)])

    def _succeeds(self, command: list[str]) -> bool:
        try:
            return not subprocess.run(
                command, capture_output=True, check=False, cwd="/", **self.process_options()
            ).returncode
        except OSError:
            return False


def for_server(data: Path) -> Account:
    """Who runs the server of this data directory: its owner where it exists; else, for root, an unprivileged user.

    Raises SitevaultError when the directory belongs to someone we cannot act as.
    """
    me = os.geteuid()
    owner = data.stat().st_uid if data.exists() else None
    if me != 0:
        if owner not in (None, me):
            raise SitevaultError(
                f"{data} belongs to {_name(owner)}, not to {_name(me)}.",
                fix=f"Run this as {_name(owner)} (or as root), or choose another home with SITEVAULT_HOME.",
            )
        return Account(me, os.getegid(), ours=True)
    if owner == 0:
        raise SitevaultError(
            f"{data} belongs to root, and PostgreSQL refuses to run as root.",
            fix=f"Give it to an unprivileged user: chown -R {NAME} {data}",
        )
    if owner is None:
        entry = _unprivileged()
        return Account(entry.pw_uid, entry.pw_gid, ours=False)
    return Account(owner, data.stat().st_gid, ours=False)


def _unprivileged() -> pwd.struct_passwd:
    for attempt in (_known, _create, _known):
        if entry := attempt(NAME):
            return entry
    if entry := _known("nobody"):
        return entry
    raise SitevaultError(
        "PostgreSQL refuses to run as root, and there is no unprivileged user to run it as.",
        command=f"useradd --system {NAME}",
    )


def _known(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create(name: str) -> pwd.struct_passwd | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:
        subprocess.run(
            [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
            capture_output=True,
            check=False,
        )
    return _known(name)


def _name(uid: int | None) -> str:
    try:
        return pwd.getpwuid(uid).pw_name if uid is not None else "nobody"
    except KeyError:
        return f"user {uid}"
