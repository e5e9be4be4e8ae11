"""`python -m chaos`: shoot at everything while a verified load runs, then account for every event."""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path

import click
import msgspec
from bench.figures import HarnessError

from chaos import page, report
from chaos.faults import ALL
from chaos.results import Run
from chaos.run import run
from chaos.soak.results import Soak
from chaos.soak.run import soak
from sitevault.errors import Exit, SitevaultError

_EPILOG = (
    "\b\nFaults:\n"
    + "\n".join(f"  {fault.name:<20} {fault.about}" for fault in ALL.values())
    + "\n\n\b\nExamples:\n  python -m chaos\n  python -m chaos --kills 10 --minutes 2\n  python -m chaos --seed 7"
    "\n  python -m chaos --fault 'disk full' --kills 1 --minutes 1"
    "\n  python -m chaos --kills 100 --minutes 22 --json chaos/results.json && python -m chaos page"
)


@click.group(invoke_without_command=True, epilog=_EPILOG)
@click.option("--kills", default=100, show_default=True, type=click.IntRange(1, 1000), help="How many kill -9.")
@click.option(
    "--minutes", default=22.0, show_default=True, type=click.FloatRange(0.1, 120), help="For the faults."
)
@click.option(
    "--rate", default=400.0, show_default=True, type=click.FloatRange(1, 5000), help="Events per second."
)
@click.option("--seed", type=int, help="Repeat the schedule and the traffic of an earlier run.")
@click.option(
    "--fault", "kinds", multiple=True, type=click.Choice(list(ALL)), help="Only this kind; may be repeated. [all]"
)
@click.option("--json", "into", type=click.Path(path_type=Path), help="Write the results into this file.")
@click.pass_context
def main(
    context: click.Context,
    kills: int,
    minutes: float,
    rate: float,
    seed: int | None,
    kinds: tuple[str, ...],
    into: Path | None,
) -> None:
    """Kill, cut, lock, fill and turn back while events come in; then find every event that was answered 200.

    Every kind of fault is made at least once, then as the seed draws, until there were so many kill -9. Takes the
    minutes, and one to three more for draining and counting. Everything runs on this machine's loopback, in a
    temporary home (under TMPDIR) that is removed. Exit code 0: nothing lost, nothing doubled, nothing stuck, and
    all kills made; 1: something was; 3: fewer kills than asked for.
    """
    if context.invoked_subcommand is not None:
        return
    seed = time.time_ns() % 1_000_000 if seed is None else seed
    try:
        done = run(seed, kills, minutes, rate, _command(), click.echo, kinds or tuple(ALL))
    except (HarnessError, SitevaultError) as error:
        raise click.ClickException(str(error)) from error
    if into is not None:
        into.write_bytes(msgspec.json.format(msgspec.json.encode(done), indent=1) + b"\n")
    click.echo("\n".join(report.lines(done)))
    sys.exit(Exit.FINDINGS if not done.sound else Exit.UNKNOWN if not done.complete else Exit.OK)


@main.command(
    "soak", epilog="\b\nExamples:\n  python -m chaos soak\n  python -m chaos soak --minutes 30 --rate 1500"
)
@click.option("--minutes", default=30.0, show_default=True, type=click.FloatRange(0.1, 600), help="How long.")
@click.option("--rate", type=click.FloatRange(10), help="Events per second. [default: half of what it holds]")
@click.option(
    "--every", default=5.0, show_default=True, type=click.FloatRange(0.2), help="Seconds between samples."
)
@click.option("--json", "into", type=click.Path(path_type=Path), help="Write the results into this file.")
def soak_command(minutes: float, rate: float | None, every: float, into: Path | None) -> None:
    """Load a collector and a worker steadily, and see whether anything but data grows.

    Memory, connections, file handles, dead rows, bloat of tables and catalog, freshness. Exit code 0: all flat;
    1: something grows; 3: undecided.
    """
    try:
        done = soak(minutes, rate, every, _command(), click.echo)
    except (HarnessError, SitevaultError) as error:
        raise click.ClickException(str(error)) from error
    if into is not None:
        into.write_bytes(msgspec.json.encode(done) + b"\n")
    for trend in done.trends:
        click.echo(
            f"  {trend.verdict:<10} {trend.name:<26} {trend.median:12,.2f}"
            f"  {trend.slope:+,.2f}/h ({trend.low:+,.2f} to {trend.high:+,.2f}; limit {trend.limit:,.2f})"
        )
    verdicts = {trend.verdict for trend in done.trends}
    sys.exit(Exit.FINDINGS if "GROWS" in verdicts else Exit.OK if verdicts == {"flat"} else Exit.UNKNOWN)


@main.command("page")
def page_command() -> None:
    """Measure nothing: write docs/reference/chaos.md from chaos/results.json and chaos/soak.json."""
    run_results = msgspec.json.decode(page.RESULTS.read_bytes(), type=Run)
    soaked = msgspec.json.decode(page.SOAK_RESULTS.read_bytes(), type=Soak) if page.SOAK_RESULTS.exists() else None
    page.write(run_results, soaked)


def _command() -> str:
    return " ".join(["python -m chaos", *sys.argv[1:]])


if __name__ == "__main__":
    if platform.system() != "Linux":
        raise SystemExit("The chaos suite reads /proc; it needs Linux.")
    main()
