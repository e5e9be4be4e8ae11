"""`sitevault status`: the ledger, the lag, the KPIs; what is a finding, and what is not known."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sitevault.cli.session import Session, examples, json_option, table

if TYPE_CHECKING:
    # psycopg and the statistics would be imported for `status --help` as well.
    from sitevault.observe.health import Health
    from sitevault.observe.kpis import Kpi
    from sitevault.observe.ledger import Ledger

WATCH_SECONDS = 2.0
_MARKS = {"PASS": "✓", "FAIL": "✗", "INCONCLUSIVE": "?", "NO_DATA": "·"}


@click.command(
    epilog=examples(
        "sitevault status",
        "sitevault status --tenant the-one-spa --recount",
        "sitevault status --watch",
        "sitevault status --json | jq .ledger.total",
    )
    + "\n\n\bExit codes: 0 healthy, 1 findings, 3 something is unknown or inconclusive.",
)
@click.option("--tenant", "tenant_bk", metavar="ID", help="Only this tenant's events.")
@click.option(
    "--hours", type=click.FloatRange(min=0.01, max=24 * 366), default=24.0, show_default=True,
    help="The window of the KPIs and rules.",
)  # fmt: skip
@click.option("--recount", "deep", is_flag=True, help="Count every event where it is; takes as long as it takes.")
@click.option("--watch", is_flag=True, help="Show it again every two seconds, until Ctrl-C.")
@json_option
@click.pass_obj
def status(session: Session, tenant_bk: str | None, hours: float, deep: bool, watch: bool) -> int:
    """Where every event is, how long the queue is, and whether the guide's KPIs hold."""
    from sitevault.db.roles import Role
    from sitevault.observe.health import examine

    with session.database() as database, database.connect(Role.JUDGE) as judge:
        while True:
            health = examine(judge, session.config, tenant_bk=tenant_bk, hours=hours, deep=deep)
            if watch and not session.json and sys.stdout.isatty():
                click.clear()
            session.answer({"success": True, **health.as_dict()}, "\n".join(report(health)))
            if not watch:
                return health.exit_code
            time.sleep(WATCH_SECONDS)


def report(health: Health) -> Iterator[str]:
    """The whole report as lines of text."""
    yield "LEDGER  landed = pending + vaulted + duplicate + invalid + error"
    yield ledger_table(health.ledger)
    if health.recount is not None:
        yield ""
        yield "RECOUNT  every event counted where it is"
        yield ledger_table(health.recount.counted)
        if removed := health.recount.removed:
            yield f"{removed} of the landed were removed by retention: as it counted them then, not recounted now."
    yield ""
    yield from _facts(health)
    yield ""
    yield f"KPIs  the last {health.window_hours:g} h, re-derived from the events, 95 % confidence"
    yield kpi_table(health.kpis)
    yield from _list("RULES THAT FIRED", [f"{one.events:>7}  {one.code}  {one.meaning}" for one in health.rules])
    yield from _list("FINDINGS", health.findings)
    yield from _list("UNKNOWN", health.unknowns)
    if not health.findings and not health.unknowns:
        yield "\nHealthy."


def ledger_table(ledger: Ledger) -> str:
    """A ledger as people read it."""
    headings = ("tenant", "landed", "pending", "vaulted", "duplicate", "invalid", "error", "balances")
    lines = [*ledger.lines, ledger.total] if len(ledger.lines) > 1 else ledger.lines
    return table(
        headings,
        [
            (
                line.tenant_bk or f"(no tenant) {line.tenant_hk.hex()[:12]}",
                line.landed, line.pending, line.vaulted, line.duplicate, line.invalid, line.error,
                "yes" if line.balanced else f"NO: {line.difference:+d}",
            )
            for line in lines
        ],
    )  # fmt: skip


def kpi_table(kpis: tuple[Kpi, ...] | list[Kpi]) -> str:
    """The guide's table, with what the sample proves."""
    return table(
        ("metric", "target", "value", "sample", "verdict", "note"),
        [
            (kpi.name, kpi.target, kpi.shown, kpi.sample, f"{_MARKS[kpi.verdict]} {kpi.verdict}", kpi.note)
            for kpi in kpis
        ],
    )


def _facts(health: Health) -> Iterator[str]:
    waiting = "nothing is waiting" if health.pending_seconds is None else f"{_age(health.pending_seconds)}"
    yield f"Oldest pending    {waiting} (limit {health.pending_limit_seconds} s)"
    last = health.last_received_seconds
    yield f"Last event        {'none yet' if last is None else _age(last) + ' ago'}"
    load = health.last_load
    yield "Last load         " + (
        "none yet" if load is None else f"{load.events} events, {_age(load.seconds_ago)} ago, by {load.worker}"
    )
    yield f"Connected         {_services(health)}"
    yield from _list(
        "ERRORS",
        [
            f"{one.events:>7}  {one.code}{f' ({one.sqlstate})' if one.sqlstate else ''}  {one.meaning}"
            for one in health.failures
        ],
    )
    shortest = min((one.days_ahead for one in health.partitions), default=0)
    used = [one.table for one in health.partitions if one.default_in_use]
    yield f"Partitions        {shortest} days ahead; default partitions " + (
        f"in use: {', '.join(used)}" if used else "empty"
    )


def _services(health: Health) -> str:
    worker = "a worker" if health.connected.workers else "no worker"
    collector = "a collector" if health.connected.collectors else "no collector"
    return f"{collector}, {worker}"


def _list(title: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield f"\n{title}"
        yield from (f"  {line}" for line in lines)


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 0):.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
