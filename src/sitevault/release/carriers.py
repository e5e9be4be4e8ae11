"""Carries a few waiting events at a time while the workers pause; of the house, or of a foreign database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Protocol

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from sitevault.db import queries
from sitevault.db.connect import Database
from sitevault.release import record
from sitevault.release.model import ReleaseBlockedError
from sitevault.release.target import Target
from sitevault.replay import foreign
from sitevault.replay.book import SQL as REPLAY
from sitevault.replay.carry import Chosen, ids_of
from sitevault.replay.foreign import EntryPoint
from sitevault.worker.claim import Claim, claim_events, claim_named
from sitevault.worker.lane import Lane
from sitevault.worker.tenants import Tenants

SQL = queries.load("release_canary")


@dataclass(frozen=True)
class Carried:
    """Events that were carried, and where they ended; `why` counts reasons, and never quotes a value."""

    ids: tuple[int, ...] = ()
    tenants: frozenset[bytes] = frozenset()
    outcomes: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    broke: str | None = None
    """What stopped the attempt as a whole: the events wait as before."""

    def plus(self, other: Carried) -> Carried:
        return Carried(
            self.ids + other.ids,
            self.tenants | other.tenants,
            self.outcomes + other.outcomes,
            self.why + other.why,
            self.broke or other.broke,
        )


class Carrier(Protocol):
    """`of` is a tenant_hk; None: of any tenant."""

    def waiting(self) -> dict[bytes, int]:
        """How many events of each tenant wait."""
        ...

    def carry(self, most: int, of: bytes | None = None, *, may_exceed: bool = True) -> Carried:
        """Carry up to `most` events; the least that can be carried may be more, where it may exceed that."""
        ...


@contextmanager
def carrier(target: Target, release_id: str) -> Iterator[Carrier]:
    """What carries this database's events."""
    if target.database is None:
        yield GuideCarrier(target, release_id)
        return
    house = HouseCarrier(target, target.database, f"canary-{release_id[:12]}")
    try:
        yield house
    finally:
        house.close()


class HouseCarrier:
    """Whole batches, the smallest first: raw is immutable, so a manifest cannot be split. Then dead letters."""

    def __init__(self, target: Target, database: Database, name: str) -> None:
        self._most = target.config.claim_events
        self._lane = Lane(database, target.config, Tenants(database), name)

    def close(self) -> None:
        self._lane.close()

    def waiting(self) -> dict[bytes, int]:
        return dict(self._lane.connected().execute(SQL.waiting_of_tenants).fetchall())

    def carry(self, most: int, of: bytes | None = None, *, may_exceed: bool = True) -> Carried:
        """One transaction, as a worker's: all of it, or where the database refuses it, nothing."""
        conn = self._lane.connected()
        tried = 0
        try:
            with conn.transaction():
                if conn.execute(SQL.begin_while_paused).fetchone() != (True,):
                    raise ReleaseBlockedError("Somebody pauses the workers at this moment.", fix="Try again.")
                claim = self._claim(conn, min(most, self._most), of, may_exceed)
                if claim is None:
                    return Carried()
                tried = len(claim.events)
                self._lane.carry(conn, claim)
                return self._ended(conn, claim)
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            broke = f"{error.sqlstate} {error.diag.message_primary or type(error).__name__}"
            return Carried(outcomes=Counter({"unchanged": tried}), broke=broke)

    def _claim(self, conn: psycopg.Connection[Any], most: int, of: bytes | None, may_exceed: bool) -> Claim | None:
        batches: list[int] = []
        taken = 0
        for batch_id, events in conn.execute(SQL.smallest_batches, {"tenant_hk": of, "most": most}):
            if taken + events > most and (batches or not may_exceed):
                break
            batches.append(batch_id)
            taken += events
        if batches:
            return claim_named(conn, batches)
        letters = conn.execute(SQL.take_letters, {"tenant_hk": of, "most": most}).fetchall()
        return claim_events(conn, letters) if letters else None

    def _ended(self, conn: psycopg.Connection[Any], claim: Claim) -> Carried:
        chosen = [Chosen(one.tenant_hk, one.raw_event_id, one.batch_id, "pending") for one in claim.events]
        places = conn.execute(REPLAY.places, ids_of(chosen)).fetchall()
        letters = conn.execute(REPLAY.letters, ids_of(chosen)).fetchall()
        return Carried(
            tuple(sorted(one.raw_event_id for one in claim.events)),
            frozenset(one.tenant_hk for one in claim.events),
            Counter(place for _, _, _, place, *_ in places),
            Counter(" ".join(filter(None, (reason, sqlstate))) for _, reason, sqlstate, *_ in letters),
        )


class GuideCarrier:
    """Single events through the functions the release changed, or through all that carry events, in turn."""

    def __init__(self, target: Target, release_id: str) -> None:
        self._target = target
        self._doors = cycle(doors(target, release_id))
        self._tried: list[int] = []
        """Events that waited still after they were tried."""

    def waiting(self) -> dict[bytes, int]:
        return dict(self._rows(SQL.pending_of_tenants))

    def carry(self, most: int, of: bytes | None = None, *, may_exceed: bool = True) -> Carried:
        """Each event in its own transaction; a failure is written down outside of the attempt."""
        done = Carried()
        for number, tenant_hk, was in self._rows(SQL.next_pending, tenant_hk=of, most=most):
            door = next(self._doors, None)
            if door is None:
                return Carried(broke="no function here takes an event's number and carries it to staging")
            event = (number, tenant_hk.hex(), was)
            (ended,) = foreign.replay(self._target.ground.conn, door, [event], while_paused=True).events
            if ended.became in ("PENDING", "left alone"):
                self._tried.append(ended.raw_event_id)
            why = Counter([ended.why]) if ended.why else Counter[str]()
            one = Carried((number,), frozenset([tenant_hk]), Counter([ended.became]), why)
            done = done.plus(one)
        return done

    def _rows(self, template: str, **parameters: Any) -> list[tuple[Any, ...]]:
        query = sql.SQL(template).format(raw=sql.Identifier("raw", "site_tracking_events_r"))
        cursor = self._target.ground.conn.cursor(row_factory=tuple_row)
        return cursor.execute(query, {"tried": self._tried, **parameters}).fetchall()


def doors(target: Target, release_id: str) -> list[EntryPoint]:
    """The functions through which a foreign database's events are carried, those the release changed if it did."""
    found = foreign.entry_points(target.ground.conn)
    changes = record.recorded_objects(target.ground, release_id)
    changed = {change.object.identity.partition("(")[0] for change in changes}
    return [door for door in found if door.name in changed] or found
