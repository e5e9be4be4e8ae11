"""What a run yields: everything the page says is in here."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import msgspec
from bench.machine import Machine

from chaos.verify import Account


class Happened(msgspec.Struct, frozen=True):
    """One fault, as it was made."""

    at: float
    fault: str
    kill: bool
    done: bool
    """False: skipped, and `what` says why."""
    what: str


class Outcome(msgspec.Struct, frozen=True):
    """How it ended."""

    answered_seconds: float
    """After the faults, until every event had its answer."""
    drained_seconds: float
    drained: bool


class Run(msgspec.Struct, frozen=True):
    """One call of the suite."""

    machine: Machine
    command: str
    started: datetime
    seed: int
    minutes: float
    rate: float
    kills_wanted: int
    disk: str
    disk_refused: str
    happened: list[Happened]
    lasting: list[str]
    clients: dict[str, int]
    """What the clients met: answers by status, cuts, time-outs, events sent again."""
    sent: int
    acknowledged: int
    falls: dict[str, int]
    """How often each kind of process was started again."""
    recoveries: list[float]
    """Seconds PostgreSQL took each time."""
    longest_silence: float
    """Seconds in which nobody was answered."""
    outcome: Outcome
    account: Account
    troubles: list[str]
    services: dict[str, int] = {}
    """What the services wrote into their logs: events of level warning and above, with their SQLSTATE or error."""

    @property
    def kills(self) -> int:
        """Faults that were a kill -9."""
        return sum(one.kill for one in self.happened)

    @property
    def by_kind(self) -> Counter[str]:
        """How often each fault was made."""
        return Counter(one.fault for one in self.happened if one.done)

    @property
    def skipped(self) -> dict[str, str]:
        """Kinds that could not be made here, and why."""
        return {one.fault: one.what for one in self.happened if one.fault not in self.by_kind}

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing doubled, nothing stuck."""
        return self.outcome.drained and not self.account.broken

    @property
    def complete(self) -> bool:
        """As many kills as were asked for."""
        return self.kills >= self.kills_wanted
