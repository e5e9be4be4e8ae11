"""The roles' passwords: made here, kept in <home>/credentials.json, known to nobody else."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sitevault.db.roles import LOGIN_ROLES, Role
from sitevault.errors import ConfigurationError


@dataclass(frozen=True)
class Credentials:
    """A password per role, and on which server and by which roles.sql they were last set ("" before that)."""

    passwords: dict[Role, str] = field(repr=False)
    provisioned: str = ""


def generate() -> Credentials:
    """Fresh passwords of 256 bits each."""
    return Credentials({role: secrets.token_urlsafe(32) for role in LOGIN_ROLES})


def read(home: Path) -> Credentials | None:
    """The credentials of a home; None if there are none. A damaged file is refused, never replaced."""
    path = home / "credentials.json"
    try:
        stored = json.loads(path.read_text("utf-8"))
        known = {role: stored["passwords"][role] for role in LOGIN_ROLES if role in stored["passwords"]}
        return Credentials(
            generate().passwords | known, stored["provisioned"] if len(known) == len(LOGIN_ROLES) else ""
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}",
            fix="Restore it from a backup; it holds the passwords of Sitevault's database roles.",
        ) from error


def write(home: Path, credentials: Credentials) -> None:
    """Replace the file as a whole: a reader sees the old one or the new one."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = home / f".credentials.{os.getpid()}.new"
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"passwords": credentials.passwords, "provisioned": credentials.provisioned}, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(home / "credentials.json")


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """One process at a time makes or changes the credentials of a home."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(home / "credentials.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
