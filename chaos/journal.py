"""What the clients know: every event they sent, byte for byte by its digest, and what they were told of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from bench.house import Holder


class Fate(StrEnum):
    """Where an event must end if it lands."""

    GOOD = "good"  # in the vault, once
    INVALID = "invalid"  # staged as INVALID, and nowhere else
    POISON = "poison"  # a dead letter: this database was told to refuse it
    REFUSED = "refused"  # answered 400, and nowhere


@dataclass(slots=True)
class Sent:
    """One event. `event_id` is what the first 200 said; None while there was none."""

    number: int
    tenant_hk: bytes
    digest: bytes
    fate: Fate
    repeatable: bool
    """It has an id and a believable time, so sending it again is harmless."""
    event_id: str | None = None
    refused: bool = False


class Journal:
    """Everything sent in a run. What it contradicts by itself is in `contradictions`."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.contradictions: list[str] = []
        self.acknowledged = 0
        """Events answered 200."""
        self.counts: Counter[str] = Counter()

    def note(self, holder: Holder, body: bytes, fate: Fate, *, repeatable: bool = True) -> Sent:
        """An event that is about to be sent; its bytes must differ from every other's."""
        digest = hashlib.sha256(body).digest()
        one = Sent(len(self.sent) + 1, holder.tenant_hk, digest, fate, repeatable)
        self.sent.append(one)
        return one

    def acknowledge(self, one: Sent, event_id: str) -> None:
        """It was answered 200 with this id; of a repeatable one every answer must name the same."""
        if one.refused:
            self.contradictions.append(f"event {one.number} was refused, then answered 200")
        if one.event_id is None:
            one.event_id = event_id
            self.acknowledged += 1
        elif one.event_id != event_id:
            self.contradictions.append(f"event {one.number} was answered with two ids")

    def refuse(self, one: Sent, code: str) -> None:
        """It was answered that it will never be stored."""
        if one.fate is not Fate.REFUSED:
            self.contradictions.append(f"event {one.number} was refused: {code}")
        if one.event_id is not None:
            self.contradictions.append(f"event {one.number} was answered 200, then refused")
        one.refused = True

    def unanswered(self) -> list[Sent]:
        """Events that could be sent again until they were answered, and were not answered."""
        return [one for one in self.sent if one.repeatable and one.event_id is None and not one.refused]
