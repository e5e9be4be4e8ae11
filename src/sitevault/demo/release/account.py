"""Where every event is that was acknowledged: in raw as it was sent, once, and in one place."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row, tuple_row

from sitevault.demo.release.traffic import SQL, Sent


class Where(NamedTuple):
    """One event of raw."""

    raw_event_id: int
    raw_payload: dict[str, Any]
    tenant: str
    owner: str | None
    status: str
    staged: int

    @property
    def in_one_place(self) -> bool:
        """PROCESSED with one staging row, PENDING or ERROR without any."""
        return self.staged == (1 if self.status == "PROCESSED" else 0)


@dataclass(frozen=True)
class Account:
    """What was acknowledged against what is there; every tuple but the counts should be empty."""

    acknowledged: int
    outcomes: dict[str, int]
    lost: tuple[int, ...]
    altered: tuple[int, ...]
    doubled: tuple[int, ...]
    in_no_place: tuple[int, ...]
    misplaced: tuple[int, ...]
    """Under another tenant than their key's owner."""
    unacknowledged: tuple[int, ...]
    """Sent by this traffic, there, and nobody was told: the answer was lost on its way."""

    @property
    def complete(self) -> bool:
        """Nothing acknowledged is lost, altered, doubled or nowhere."""
        return not (self.lost or self.altered or self.doubled or self.in_no_place)

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        lists = ("lost", "altered", "doubled", "in_no_place", "misplaced", "unacknowledged")
        return {
            "acknowledged": self.acknowledged,
            "outcomes": self.outcomes,
            **{name: len(getattr(self, name)) for name in lists},
        }


def settle(conn: psycopg.Connection[Any], seconds: float) -> int:
    """Wait until nothing is PENDING, at most that long; how many still are."""
    until = time.monotonic() + seconds
    while True:
        row = conn.cursor(row_factory=tuple_row).execute(SQL.waiting).fetchone()
        waiting = int(row[0]) if row else 0
        if not waiting or time.monotonic() > until:
            return waiting
        time.sleep(0.1)


def whereabouts(conn: psycopg.Connection[Any]) -> list[Where]:
    """Every event of raw, in order."""
    return conn.cursor(row_factory=class_row(Where)).execute(SQL.whereabouts).fetchall()


def account(conn: psycopg.Connection[Any], sent: Mapping[int, Sent]) -> Account:
    """Look for every acknowledged event."""
    rows = whereabouts(conn)
    found = {row.raw_event_id: row for row in rows}
    ours = [row for row in rows if _serial(row.raw_payload) is not None]
    serials = Counter(_serial(row.raw_payload) for row in ours)
    told = {_serial(one.payload): number for number, one in sent.items()}
    return Account(
        acknowledged=len(sent),
        outcomes=dict(sorted(Counter(row.status for row in rows).items())),
        lost=tuple(sorted(sent.keys() - found.keys())),
        altered=tuple(
            number
            for number, one in sent.items()
            if number in found and (found[number].raw_payload, found[number].owner) != (one.payload, one.owner)
        ),
        doubled=tuple(
            row.raw_event_id for row in ours if serials[_serial(row.raw_payload)] > 1 and row.raw_event_id in sent
        ),
        in_no_place=tuple(row.raw_event_id for row in rows if not row.in_one_place),
        misplaced=tuple(row.raw_event_id for row in rows if row.owner not in (None, row.tenant)),
        unacknowledged=tuple(
            row.raw_event_id for row in ours if told.get(_serial(row.raw_payload)) != row.raw_event_id
        ),
    )


def _serial(payload: Mapping[str, Any]) -> int | None:
    details = payload.get("event_data")
    return details.get("serial") if isinstance(details, dict) else None
