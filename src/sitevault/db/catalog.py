"""The catalog of a database as a value: captured in one query, compared to the byte, named by a digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import psycopg

from sitevault.db import queries

_SQL = queries.load("catalog")


class Object(NamedTuple):
    """What an object is called: its kind and its fully qualified, quoted identity."""

    kind: str
    identity: str

    def __str__(self) -> str:
        return f"{self.kind} {self.identity}"


class Change(NamedTuple):
    """An object that differs between two snapshots; None where it is not there."""

    object: Object
    before: str | None
    after: str | None

    @property
    def what(self) -> str:
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


@dataclass(frozen=True)
class CatalogSnapshot:
    """Every object with its definition, owner, privileges, comment and settings, as canonical JSON text."""

    objects: Mapping[Object, str]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all of it: equal digests are equal catalogs."""
        whole = hashlib.sha256()
        for name, definition in sorted(self.objects.items()):
            whole.update(f"{name.kind}\0{name.identity}\0{definition}\0".encode())
        return whole.hexdigest()

    def changes(self, after: CatalogSnapshot) -> Iterator[Change]:
        """What is different in `after`, in the order of kind and identity."""
        for name in sorted(self.objects.keys() | after.objects.keys()):
            change = Change(name, self.objects.get(name), after.objects.get(name))
            if change.before != change.after:
                yield change


def capture(conn: psycopg.Connection[Any]) -> CatalogSnapshot:
    """The catalog as this transaction sees it; `search_path` is as before when it returns."""
    with conn.transaction():
        before = _search_path(conn)
        conn.execute(_SQL.empty_search_path)
        found = conn.cursor(row_factory=psycopg.rows.tuple_row).execute(_SQL.objects).fetchall()
        conn.execute(_SQL.set_search_path, {"search_path": before})
    return CatalogSnapshot({Object(kind, identity): definition for kind, identity, definition in found})


def _search_path(conn: psycopg.Connection[Any]) -> str:
    row = conn.cursor(row_factory=psycopg.rows.tuple_row).execute(_SQL.search_path).fetchone()
    if row is None:
        raise RuntimeError("a SELECT without FROM returned no row")
    return str(row[0])
