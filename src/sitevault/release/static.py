"""What the doctor's checks of functions say inside the open transaction: faults a release would bring with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sitevault.doctor.model import Verdict
from sitevault.doctor.run import choose, examine
from sitevault.doctor.snapshot import Ground, Options, Snapshot
from sitevault.release.target import Target

SAMPLE = 500
ROOMS = ("functions",)


class Fault(NamedTuple):
    """One finding."""

    check: str
    subject: str
    message: str

    @property
    def shown(self) -> str:
        return f"{self.subject}: {self.message} ({self.check})"


def faults(target: Target) -> frozenset[Fault]:
    """The problems there are now, as the open transaction sees the functions; what is unknown is none of them."""
    seen = Snapshot(target.ground.conn, target.conninfo, Options(sample=SAMPLE, ground=Ground.HERE))
    return frozenset(
        Fault(found.check, found.subject, found.message)
        for found in examine(seen, choose(ROOMS)).findings
        if found.verdict is Verdict.PROBLEM
    )


def new(before: Iterable[Fault], after: Iterable[Fault]) -> list[Fault]:
    """Those that the release brings."""
    return sorted(set(after) - set(before))


def gone(before: Iterable[Fault], after: Iterable[Fault]) -> list[Fault]:
    """Those that the release mends."""
    return sorted(set(before) - set(after))
