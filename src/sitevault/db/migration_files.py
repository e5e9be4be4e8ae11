"""Migrations and declarative objects as files: read, checked against each other, hashed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sitevault.errors import MigrationError

DIRECTORY = Path(__file__).parent.parent / "sql"

_FILE = re.compile(r"(?P<version>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_MIN_SERVER = re.compile(rb"^-- min-server: (\d+)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class SqlFile:
    """One file of SQL, run as a whole. `min_server` is a major version, 0 for any."""

    path: Path
    text: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()

    @property
    def min_server(self) -> int:
        header = _MIN_SERVER.search(self.text)
        return int(header.group(1)) if header else 0


@dataclass(frozen=True)
class Migration(SqlFile):
    """A numbered file: NNNN_name.sql."""

    version: int
    name: str


def migrations(directory: Path = DIRECTORY) -> tuple[Migration, ...]:
    """The files of <directory>/migrations in order. Raises MigrationError for a gap, a double, a strange name."""
    found = []
    for path in sorted((directory / "migrations").glob("*.sql")):
        named = _FILE.fullmatch(path.name)
        if not named:
            raise MigrationError(f"{path.name} is not a migration's name.", fix="Call it NNNN_what_it_does.sql.")
        found.append(Migration(path, path.read_bytes(), int(named["version"]), named["name"]))
    for expected, migration in enumerate(found, start=1):
        if migration.version != expected:
            raise MigrationError(
                f"Migration {expected:04} is {'there twice' if migration.version < expected else 'missing'}: "
                f"{migration.path.name} comes in its place.",
                fix="Number the migrations 0001, 0002, ... with no gap and no double.",
            )
    return tuple(found)


def objects(directory: Path = DIRECTORY, server_major: int = 99) -> tuple[SqlFile, ...]:
    """The files of <directory>/objects that this server can run, in the order they are applied."""
    files = [SqlFile(path, path.read_bytes()) for path in sorted((directory / "objects").glob("*.sql"))]
    return tuple(file for file in files if file.min_server <= server_major)


def digest(files: Iterable[SqlFile], migrations_applied: Iterable[str]) -> str:
    """Changes with any object file, and with any migration, since that may have dropped what stood on a table."""
    whole = hashlib.sha256()
    for sha256 in migrations_applied:
        whole.update(f"migration {sha256}\n".encode())
    for file in files:
        whole.update(f"{file.path.name} {file.sha256}\n".encode())
    return whole.hexdigest()
