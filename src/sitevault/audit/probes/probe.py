"""The form of a probe, and how many attempts become one line of the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from sitevault.audit.model import Probed, Verdict
from sitevault.audit.probes.attempt import Ground, Outcome

MOST_NAMED = 5

_NOT_FINISHED = ("57014", "55P03")  # query_canceled by the timeout, lock_not_available


class Probe(NamedTuple):
    """Something to try on the ground; yields a line per role."""

    id: str
    run: Callable[[Ground], Iterator[Probed]]


@dataclass
class Tally:
    """Attempts of one kind by one role: what happened how often, and where it must not have."""

    id: str
    role: str
    tried: str
    expected: str
    _happened: Counter[str] = field(default_factory=Counter)
    _wrong: list[str] = field(default_factory=list)
    _unknown: list[str] = field(default_factory=list)

    def note(self, where: str, outcome: Outcome, *, well: bool) -> None:
        """Count an outcome; where it is not well, its place and its words are kept."""
        self._happened[_kind(outcome)] += 1
        if outcome.sqlstate in _NOT_FINISHED and not well:
            self.doubt(where, f"{outcome.sqlstate}: it took too long, or waited for a lock")
        elif not well:
            self._wrong.append(f"{where}: {outcome.summary}")

    def doubt(self, where: str, why: str) -> None:
        """Something that could not be tried."""
        self._unknown.append(f"{where}: {why}")

    def result(self) -> Probed:
        """One line; nothing tried is UNKNOWN."""
        happened = ", ".join(f"{count} {what}" for what, count in self._happened.most_common())
        if self._wrong:
            verdict, said = Verdict.PROBLEM, f"{_first(self._wrong)} ({happened})"
        elif self._unknown or not self._happened:
            verdict, said = Verdict.UNKNOWN, _first(self._unknown) if self._unknown else "nothing could be tried"
        else:
            verdict, said = Verdict.OK, happened
        return Probed(self.id, self.role, self.tried, self.expected, said, verdict)


def _kind(outcome: Outcome) -> str:
    if outcome.refused:
        return "refused"
    if outcome.sqlstate:
        return f"failed ({outcome.sqlstate})"
    return "done" if outcome.count else "without a row"


def _first(places: list[str]) -> str:
    more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
    return "; ".join(places[:MOST_NAMED]) + more
