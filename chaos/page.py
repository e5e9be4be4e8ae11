"""docs/reference/chaos.md, written from the recorded results: what was skipped is said as plainly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from chaos import report
from chaos.faults import ALL
from chaos.results import Run
from chaos.soak.results import Soak

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "chaos.md"
RESULTS = Path(__file__).with_name("results.json")
SOAK_RESULTS = Path(__file__).with_name("soak.json")
INTRODUCTION = """\
Written from two recorded runs; do not edit. What is done and why is in
[under fire](../explanation/under-fire.md). Two collectors, two workers, the embedded PostgreSQL and the clients
run on the same cores; PostgreSQL is durable. How long things took depends on the machine, and others were at work
on this one; what was lost or doubled does not."""
REPETITION = """\
Repeat it with `make chaos`; the same seed draws the same faults, at the same moments, and the same events. What
they hit is up to the machine. To write this page: `python -m chaos --json chaos/results.json`,
`python -m chaos soak --json chaos/soak.json`, then `python -m chaos page`."""


def write(run: Run, soak: Soak | None) -> None:
    """Replace the page."""
    PAGE.write_text(render(run, soak), "utf-8")


def render(run: Run, soak: Soak | None) -> str:
    """The whole page; the same results make the same page."""
    return "\n".join([*_head(run), *_account(run), *_faults(run), *_clients(run), *_soak(soak)]) + "\n"


def _head(run: Run) -> Iterator[str]:
    machine = run.machine
    yield "# Chaos"
    yield ""
    yield INTRODUCTION
    yield ""
    yield f"**{report.verdict(run)}**"
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| machine | {machine.cpu}, {machine.cores} cores, {machine.memory_gb:g} GB, {machine.kernel} |"
    yield f"| software | PostgreSQL {machine.postgresql}, Python {machine.python} |"
    yield f"| date | {run.started:%Y-%m-%d} |"
    yield f"| command | `{run.command}` |"
    yield f"| seed | {run.seed} |"
    yield f"| load | {run.rate:g} events/s while somebody answers |"
    yield f"| filesystem of the home | {run.disk} |"
    yield f"| kill -9 | {run.kills} of {run.kills_wanted} asked for |"
    faults = sum(run.by_kind.values())
    yield f"| faults in all | {faults} of {len(run.by_kind)} kinds, in {run.minutes:g} minutes |"
    yield ""
    yield REPETITION


def _account(run: Run) -> Iterator[str]:
    found = run.account.found
    yield ""
    yield "## The account"
    yield ""
    yield "| events | |"
    yield "|---|---|"
    yield f"| sent | {run.sent:,} |"
    yield f"| answered 200 | {run.acknowledged:,} |"
    yield f"| found in landing, each copy counted | {found.landed:,} |"
    yield f"| found in landing, each event counted once | {found.events:,} |"
    yield f"| in the vault | {found.vaulted:,} |"
    yield f"| duplicates (copies of what was sent again) | {found.duplicate:,} |"
    yield f"| invalid, sent as such | {found.invalid:,} |"
    yield f"| dead letters, sent as such | {found.error:,} |"
    yield ""
    yield "| what must hold | violations |"
    yield "|---|---|"
    for check in run.account.checks:
        yield f"| {check.holds} | {check.violations if check.violations == 0 else f'**{check.violations}**'} |"
    yield ""
    yield (
        f"After the last fault every event had its answer within {run.outcome.answered_seconds:.0f} s (faults that"
        f" last are waited for), and the backlog was drained {run.outcome.drained_seconds:.0f} s later."
    )


def _faults(run: Run) -> Iterator[str]:
    yield ""
    yield "## The faults"
    yield ""
    yield "| fault | what it is | times |"
    yield "|---|---|---|"
    for name, fault in ALL.items():
        times = str(run.by_kind[name]) if name in run.by_kind else f"skipped: {run.skipped.get(name, 'not drawn')}"
        yield f"| {name} | {fault.about} | {times} |"
    yield ""
    yield "| | started again |"
    yield "|---|---|"
    for service, times_fallen in run.falls.items():
        yield f"| {service} | {times_fallen} |"
    if run.recoveries:
        yield ""
        yield (
            f"PostgreSQL took {median(run.recoveries):.1f} s (median) and {max(run.recoveries):.1f} s at most from"
            f" being found dead to taking connections. The longest time in which nobody was answered was"
            f" {run.longest_silence:.1f} s."
        )


def _clients(run: Run) -> Iterator[str]:
    yield ""
    yield "## What the clients met"
    yield ""
    yield "| requests | |"
    yield "|---|---|"
    for name, times in run.clients.items():
        yield f"| {name} | {times:,} |"
    if run.services:
        yield ""
        yield "What the services wrote into their logs, with SQLSTATE or error:"
        yield ""
        yield "| warnings and errors | |"
        yield "|---|---|"
        for name, times in run.services.items():
            yield f"| {name} | {times:,} |"


def _soak(soak: Soak | None) -> Iterator[str]:
    yield ""
    yield "## Soak"
    yield ""
    if soak is None:
        yield "Not recorded yet."
        return
    yield (
        f"{soak.minutes:g} minutes at {soak.rate:,.0f} events/s ({soak.why_rate}), a sample every"
        f" {soak.every:g} s. A figure is judged by the slope of its second half (Theil-Sen, 95 % interval):"
        " flat when the whole interval lies under the limit, growing when it lies above, else undecided."
    )
    yield ""
    yield (
        f"`{soak.command}` on {soak.started:%Y-%m-%d}: {soak.sent:,} events sent,"
        f" {soak.acknowledged:,} answered 200."
    )
    yield ""
    yield "| figure | first | median | last | grows per hour (95 %) | limit per hour | verdict |"
    yield "|---|---|---|---|---|---|---|"
    for trend in soak.trends:
        shown = f"{trend.slope:+,.4g} ({trend.low:+,.4g} to {trend.high:+,.4g})"
        yield (
            f"| {trend.name} | {trend.first:,.4g} | {trend.median:,.4g} | {trend.last:,.4g} | {shown} |"
            f" {trend.limit:,.4g} | {trend.verdict} |"
        )
    dead = soak.samples["raw.batch dead %"]
    yield ""
    yield (
        "Rows that die by design count only above the fifth at which autovacuum comes: in the second half up to"
        f" {max(dead[len(dead) // 2 :]):.0f} % of `raw.batch` were dead before it did. The load average before was"
        f" {soak.machine.load:.1f} on {soak.machine.cores} cores: others were at work."
    )
    for note in soak.notes:
        yield ""
        yield note
