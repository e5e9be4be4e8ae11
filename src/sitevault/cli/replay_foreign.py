"""`sitevault replay --database`: the stuck events of a foreign database, through its own function."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from sitevault.cli.session import Session, table
from sitevault.errors import Exit, UsageError

if TYPE_CHECKING:
    from sitevault.replay.foreign import Replayed, Selection

_FITTING = {"url", "through", "ids", "tenant_bk", "statuses", "dry_run", "while_paused"}
_SHOWN = 100


def replay_foreign(session: Session, context: click.Context) -> int:
    """Run the selected stuck events through the function that carries them. Exit 0 where all are processed."""
    from sitevault.doctor.connection import foreign as conninfo_of
    from sitevault.replay import foreign

    options = context.params
    _refuse_others(context)
    selection = _selection(options)
    with foreign.opened(conninfo_of(options["url"])) as conn:
        through = foreign.choose(conn, options["through"])
        events = foreign.select(conn, selection)
        session.say(f"{len(events)} stuck events, through {through.identity}")
        if events and not options["dry_run"]:
            session.confirm(f"Replay {len(events)} events of {conn.info.dbname}?")
        with _progress(session) as heard:
            done = foreign.replay(
                conn,
                through,
                events,
                dry_run=options["dry_run"],
                while_paused=options["while_paused"],
                heard=heard,
            )
    session.answer(as_dict(done), "\n".join(text(done)))
    return Exit.OK if done.complete else Exit.FINDINGS


def as_dict(done: Replayed) -> dict[str, Any]:
    """The whole replay for --json."""
    return {
        "success": done.complete,
        "through": done.through,
        "dry_run": done.dry_run,
        "outcomes": done.outcomes,
        "events": [one._asdict() for one in done.events],
    }


def text(done: Replayed) -> Iterator[str]:
    """Each event with its outcome, then how many of each."""
    rows = [(one.raw_event_id, one.tenant or "-", one.was, one.became, one.why) for one in done.events]
    if rows:
        yield table(("event", "tenant", "was", "would be" if done.dry_run else "is", "why"), rows[:_SHOWN])
    if len(rows) > _SHOWN:
        yield f"... and {len(rows) - _SHOWN} more, of which --json shows each."
    counts = ", ".join(f"{count} {outcome}" for outcome, count in done.outcomes.items()) or "no event was stuck"
    yield f"{'Would end' if done.dry_run else 'Ended'}: {counts}." + (
        " Nothing was changed; sequences may have moved on." if done.dry_run and rows else ""
    )


def _selection(options: dict[str, Any]) -> Selection:
    from sitevault.replay.foreign import STUCK, Selection

    wrong = [one for one in options["statuses"] if one not in STUCK]
    if wrong:
        raise UsageError(f"Only stuck events are replayed in a foreign database: {' or '.join(STUCK)}.")
    if bad := [one for one in options["ids"] if not one.isdecimal()]:
        raise UsageError(f"{bad[0]} is no raw_event_id.", fix="Events of a foreign database go by their number.")
    return Selection(options["statuses"] or STUCK, tuple(map(int, options["ids"])), options["tenant_bk"])


def _refuse_others(context: click.Context) -> None:
    """What only Sitevault's own pipeline can do is refused, not ignored."""
    typed = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name
        and parameter.name in context.params
        and parameter.name not in _FITTING
        and context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
    ]
    typed += [f"--{name}" for name, _ in context.meta.get("patch", [])]
    if typed:
        raise UsageError(
            f"{', '.join(typed)} and --database do not go together.",
            fix="With --database: --id, --tenant, --status PENDING|ERROR, --through, --dry-run, --while-paused.",
        )


@contextlib.contextmanager
def _progress(session: Session) -> Iterator[Callable[[int, int], None]]:
    if session.json or not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replayed", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
