"""docs/reference/benchmarks.md, written from the results of one run: what is missed is said as plainly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.figures import Result, Verdict
from bench.machine import Run
from bench.report import number, shown

INTRODUCTION = """\
Written from one run of the harness; do not edit. Everything runs on the same cores: PostgreSQL, every stage and
the load generator. PostgreSQL is durable (fsync, full page writes, synchronous commit). Each side runs in turn
with its reference, round by round, in one database. Figures are medians, with the lowest and the highest round
in brackets. Ratios are taken round by round: trust them more than the absolute figures."""
REPETITION = """\
Repeat it with `make bench`. To write this page: `python -m bench --json bench/results.json`, then
`python -m bench --page bench/results.json`."""
PAGE = Path(__file__).parent.parent / "docs" / "reference" / "benchmarks.md"
QUIET_LOAD = 0.5
"""Load average of the minute before, up to which a machine counts as ours alone."""
NOT_MEASURED = (
    ("growth", "rate at 10 million events >= 0.85 x rate at 100 thousand"),
    ("memory over time", "flat over an hour"),
)
"""Bars that no row of the harness measures yet."""


def write(run: Run) -> None:
    """Replace the page."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render(run), "utf-8")


def render(run: Run) -> str:
    """The whole page; the same results make the same page."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    machine = run.machine
    yield "# Benchmarks"
    yield ""
    yield INTRODUCTION
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| machine | {machine.cpu}, {machine.cores} cores, {machine.memory_gb:g} GB, {machine.kernel} |"
    yield f"| software | PostgreSQL {machine.postgresql}, Python {machine.python} |"
    yield f"| date | {run.started:%Y-%m-%d} |"
    yield f"| command | `{run.command}` |"
    yield f"| load average before | {machine.load:.1f} |"
    yield ""
    yield REPETITION
    if machine.load > QUIET_LOAD:
        yield ""
        yield "**Others were at work on this machine when this was measured: only the ratios mean something.**"
    yield ""
    yield "## Bars"
    yield ""
    yield "| what | bar | figure | verdict |"
    yield "|---|---|---|---|"
    for result in run.results:
        for verdict in result.verdicts:
            yield f"| {result.name}: {verdict.what} | {_bar(verdict)} | {number(verdict.got)} | {_came(verdict)} |"
    for name, bar in NOT_MEASURED:
        yield f"| {name} | {bar} | | not measured yet |"
    for result in run.results:
        yield from _section(result)


def _section(result: Result) -> Iterator[str]:
    names = list(dict.fromkeys(name for figures in result.sides.values() for name in figures))
    yield ""
    yield f"## {result.title}"
    yield ""
    yield "| | " + " | ".join(result.sides) + " |"
    yield "|---" * (len(result.sides) + 1) + "|"
    for name in names:
        cells = [shown(figures[name]) if name in figures else "" for figures in result.sides.values()]
        yield f"| {name} | " + " | ".join(cells) + " |"
    yield ""
    for name, over in result.ratios.items():
        yield f"- ratio {name}: {shown(over)}"
    for text in (*result.checks, *result.notes):
        yield f"- {text}"


def _bar(verdict: Verdict) -> str:
    return f"{'>=' if verdict.bar.at_least else '<='} {number(verdict.bar.limit)}"


def _came(verdict: Verdict) -> str:
    return "met" if verdict.met else f"**missed** by {verdict.missed_by:.0%}"
