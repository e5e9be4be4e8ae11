"""The form of a check: a pure function over the snapshot that says how many things it looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from sitevault.audit.catalog.snapshot import Relation, Routine, Snapshot
from sitevault.audit.model import Checked, Finding

Complaint = tuple[str, str, str]
"""Object, what is wrong, repair."""


@dataclass(frozen=True)
class Check:
    """One check. `look` yields, for each thing it looks at, what is wrong with it (nothing: all is well)."""

    id: str
    title: str
    looked_at: str
    look: Callable[[Snapshot], Iterable[list[Complaint]]]

    def run(self, snapshot: Snapshot) -> Checked:
        looked = list(self.look(snapshot))
        findings = tuple(Finding(self.id, *complaint) for complaints in looked for complaint in complaints)
        return Checked(self.id, self.title, self.looked_at, len(looked), findings)


def statement(template: LiteralString, *names: str | sql.Composable) -> str:
    """SQL for a person to run: `{}` in the template takes an identifier, or SQL that is one already."""
    parts = [name if isinstance(name, sql.Composable) else sql.Identifier(name) for name in names]
    return sql.SQL(template).format(*parts).as_string(None)


def named(relation: Relation) -> sql.Identifier:
    return sql.Identifier(relation.schema, relation.name)


def signature(routine: Routine) -> sql.Composable:
    arguments = sql.SQL(routine.arguments)  # as the server deparsed it
    return sql.SQL("{}({})").format(sql.Identifier(routine.schema, routine.name), arguments)


def grantee(name: str) -> sql.Composable:
    return sql.Identifier(name) if name else sql.SQL("PUBLIC")


def secure(relation: Relation) -> str:
    """The call that makes a table's row-level security as it must be; run as sitevault_owner."""
    name = sql.Literal(named(relation).as_string(None))
    return statement("SELECT ops.secure_table({}::regclass);", name)
