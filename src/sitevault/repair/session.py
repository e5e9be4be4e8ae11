"""A database opened for repair: Sitevault's own as its owner, a foreign one as whoever the URL names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg

from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.repair.ground import SQL, Ground
from sitevault.repair.model import RepairRefusedError


class Opened(NamedTuple):
    """Where a repair works, a connection that sees every tenant, and how the doctor gets in."""

    ground: Ground
    reader: psycopg.Connection[Any]
    doctor_conninfo: str


@contextmanager
def house(database: Database) -> Iterator[Opened]:
    """Sitevault's own database."""
    with (
        database.connect(Role.MIGRATOR, autocommit=True, application_name="repair") as conn,
        database.connect(Role.AUDITOR, autocommit=True, application_name="repair") as reader,
    ):
        yield Opened(Ground(conn, house=True), reader, database.conninfo(Role.AUDITOR, "doctor"))


@contextmanager
def foreign(conninfo: str) -> Iterator[Opened]:
    """A database of the guide's shape. Raises RepairRefusedError for Sitevault's own, and for any other."""
    with connect(conninfo, autocommit=True) as conn:
        is_house, is_guide = Ground(conn, house=False).one(SQL.shape) or (False, False)
        if is_house:
            raise RepairRefusedError(
                "This is a Sitevault database: it is repaired within its own roles.",
                fix="Leave --database out, and name it in the settings (DATABASE_URL).",
            )
        if not is_guide:
            raise RepairRefusedError("This database has no raw.site_tracking_events_r: nothing here is known.")
        yield Opened(Ground(conn, house=False), conn, conninfo)
