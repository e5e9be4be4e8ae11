"""What a person reads at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from chaos.results import Run


def lines(run: Run) -> Iterator[str]:
    """The verdict first."""
    found = run.account.found
    yield ""
    yield f"{verdict(run)}  (seed {run.seed})"
    yield f"  {run.kills} kill -9 among {sum(run.by_kind.values())} faults of {len(run.by_kind)} kinds"
    yield (
        f"  {run.sent} events sent, {run.acknowledged} answered 200, {found.events} found,"
        f" {found.landed} copies landed"
    )
    yield (
        f"  {found.vaulted} vaulted + {found.duplicate} duplicate + {found.invalid} invalid + {found.error} error"
        f" = {found.vaulted + found.duplicate + found.invalid + found.error}"
    )
    if run.recoveries:
        yield (
            f"  PostgreSQL was started again {len(run.recoveries)} times,"
            f" {median(run.recoveries):.1f} s (median), {max(run.recoveries):.1f} s (longest)"
        )
    yield f"  nobody was answered for {run.longest_silence:.1f} s at most"
    yield (
        f"  everything answered {run.outcome.answered_seconds} s after the last fault,"
        f" drained {run.outcome.drained_seconds} s later"
    )
    for fault, why in run.skipped.items():
        yield f"  skipped: {fault} ({why})"
    for check in run.account.checks:
        if check.violations:
            yield f"  BROKEN {check.name}: {check.violations}. {check.holds} e.g. {', '.join(check.examples)}"
    yield f"  {len(run.account.checks) - len(run.account.broken)} of {len(run.account.checks)} checks hold"


def verdict(run: Run) -> str:
    """In a word or two."""
    if not run.sound:
        return "BROKEN: see below."
    if not run.complete:
        return "Inconclusive: fewer kills than asked for; nothing lost, nothing doubled, nothing stuck."
    return "Nothing lost, nothing doubled, nothing stuck."
