"""A small database beside the one that grows: a hundred thousand events, made anew for every comparison.

Both are on one server and take their turns round by round, so that whatever else the machine does falls on both.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from psycopg import sql

from bench.figures import Figures
from bench.house import Holder, House
from bench.slices import carry, halt, woken_at_last
from sitevault.db.connect import connect
from sitevault.db.migrate import migrate
from sitevault.db.roles import provision_roles
from sitevault.demo.tenants import ensure_tenants
from sitevault.landing.flush import LandingRow
from sitevault.tenancy.keys import digest

EVENTS = 100_000
GROWN, FRESH = "grown", "fresh"
_MODEL, _COPY = "small_model", "small"

Pairing: TypeAlias = Callable[..., dict[str, Figures]]
"""Carries a slice on each side and says what it cost."""


@contextmanager
def small_house(house: House, name: str = _MODEL) -> Iterator[House]:
    """Another database of the house's server, with the same tenants; its workers are `python -m bench.drain`."""
    database = house.database.clone(name)
    with connect(database.admin_conninfo, autocommit=True) as admin:
        keys = house.home / "small"
        keys.mkdir(exist_ok=True)
        holders = [
            Holder(one.tenant, one.tenant_hk, digest(one.key), one.key) for one in ensure_tenants(database, keys)
        ]
        yield dataclasses.replace(house, database=database, admin=admin, holders=holders)


def has_model(house: House) -> bool:
    """Whether an earlier run made it and kept it."""
    found = house.admin.execute("SELECT FROM pg_database WHERE datname = %s", (_MODEL,)).fetchone()
    return found is not None


def make_model(house: House) -> None:
    """An empty, migrated database of that name."""
    house.admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_MODEL)))
    database = house.database.clone(_MODEL)
    with connect(database.admin_conninfo, autocommit=True) as inside:
        provision_roles(inside, {})
    migrate(database)


def fill(small: House, rows: Iterator[LandingRow], events: int, size: int) -> None:
    """Carry that many events into the model."""
    with small.module("bench.drain", _MODEL) as worker:
        for start in range(0, events, size):
            carry(small, worker, list(itertools.islice(rows, min(size, events - start))))
    small.admin.execute("VACUUM (ANALYZE)")


@contextmanager
def fresh_copy(house: House, small: Iterator[list[LandingRow]]) -> Iterator[Pairing]:
    """A copy of the model, dropped afterwards; each call carries a slice into the grown database and one into it.

    In between both workers are halted and hold nothing, so that others can work on the grown database.
    """
    _drop(house, _COPY)
    house.admin.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(_COPY), sql.Identifier(_MODEL))
    )
    own = house.database.where["dbname"]
    with connect(house.database.clone(_COPY).admin_conninfo, autocommit=True) as inside:
        provision_roles(inside, {})
    with (
        small_house(house, _COPY) as fresh,
        house.module("bench.drain", own) as at_grown,
        house.module("bench.drain", _COPY) as at_fresh,
        woken_at_last(at_grown, at_fresh),
    ):
        halt(house, at_grown)
        halt(fresh, at_fresh)

        def pair(rows: list[LandingRow], *, fresh_first: bool = False) -> dict[str, Figures]:
            turns = [(GROWN, house, at_grown, rows), (FRESH, fresh, at_fresh, next(small))]
            measured = {}
            for side, where, worker, slice_rows in reversed(turns) if fresh_first else turns:
                measured[side] = carry(where, worker, slice_rows)
                halt(where, worker)
            return measured

        yield pair
    _drop(house, _COPY)


def _drop(house: House, name: str) -> None:
    house.admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
