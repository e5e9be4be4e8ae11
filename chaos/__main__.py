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
from sitevault.errors import Exit, SitevaultError

_EPILOG = (
    "\b\nFaults:\n"
    + "\n".join(f"  {fault.name:<20} {fault.about}" for fault in ALL.values())
    + "\n\n\b\nExamples:\n  python -m chaos\n  python -m chaos --kills 10 --minutes 2\n  python -m chaos --seed 7"
    "\n  python -m chaos --kills 100 --minutes 22 --json chaos/results.json && python -m chaos page"
)


@click.group(invoke_without_command=True, epilog=_EPILOG)
@click.option("--kills", default=100, show_default=True, type=click.IntRange(1, 1000), help="How many kill -9.")
@click.option("--minutes", default=22.0, show_default=True, type=click.FloatRange(0.1, 120), help="For the faults.")
@click.option("--rate", default=400.0, show_default=True, type=click.FloatRange(1, 5000), help="Events per second.")
@click.option("--seed", type=int, help="Repeat the schedule and the traffic of an earlier run.")
@click.option("--json", "into", type=click.Path(path_type=Path), help="Write the results into this file.")
@click.pass_context
def main(context: click.Context, kills: int, minutes: float, rate: float, seed: int | None, into: Path | None) -> None:
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
        done = run(seed, kills, minutes, rate, _command(), click.echo)
    except (HarnessError, SitevaultError) as error:
        raise click.ClickException(str(error)) from error
    if into is not None:
        into.write_bytes(msgspec.json.format(msgspec.json.encode(done), indent=1) + b"\n")
    click.echo("\n".join(report.lines(done)))
    sys.exit(Exit.FINDINGS if not done.sound else Exit.UNKNOWN if not done.complete else Exit.OK)


def _command() -> str:
    return " ".join(["python -m chaos", *sys.argv[1:]])


if __name__ == "__main__":
    if platform.system() != "Linux":
        raise SystemExit("The chaos suite reads /proc; it needs Linux.")
    main()
