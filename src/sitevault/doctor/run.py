"""The doctor's round: every chosen check over one snapshot, each with its verdict; what breaks is unknown."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sitevault.doctor.checks import CHECKS
from sitevault.doctor.model import Check, Evidence, Examined, Finding, Outcome, Verdict, worst
from sitevault.doctor.snapshot import Snapshot, Unreadable
from sitevault.errors import UsageError

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """A whole round."""

    database: str
    shape: str
    server_version: str
    seconds: float
    examined: tuple[Examined, ...]

    @property
    def findings(self) -> Iterator[Finding]:
        return (finding for one in self.examined for finding in one.outcome.findings)

    @property
    def verdict(self) -> Verdict:
        return worst(one.verdict for one in self.examined)


def examine(snapshot: Snapshot, checks: Iterable[Check] = CHECKS, notify: Notify = lambda _: None) -> Report:
    """Run the checks over the snapshot. Raises ForeignDatabaseError where it is no database of ours to judge."""
    start = time.monotonic()
    shape = snapshot.shape
    examined = tuple(_run(check, snapshot, notify) for check in checks)
    return Report(
        database=snapshot.server.database,
        shape=shape,
        server_version=".".join(map(str, divmod(snapshot.server.version, 10_000))),
        seconds=round(time.monotonic() - start, 2),
        examined=examined,
    )


def choose(wanted: Sequence[str], skipped: Sequence[str] = ()) -> tuple[Check, ...]:
    """The checks of these ids, short names or rooms, without the skipped. Raises UsageError for a name unknown."""
    chosen = {check.id for name in wanted for check in named(name)} if wanted else {check.id for check in CHECKS}
    chosen -= {check.id for name in skipped for check in named(name)}
    return tuple(check for check in CHECKS if check.id in chosen)


def named(name: str) -> list[Check]:
    """The check of this id or short name, or all of a room. Raises UsageError."""
    low = name.lower()
    found = [check for check in CHECKS if low in (check.id, (check.alias or "").lower(), check.id.split(".")[0])]
    if not found:
        raise UsageError(f"There is no check {name}.", fix="See them all:", command="sitevault doctor --list")
    return found


def _run(check: Check, snapshot: Snapshot, notify: Notify) -> Examined:
    notify(check.title)
    start = time.monotonic()
    try:
        outcome = check.look(snapshot)
    except Unreadable as error:
        outcome = _unknown(check, error.part, error.message, error.sqlstate)
    except Exception as error:
        # A check that breaks has proved nothing; the others still can. Its words may quote a value.
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
        outcome = _unknown(check, check.id, f"the check itself failed: {place}", getattr(error, "sqlstate", None))
    return Examined(check, outcome, round(time.monotonic() - start, 3))


def _unknown(check: Check, subject: str, message: str, sqlstate: str | None) -> Outcome:
    evidence = (Evidence(subject, message, sqlstate=sqlstate),)
    return Outcome(subject, 0, (Finding(check.id, Verdict.UNKNOWN, subject, message, evidence),))
