"""`python -m bench`: measure the rows of the table of bars, on servers of its own, all stopped at the end."""

from __future__ import annotations

import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from bench import ahead, page, report
from bench.figures import HarnessError, Result
from bench.machine import Run, describe
from bench.rows import asked, batches, freshness, growth, pipeline, single, start
from bench.settings import Row, Settings
from sitevault.errors import SitevaultError

ROWS: dict[str, Row] = {
    row.name: row
    for row in (single.ROW, batches.ROW, pipeline.ROW, freshness.ROW, start.ROW, growth.ROW, asked.ROW)
}
SMOKE = Settings(rounds=1, seconds=0.25, events=2_000, exact=True)


@click.command(
    epilog="\b\nRows:\n"
    + "\n".join(f"  {name:<10} {row.title}" for name, row in ROWS.items())
    + "\n\n\b\nExamples:\n  python -m bench\n  python -m bench single pipeline --rounds 3 --seconds 3"
    "\n  python -m bench --json bench/results.json && python -m bench --page"
    "\n  python -m bench growth --events 10000000 --minutes 90 --json bench/growth.json"
    "\n  python -m bench growth --events 1000000 --home grown && python -m bench questions --home grown"
)
@click.argument("rows", nargs=-1, type=click.Choice(list(ROWS)), metavar="[ROW]...")
@click.option("--rounds", default=Settings().rounds, show_default=True, help="How often each side runs, in turn.")
@click.option("--seconds", default=Settings().seconds, show_default=True, help="How long a side runs in a round.")
@click.option("--events", default=Settings().events, show_default=True, help="How far `growth` is to get.")
@click.option("--minutes", default=Settings().minutes, show_default=True, help="How long `growth` may take.")
@click.option(
    "--home", type=click.Path(path_type=Path), help="Where `growth` keeps its database, and `questions` finds it."
)
@click.option("--json", "into", type=click.Path(path_type=Path), help="Write the results into this file.")
@click.option(
    "--ahead",
    "let_ahead",
    is_flag=True,
    help="Others are at work here: let what is measured run before them while it is measured. Needs root.",
)
@click.option("--smoke", is_flag=True, help="One short round by our own client: proves the harness only.")
@click.option(
    "--page",
    "write_page",
    is_flag=True,
    help="Measure nothing: write docs/reference/benchmarks.md from what is recorded in bench/*.json.",
)
def main(
    rows: tuple[str, ...],
    rounds: int,
    seconds: float,
    events: int,
    minutes: float,
    home: Path | None,
    into: Path | None,
    let_ahead: bool,
    smoke: bool,
    write_page: bool,
) -> None:
    """Measure Sitevault against references, interleaved on one durable PostgreSQL per row.

    All rows but `growth` when none is named. Everything runs on this machine's loopback, load generator
    included, in a temporary home (under TMPDIR) that is removed. Exit code 0 says that the figures can be
    believed, not that every bar is met.
    """
    if write_page:
        page.write(page.recorded())
        return
    if let_ahead:
        ahead.want()
    settings = SMOKE._replace(minutes=minutes) if smoke else Settings(rounds, seconds, events, minutes)
    settings = settings._replace(home=home.absolute() if home else None)
    run = Run(describe(), _command(), datetime.now(UTC).replace(microsecond=0), [], let_ahead)
    for name in dict.fromkeys(rows or (row.name for row in ROWS.values() if not row.on_its_own)):
        began = time.monotonic()
        try:
            measured = ROWS[name].measure(settings)
            for result in [measured] if isinstance(measured, Result) else measured:
                run.results.append(result)
                click.echo("\n".join(report.lines(result)))
                if into is not None:
                    # After every row: what is measured is kept, whatever becomes of the next.
                    into.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
        except (HarnessError, SitevaultError) as error:
            raise click.ClickException(f"{name}: {error}") from error
        click.echo(f"  {name}: {time.monotonic() - began:.0f} s\n")


def _command() -> str:
    return " ".join(["python -m bench", *sys.argv[1:]])


if __name__ == "__main__":
    if platform.system() != "Linux":
        raise SystemExit("The bench reads /proc; it needs Linux.")
    main()
