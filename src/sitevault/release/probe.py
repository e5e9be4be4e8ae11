"""Every entry point of the queue, tried with real events inside the open transaction: what becomes of each.

Each try is in a savepoint that is rolled back. In a foreign database its own functions are called, one event at a
time; in a house the pipeline carries copies of the events with the worker's rights, so nothing waits for us there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sitevault.db import queries
from sitevault.release import probe_house
from sitevault.release.target import Target
from sitevault.repair import shadow
from sitevault.repair.shadow import Output, Outputs, Shift
from sitevault.replay.foreign import EntryPoint, entry_points

SQL = queries.load("release_probe")

MOST_EVENTS = 200
SECONDS = 20.0
"""What a release locks stays locked while it is probed: then the rest of the events is left out, and said so."""

_SLICE = 20
_RANKS = {"INVALID": 1, "SUSPICIOUS": 2}
_CARRIED = 3


class Verdict(StrEnum):
    """What a release does to one event at one entry point."""

    SAME = "same"
    MENDED = "mended"  # it failed, now it goes through
    BROKEN = "broken"  # it went through, now it fails
    STILL_FAILS = "still fails"
    BETTER = "better"  # its validation says better of it
    WORSE = "worse"  # its validation says worse of it
    CLOSED = "closed"  # the entry point is not there any more
    NEW = "new"  # the entry point was not there before


@dataclass(frozen=True)
class Probed:
    """What became of each event at each entry point; `stands` is how the event really is."""

    stands: Mapping[int, str]
    outputs: Outputs
    left_out: int
    """Events for which there was no time."""
    seconds: float
    doors: tuple[EntryPoint, ...] = ()

    @property
    def events(self) -> tuple[int, ...]:
        return tuple(self.stands)

    def failures(self) -> dict[str, int]:
        """How many events each entry point did not carry."""
        return {
            entry: sum(not _rank(output) for output in found.values()) for entry, found in self.outputs.items()
        }


@dataclass(frozen=True)
class Became:
    """One event at one entry point, before and after."""

    event: int
    stands: str
    entry: str
    before: str
    after: str
    verdict: Verdict


@dataclass(frozen=True)
class Compared:
    """Old and new output on the same events."""

    events: tuple[Became, ...]
    columns: Mapping[str, Shift]
    """Per entry point, of the events that went through before and after; counts, never values."""

    def count(self, verdict: Verdict) -> int:
        return sum(one.verdict is verdict for one in self.events)

    @property
    def lost(self) -> dict[str, Counter[str]]:
        """Columns that were filled and are NULL now, per entry point."""
        return {entry: shift.lost for entry, shift in self.columns.items() if shift.lost}


def probe(
    target: Target, most: int = MOST_EVENTS, seconds: float = SECONDS, also: Sequence[EntryPoint] = ()
) -> Probed:
    """Try the newest stuck events, then the newest others, at every entry point; within the open transaction.

    `also` names entry points of before: one that now hands its events to another function is still one.
    """
    start = time.monotonic()
    if target.house:
        stands, found = probe_house.attempt(target, most)
        return Probed(stands, {probe_house.ENTRY: found}, 0, time.monotonic() - start)
    doors = _doors(target, also)
    stands = dict(target.ground.all(SQL.events_of_the_guide, {"most": most}))
    events = list(stands)
    outputs: dict[str, dict[int, Output]] = {door.identity: {} for door in doors}
    done = 0
    for first in range(0, len(events), _SLICE):
        if time.monotonic() - start > seconds:
            break
        part = events[first : first + _SLICE]
        for entry, more in shadow.outputs(target.ground, part, doors).items():
            outputs[entry] |= more
        done += len(part)
    tried = {event: stands[event] for event in events[:done]}
    return Probed(tried, outputs, len(events) - done, time.monotonic() - start, doors)


def _doors(target: Target, also: Sequence[EntryPoint]) -> tuple[EntryPoint, ...]:
    found = entry_points(target.ground.conn)
    others = [door for door in also if door not in found]
    there = target.ground.all(SQL.still_there, {"identities": [door.identity for door in others]})
    return (*found, *(door for door in others if (door.identity,) in there))


def compare(before: Probed, after: Probed) -> Compared:
    """What happened to each event, and to the columns of those that went through both times."""
    rows: list[Became] = []
    columns: dict[str, Shift] = {}
    for entry in sorted(before.outputs.keys() | after.outputs.keys()):
        old, new = before.outputs.get(entry), after.outputs.get(entry)
        rows += _rows(before, after, entry)
        if old is not None and new is not None:
            both = [event for event in new if event in old and _rank(old[event]) and _rank(new[event])]
            columns[entry] = shadow.shift({one: old[one] for one in both}, {one: new[one] for one in both})
    return Compared(tuple(rows), columns)


def _rows(before: Probed, after: Probed, entry: str) -> Iterator[Became]:
    old, new = before.outputs.get(entry), after.outputs.get(entry)
    for event in after.stands if new is not None else before.stands:
        was, now = (old or {}).get(event), (new or {}).get(event)
        if was is None and now is None:
            continue
        yield Became(
            event=event,
            stands=(after.stands if new is not None else before.stands)[event],
            entry=entry,
            before=_shown(was, old),
            after=_shown(now, new),
            verdict=_verdict(was, now, came=old is None, gone=new is None),
        )


def _shown(output: Output | None, door: Mapping[int, Output] | None) -> str:
    """Somebody may be at the event at this moment: it is not tried then."""
    return said(output) if output is not None else "not there" if door is None else "in use"


def _verdict(was: Output | None, now: Output | None, *, came: bool, gone: bool) -> Verdict:
    if now is None:
        return Verdict.CLOSED if gone else Verdict.SAME
    if was is None and not came:
        return Verdict.SAME
    if was is None:
        return Verdict.NEW if _rank(now) else Verdict.STILL_FAILS
    before, after = _rank(was), _rank(now)
    if not after:
        return Verdict.BROKEN if before else Verdict.STILL_FAILS
    if not before:
        return Verdict.MENDED
    return Verdict.SAME if before == after else Verdict.BETTER if after > before else Verdict.WORSE


def _rank(output: Output) -> int:
    """0: it did not go through; then by what validation says of it."""
    if output.sqlstate or output.staged is None or output.status in ("PENDING", "ERROR"):
        return 0
    return _RANKS.get(str(output.staged.get("validation_status")), _CARRIED)


def said(output: Output) -> str:
    """What became of an event, in words without a value."""
    if output.sqlstate:
        return f"failed with {output.sqlstate}"
    if output.staged is None:
        return f"{output.status} without a staging row"
    return f"{output.status}, {output.staged.get('validation_status', 'staged')}"
