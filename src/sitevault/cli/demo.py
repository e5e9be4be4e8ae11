"""`sitevault demo`: made-up tenants, real traffic, and where every event of it went."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from sitevault.cli.demo_incident import incident
from sitevault.cli.demo_release import release
from sitevault.cli.session import Session, examples, json_option, table, yes_option

if TYPE_CHECKING:
    from sitevault.demo.run import Demonstration
    from sitevault.supervisor.child import Tree


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "sitevault demo",
        "sitevault demo --once",
        "sitevault demo --once --events 20000 --seed 7",
        "sitevault demo incident",
        "sitevault demo release",
    )
    + "\n\n\bExit codes: 0 the KPIs hold and everything sent is accounted for, 1 not so.",
)
@click.option("--once", is_flag=True, help="End after the report, instead of staying up.")
@click.option(
    "--events", type=click.IntRange(500, 1_000_000), default=5000, show_default=True, help="How many to send."
)
@click.option("--seed", type=click.IntRange(min=0), help="Default: a new one. The same on the same day repeats.")
@json_option
@yes_option
@click.pass_context
def demo(context: click.Context, once: bool, events: int, seed: int | None) -> int | None:
    """Five tenants, a day of realistic traffic over real HTTP, then the guide's KPI table from their data.

    Tenants are made once and reused. Each run's events are new, unless --seed repeats an earlier run of the
    same day: then they are duplicates, and are reported as such. The data stays for `sitevault up`.
    """
    if context.invoked_subcommand is not None:
        return None
    session = context.find_object(Session)
    if session is None:
        raise RuntimeError("the command line made no session")
    from sitevault.demo.run import demonstrate
    from sitevault.supervisor import services

    if session.config.database_url:
        session.confirm("This writes made-up events of five tenants into the database of DATABASE_URL. Go on?")
    settings = {"port": "0"} if once else {}
    with (
        session.database() as database,
        services.running(session.config, session.config_path, **settings) as (tree, url),
    ):
        session.say(f"A collector listens on {url}, a worker is at work. Sending {events} events ...")
        with _progress(session, events) as heard:
            shown = demonstrate(database, session.config, url, seed=seed, events=events, heard=heard)
        session.answer(as_dict(shown), "\n".join(report(shown, once=once, url=url)))
        if not once:
            _stay(session, tree, url)
    return shown.exit_code


demo.add_command(incident)
demo.add_command(release)


def report(shown: Demonstration, *, once: bool, url: str) -> Iterator[str]:
    """The whole report as lines of text."""
    from sitevault.cli.status import kpi_table, ledger_table
    from sitevault.cli.trace import describe

    rate = shown.events / shown.seconds_sending
    yield (
        f"Sent {shown.events} events in {shown.seconds_sending:.1f} s ({rate:.0f}/s); everything was loaded "
        f"{shown.seconds_settling:.1f} s later. Seed {shown.seed}."
    )
    yield "\nTHIS RUN  what was answered, and where it is"
    yield table(
        ("tenant", "answered 200", "refused", "landed", "vaulted", "duplicate", "invalid", "error", "exact"),
        [
            (
                one.tenant_bk, one.answered, one.refused, one.found.landed, one.found.vaulted,
                one.found.duplicate, one.found.invalid, one.found.error, "yes" if one.exact else "NO",
            )
            for one in shown.accounts
        ],
    )  # fmt: skip
    repeated = sum(one.repeated for one in shown.accounts)
    if repeated:
        yield f"{repeated} of them had been sent before with the same seed: recognised as duplicates."
    yield "\nTHE GUIDE'S FIVE EVENTS of The ONE Spa"
    guided = shown.guided
    yield (
        f"{guided.processed} of {guided.sent} processed, {guided.valid} VALID, {guided.enriched} ENRICHED, "
        f"{guided.right_tenant} under the tenant of their key"
    )
    yield "\nKPIs  of this run, re-derived from the events, 95 % confidence"
    yield kpi_table(shown.kpis)
    yield "\nLEDGER  landed = pending + vaulted + duplicate + invalid + error" + (
        "; every event recounted: confirmed" if shown.confirmed else "; THE RECOUNT DISAGREES"
    )
    yield ledger_table(shown.book)
    if shown.guided.journeys:
        yield "\nONE TRACE  the guide's first event"
        yield from describe(shown.guided.journeys[0])
    yield from _marts(shown)
    if shown.failures:
        yield "\nNOT AS IT MUST BE"
        yield from (f"  {failure}" for failure in shown.failures)
    yield "\nNEXT"
    if once:
        yield "  sitevault up                 # or: make up; prints a ready curl"
    else:
        yield f"  {url} is up until Ctrl-C; in another terminal:"
    yield "  sitevault status"
    if shown.guided.journeys:
        yield f"  sitevault trace {shown.guided.journeys[0].event_id}"
    yield '  psql "$(sitevault url --role reader --tenant the-one-spa)"'


def as_dict(shown: Demonstration) -> dict[str, object]:
    """The report for --json."""
    return {
        "success": not shown.failures,
        "failures": shown.failures,
        "seed": shown.seed,
        "events": shown.events,
        "accounts": [
            {
                "tenant": one.tenant_bk,
                "answered": one.answered,
                "refused": one.refused,
                "found": one.found.as_dict(),
                "expected": asdict(one.expected),
                "repeated": one.repeated,
                "exact": one.exact,
            }
            for one in shown.accounts
        ],
        "kpis": [kpi.as_dict() for kpi in shown.kpis],
        "ledger": shown.book.as_dict(),
        "recount_confirmed": shown.confirmed,
        "guide": {
            name: getattr(shown.guided, name)
            for name in ("sent", "processed", "valid", "enriched", "right_tenant")
        },
    }


def _marts(shown: Demonstration) -> Iterator[str]:
    marts = shown.marts
    yield f"\nMARTS  of {marts.tenant_bk}"
    yield table(("page", "views"), marts.pages)
    yield ""
    yield table(
        ("channel", "source", "sessions"), [(one or "-", other or "-", n) for one, other, n in marts.sources]
    )
    yield ""
    yield table(("funnel step", "event type", "sessions"), marts.funnel)


def _stay(session: Session, tree: Tree, url: str) -> None:
    session.say(f"\n{url} stays up. Ctrl-C stops everything.")
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            for news in tree.tend():
                session.say(news)
            time.sleep(0.5)


@contextlib.contextmanager
def _progress(session: Session, events: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, silence elsewhere."""
    if session.json or not sys.stderr.isatty():
        yield lambda answered: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sending", total=events)
        yield lambda answered: bar.advance(task, answered)
