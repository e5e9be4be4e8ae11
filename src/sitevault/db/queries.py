"""Named queries: SQL stays in sql/queries/<stage>.sql, Python asks for it by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

from sitevault.errors import SitevaultError

DIRECTORY = Path(__file__).parent.parent / "sql" / "queries"

_NAME = re.compile(r"^-- name: (?P<name>.*)$", re.MULTILINE)
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


class QueryFileError(SitevaultError):
    """A file of named queries is not in the form `-- name: x`, `-- what it does`, SQL."""


class Queries:
    """The queries of one stage as attributes: `load("worker").claim_batches` is its SQL text."""

    def __init__(self, stage: str, texts: dict[str, str]) -> None:
        self._stage = stage
        self._texts = texts

    def __getattr__(self, name: str) -> LiteralString:
        # LiteralString is the driver's mark for text that no user wrote: a file of this package is that.
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(
                f"sql/queries/{self._stage}.sql has no query {name!r}; it has: {', '.join(self._texts)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)


def load(stage: str, directory: Path = DIRECTORY) -> Queries:
    """The queries of `<directory>/<stage>.sql`; placeholders in them are psycopg's `%(name)s`.

    Raises QueryFileError for a name given twice, a query without a description line, or no SQL at all.
    """
    path = directory / f"{stage}.sql"
    if not path.is_file():
        raise QueryFileError(f"There is no file of named queries {path}.")
    return Queries(stage, _parse(path))


def _parse(path: Path) -> dict[str, str]:
    _, *pieces = _NAME.split(path.read_text("utf-8"))
    texts: dict[str, str] = {}
    for name, body in zip(pieces[::2], pieces[1::2], strict=True):
        description, _, sql = body.lstrip("\n").partition("\n")
        if not _IDENTIFIER.fullmatch(name):
            raise QueryFileError(f"{path.name}: {name!r} is not a name in lower_case.")
        if name in texts:
            raise QueryFileError(f"{path.name}: the name {name!r} is given twice.")
        if not description.startswith("-- "):
            raise QueryFileError(f"{path.name}: the line after `-- name: {name}` must describe the query.")
        if not sql.strip():
            raise QueryFileError(f"{path.name}: the query {name!r} has no SQL.")
        texts[name] = sql.strip()
    return texts
