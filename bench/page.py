"""docs/reference/benchmarks.md, written from the results of one run: what is missed is said as plainly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench import plot
from bench.figures import Result, Verdict
from bench.machine import Run
from bench.report import number, shown

INTRODUCTION = """\
Written from what the harness recorded; do not edit. Everything runs on the same cores: PostgreSQL, every stage and
the load generator. PostgreSQL is durable (fsync, full page writes, synchronous commit). Each side runs in turn
with its reference, round by round, in one database. Figures are medians, with the lowest and the highest round
in brackets. Ratios are taken round by round: trust them more than the absolute figures."""
REPETITION = """\
Repeat it with `make bench`. To write this page: `python -m bench --json bench/results.json`, for growth
`python -m bench growth --json bench/growth.json` (half an hour, some 40 GB), then `python -m bench --page`."""
RECORDED = tuple(Path(__file__).with_name(f"{name}.json") for name in ("results", "growth"))
"""Runs that are published; what a later one measured again, it replaces."""
PAGE = Path(__file__).parent.parent / "docs" / "reference" / "benchmarks.md"
PICTURES = {
    "rate": ("events/s, grown", "events/s, fresh"),
    "cpu": ("CPU us/event, grown", "CPU us/event, fresh"),
}
"""Of a database that grew."""
QUIET_LOAD = 0.5
"""Load average of the minute before, up to which a machine counts as ours alone."""
OWED = {"growth": "rate at 10 million events >= 0.85 x rate at 100 thousand"}
"""Bars of rows that run on their own: named as missing as long as no run of theirs is recorded."""
WHY = {
    "batches: ratio to bare COPY": """\
one process receives, checks and names every event before it is written, in some 17 us of its one core;
  PostgreSQL's part is half of that. Two runs within the hour said 0.47 and 0.39. See
  [the door](../explanation/speed.md#the-door-collector).""",
    "pipeline: ratio to the row-by-row loop": """\
the loop takes some 220 us of one core for an event, in one transaction for thousands of them; the worker some 95
  of two, most of it Python's. Against the loop that commits each event the ratio is further down. See
  [speed](../explanation/speed.md#against-the-row-by-row-loop).""",
}
"""What is known of bars that were missed."""
ELSEWHERE = "| memory over time | flat over an hour | | see the [soak](chaos.md#soak) |"


def recorded() -> list[Run]:
    """Every published run there is, in order."""
    runs = [msgspec.json.decode(path.read_bytes(), type=Run) for path in RECORDED if path.exists()]
    newest = {result.name: result for run in runs for result in run.results}
    return [
        msgspec.structs.replace(run, results=[one for one in run.results if newest[one.name] is one])
        for run in runs
    ]


def write(runs: list[Run]) -> None:
    """Replace the page."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render(runs), "utf-8")
    for result in (result for run in runs for result in run.results if result.way):
        for name, figures in PICTURES.items():
            picture_of(result, name).write_text(plot.draw(result.way, figures), "utf-8")


def picture_of(result: Result, name: str) -> Path:
    """Where a result's picture of that name is."""
    return PAGE.with_name(f"benchmark-{result.name}-{name}.svg")


def render(runs: list[Run]) -> str:
    """The whole page; the same results make the same page."""
    return "\n".join(_lines(runs)) + "\n"


def _lines(runs: list[Run]) -> Iterator[str]:
    results = [result for run in runs for result in run.results]
    yield "# Benchmarks"
    yield ""
    yield INTRODUCTION
    yield ""
    yield REPETITION
    for run in runs:
        yield ""
        yield from _conditions(run)
    yield ""
    yield "## Bars"
    yield ""
    yield "| what | bar | figure | verdict |"
    yield "|---|---|---|---|"
    for result in results:
        for verdict in result.verdicts:
            yield f"| {result.name}: {verdict.what} | {_bar(verdict)} | {number(verdict.got)} | {_came(verdict)} |"
    for name, bar in OWED.items():
        if name not in {result.name for result in results}:
            yield f"| {name} | {bar} | | not measured yet |"
    yield ELSEWHERE
    yield from _reasons(results)
    for result in results:
        yield from _section(result)


def _reasons(results: list[Result]) -> Iterator[str]:
    missed = [
        f"{result.name}: {verdict.what}" for result in results for verdict in result.verdicts if not verdict.met
    ]
    if told := [what for what in missed if what in WHY]:
        yield ""
        yield from (f"- Why {what} is missed: {WHY[what]}" for what in told)


def _conditions(run: Run) -> Iterator[str]:
    machine = run.machine
    yield f"| run | {', '.join(result.name for result in run.results)} |"
    yield "|---|---|"
    yield f"| machine | {machine.cpu}, {machine.cores} cores, {machine.memory_gb:g} GB, {machine.kernel} |"
    yield f"| software | PostgreSQL {machine.postgresql}, Python {machine.python} |"
    yield f"| date | {run.started:%Y-%m-%d} |"
    yield f"| command | `{run.command}` |"
    yield f"| load average before | {machine.load:.1f} |"
    if machine.load > QUIET_LOAD and run.ahead:
        yield ""
        yield "**Others were at work on this machine; what was measured ran before them meanwhile (SCHED_RR).**"
        yield "They still had a twentieth of the time and their share of the caches and the disk."
    elif machine.load > QUIET_LOAD:
        yield ""
        yield "**Others were at work on this machine when this was measured: only the ratios mean something.**"


def _section(result: Result) -> Iterator[str]:
    names = list(dict.fromkeys(name for figures in result.sides.values() for name in figures))
    yield ""
    yield f"## {result.title}"
    yield ""
    if result.stopped_early:
        yield f"**{result.stopped_early}**"
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
    if result.way:
        yield from _the_way(result)


def _the_way(result: Result) -> Iterator[str]:
    """The points as a table, and pictures beside the page."""
    names = list(result.way[0].figures)
    for name, figures in PICTURES.items():
        yield ""
        yield f"![{'; '.join(figures)}]({picture_of(result, name).name})"
    yield ""
    yield "| events | " + " | ".join(names) + " |"
    yield "|---" * (len(names) + 1) + "|"
    for point in result.way:
        yield f"| {point.events:,} | " + " | ".join(number(point.figures[name]) for name in names) + " |"


def _bar(verdict: Verdict) -> str:
    return f"{'>=' if verdict.bar.at_least else '<='} {number(verdict.bar.limit)}"


def _came(verdict: Verdict) -> str:
    return "met" if verdict.met else f"**missed** by {verdict.missed_by:.0%}"
