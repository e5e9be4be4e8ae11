"""On a machine where others are at work, too: what is measured is let ahead of them while it is measured."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.figures import HarnessError

_PRIORITY = 1
_wanted = False


def want() -> None:
    """From now on. Raises HarnessError where that is not allowed."""
    global _wanted
    try:
        _schedule(os.getpid(), ahead=True)
        _schedule(os.getpid(), ahead=False)
    except PermissionError as error:
        raise HarnessError("Letting processes ahead needs root (CAP_SYS_NICE).") from error
    _wanted = True


@contextmanager
def of_others(pids: Iterable[int]) -> Iterator[None]:
    """Every thread of these processes, and what they start, runs before everybody else's (SCHED_RR).

    The kernel keeps a twentieth of the time for others, so that a machine cannot be lost to it.
    """
    if not _wanted:
        yield
        return
    mine = list(pids)
    for pid in mine:
        _schedule(pid, ahead=True)
    try:
        yield
    finally:
        for pid in mine:
            _schedule(pid, ahead=False)


def _schedule(pid: int, *, ahead: bool) -> None:
    policy = os.SCHED_RR if ahead else os.SCHED_OTHER
    with suppress(FileNotFoundError):
        for thread in os.listdir(Path("/proc", str(pid), "task")):
            with suppress(ProcessLookupError):
                os.sched_setscheduler(int(thread), policy, os.sched_param(_PRIORITY if ahead else 0))
