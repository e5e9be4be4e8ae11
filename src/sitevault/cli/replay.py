"""`sitevault replay`: fix and run again; rebuild; enrich anew."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from sitevault.cli.session import Session, at, examples, json_option, table, yes_option
from sitevault.errors import Exit, UsageError

if TYPE_CHECKING:
    from sitevault.replay.book import Replay
    from sitevault.replay.rehearse import Rehearsal, Shown
    from sitevault.replay.selection import Selection
    from sitevault.staging.patch import PatchStep

STATUSES = ("ERROR", "INVALID", "PENDING", "PROCESSED", "VAULTED", "DUPLICATE")
_SHOWN = 20


def _remember_step(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> None:
    """--set, --move and --remove in the order in which they were typed."""
    context.meta.setdefault("patch", []).extend((parameter.name, value) for value in values)


def _step(name: str, metavar: str, about: str) -> Callable[[Any], Any]:
    return click.option(
        name, metavar=metavar, multiple=True, expose_value=False, callback=_remember_step, help=about
    )


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "sitevault replay --status ERROR --dry-run",
        "sitevault replay --reason-code load.rejected_by_database --yes",
        "sitevault replay --tenant the-one-spa --status INVALID --move evt=event_type --reason 'shop 4.1' --yes",
        "sitevault replay --resume 12",
        "sitevault replay --rebuild vault --tenant the-one-spa",
        "sitevault replay --enrich bot --dry-run",
        "sitevault replay --database postgresql://owner@db.example/tracking --dry-run",
        "sitevault replay list",
    )
    + "\n\n\bExit codes: 0 done, 1 events ended in ERROR, or stopped (it can be resumed), 2 nothing selected.",
)
@click.option("--id", "ids", multiple=True, metavar="ID", help="An event_id or a raw_event_id; repeatable.")
@click.option("--tenant", "tenant_bk", metavar="ID", help="Only this tenant's events.")
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="Where the events are now.")
@click.option("--reason-code", "reasons", multiple=True, metavar="CODE", help="A reason noted on the event.")
@click.option("--sqlstate", "sqlstates", multiple=True, metavar="CODE", help="What the database refused it with.")
@click.option("--load", "loads", multiple=True, type=int, metavar="ID", help="The load that carried it.")
@click.option("--received-from", metavar="TIME", help="Received at or after this.")
@click.option("--received-to", metavar="TIME", help="Received before this.")
@click.option("--occurred-from", metavar="TIME", help="Happened at or after this, as staging understood it.")
@click.option("--occurred-to", metavar="TIME", help="Happened before this.")
@_step("--set", "PATH=JSON", "Set a field before staging; what is not JSON is text.")
@_step("--move", "FROM=TO", "Move a field before staging.")
@_step("--remove", "PATH", "Remove a field before staging.")
@click.option("--reason", help="Why; recorded. A patch needs one.")
@click.option("--dry-run", is_flag=True, help="Do it, show it, roll it back.")
@click.option("--show", type=click.IntRange(1, 100_000), help="Events a dry run carries at most [default: 1000].")
@click.option("--show-personal", is_flag=True, help="Show personal values in a dry run; the audit log records it.")
@click.option("--batch", type=click.IntRange(1, 20_000), default=1000, show_default=True, help="Events at a time.")
@click.option("--rate", type=click.FloatRange(min=0.01), metavar="N", help="Events per second at most.")
@click.option(
    "--rebuild",
    "level",
    type=click.Choice(("staging", "vault", "marts")),
    help="Rebuild this beside the live tables, from raw (marts: from the vault), and compare.",
)
@click.option("--accept-differences", is_flag=True, help="After a rebuild: change the rows that differ.")
@click.option(
    "--enrich",
    "enrichment",
    type=click.Choice(("bot", "geo", "referrer", "user_agent")),
    help="Derive this anew of events in the vault, with the data of now; what differs goes beside them.",
)
@click.option(
    "--while-paused", is_flag=True, help="Also while a release pauses the workers; else it is refused (exit 6)."
)
@click.option("--resume", type=int, metavar="REPLAY", help="Go on with a replay that stopped.")
@click.option(
    "--database", "url", metavar="URL", help="A foreign database of the guide's shape: its stuck events."
)
@click.option("--through", metavar="FUNCTION", help="With --database: its function that carries an event.")
@yes_option
@json_option
@click.pass_context
def replay(context: click.Context, /, **options: Any) -> int | None:
    """Carry events through the pipeline again, as often as you like: nothing is ever there twice.

    Events in ERROR and INVALID (and PENDING ones) are staged and loaded anew, with the mapping, schemas and
    enrichment of now. What is in the vault stays as it is.
    """
    if context.invoked_subcommand is not None:
        return None
    session = context.find_object(Session)
    if session is None:
        raise RuntimeError("the command line made no session")
    if options["url"] is not None:
        from sitevault.cli.replay_foreign import replay_foreign

        return replay_foreign(session, context)
    if options["through"] is not None:
        raise UsageError("--through names a function of a foreign database.", fix="Add --database URL.")
    if options["resume"] is not None:
        return _resume(session, options)
    if options["enrichment"] is not None:
        return _enrich(session, options)
    if options["level"] is not None:
        return _rebuild(session, options)
    selection = _selection(session, options)
    steps = _steps(context.meta.get("patch", []))
    if options["dry_run"]:
        return _rehearse(session, selection, steps, options)
    return _start(session, selection, steps, options)


@replay.command(name="list", epilog=examples("sitevault replay list", "sitevault replay list --json"))
@click.option("--most", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@json_option
@click.pass_obj
def list_(session: Session, most: int) -> None:
    """The newest replays: what they were asked, how far they got."""
    from sitevault.db.roles import Role
    from sitevault.replay import book

    with session.database() as database, database.connect(Role.JUDGE, autocommit=True) as judge:
        found, held = book.newest(judge, most), book.held(judge)
    session.answer(
        {"success": True, "replays": [_as_dict(one, held) for one in found]},
        table(
            ("replay", "kind", "state", "started", "selected", *_PLACES, "by", "reason"),
            (
                (
                    one.replay_id, one.kind, _state(one, held), at(one.started_at), one.selected,
                    *(getattr(one, place) for place in _PLACES), one.actor, one.reason or "",
                )
                for one in found
            ),
        ),
    )  # fmt: skip


@replay.command(epilog=examples("sitevault replay show 12"))
@click.argument("replay_id", metavar="REPLAY", type=int)
@json_option
@click.pass_obj
def show(session: Session, replay_id: int) -> None:
    """One replay: its selection, its patch, and from where to where its events went."""
    from sitevault.db.roles import Role
    from sitevault.replay import book

    with session.database() as database, database.connect(Role.JUDGE, autocommit=True) as judge:
        found, held = book.read(judge, replay_id), book.held(judge)
        moves = book.moves(judge, replay_id)
    session.answer(
        {
            "success": True,
            **_as_dict(found, held),
            "moves": [{"was": was, "became": became, "events": events} for was, became, events in moves],
        },
        "\n".join(_describe(found, held, moves)),
    )


_PLACES = ("vaulted", "duplicate", "invalid", "error", "unchanged")


def _selection(session: Session, options: dict[str, Any]) -> Selection:
    from sitevault.replay.run import refuse_everything
    from sitevault.replay.selection import Selection, moment

    tenant_hk = _tenant(session, options["tenant_bk"])
    times: dict[str, Any] = {
        name: moment(options[name], f"--{name.replace('_', '-')}")
        for name in ("received_from", "received_to", "occurred_from", "occurred_to")
    }
    given = {name: options[name] for name in ("ids", "statuses", "reasons", "sqlstates", "loads")}
    selection = Selection(tenant_hk=tenant_hk, **(given | times))
    refuse_everything(selection)
    selection.parameters()
    return selection


def _steps(typed: list[tuple[str, str]]) -> list[PatchStep]:
    from sitevault.staging.patch import move_field, remove_field, set_field

    read = {"set": set_field, "move": move_field, "remove": remove_field}
    try:
        return [read[name](value) for name, value in typed]
    except ValueError as error:
        raise UsageError(
            f"{error}.", fix="For example --set event_type='\"page_view\"' or --move evt=event_type."
        ) from None


def _start(session: Session, selection: Selection, steps: list[PatchStep], options: dict[str, Any]) -> int:
    from sitevault.db.roles import Role
    from sitevault.replay import book, run

    if steps and not options["reason"]:
        raise UsageError("A patch is recorded with its reason.", fix="Say why: add --reason '…'.")
    with session.database() as database:
        with database.connect(Role.WORKER, autocommit=True) as conn:
            counts = book.count(conn, selection)
        session.say(f"Selected: {_counts(counts) or 'no event'}.")
        if counts:
            session.confirm(f"Replay {sum(counts.values())} events?")
        with _progress(session) as heard:
            done = run.start(
                database, session.config, selection, steps=steps, reason=options["reason"],
                batch=options["batch"], rate=options["rate"], while_paused=options["while_paused"], heard=heard,
            )  # fmt: skip
    return _answer(session, done)


def _resume(session: Session, options: dict[str, Any]) -> int:
    from sitevault.replay import run

    with session.database() as database, _progress(session) as heard:
        done = run.resume(
            database, session.config, options["resume"],
            batch=options["batch"], rate=options["rate"], while_paused=options["while_paused"], heard=heard,
        )  # fmt: skip
    return _answer(session, done)


def _rebuild(session: Session, options: dict[str, Any]) -> int:
    from sitevault.replay.rebuild import rebuild

    if options["accept_differences"] and not options["dry_run"]:
        session.confirm(f"Rebuild the {options['level']} and change what differs?")
    tenant_hk = _tenant(session, options["tenant_bk"])
    with session.database() as database:
        found = rebuild(
            database, session.config, options["level"], tenant_hk=tenant_hk,
            accept_differences=options["accept_differences"] and not options["dry_run"], reason=options["reason"],
            while_paused=options["while_paused"],
            heard=lambda tenant, events: session.say(f"{tenant}: {events} events rebuilt"),
        )  # fmt: skip
    result = found.as_dict()
    unsolved = found.differs and not found.swapped
    lines = [f"Replay {found.replay_id}: the {found.level} rebuilt, {result['events']} events."]
    for tenant, tables in result["tenants"].items():
        lines.append(f"  {tenant}")
        for name, kinds in tables.items():
            lines.append(f"    {name}: " + ", ".join(f"{rows} {kind}" for kind, rows in kinds.items()))
    if result["identical"]:
        lines.append("Identical: nothing to change.")
    elif found.swapped:
        lines.append("The rows that were missing, extra or changed are now what was rebuilt.")
    elif unsolved:
        lines.append("Nothing was changed. To change these rows: the same with --accept-differences.")
    session.answer({"success": not unsolved, "replay_id": found.replay_id, **result}, "\n".join(lines))
    return Exit.FINDINGS if unsolved else Exit.OK


def _enrich(session: Session, options: dict[str, Any]) -> int:
    from sitevault.replay.enrich import enrich

    if not options["dry_run"]:
        session.confirm(f"Enrich the past anew ({options['enrichment']})?")
    tenant_hk = _tenant(session, options["tenant_bk"])
    with session.database() as database:
        done = enrich(
            database, session.config, options["enrichment"], tenant_hk=tenant_hk, dry_run=options["dry_run"],
            reason=options["reason"], while_paused=options["while_paused"],
            heard=lambda tenant, events: session.say(f"{tenant}: {events} events"),
        )  # fmt: skip
    result = done.as_dict()
    lines = [f"{done.looked_at} events looked at, {done.changed} differ."]
    lines += [f"{one['events']:>9}  {one['column']}: {one['old']} → {one['new']}" for one in result["values"][:50]]
    if options["dry_run"]:
        lines.append("Nothing was changed.")
    session.answer({"success": True, "replay_id": done.replay_id, **result}, "\n".join(lines))
    return Exit.OK


def _tenant(session: Session, tenant_bk: str | None) -> bytes | None:
    from sitevault.db.roles import Role
    from sitevault.tenancy.tenants import find_tenant

    if tenant_bk is None:
        return None
    with session.database() as database, database.connect(Role.JUDGE) as judge:
        return find_tenant(judge, tenant_bk).tenant_hk


def _answer(session: Session, done: Replay) -> int:
    session.answer({"success": done.error == 0, **_as_dict(done, set())}, "\n".join(_describe(done, set(), [])))
    return Exit.FINDINGS if done.error else Exit.OK


def _rehearse(session: Session, selection: Selection, steps: list[PatchStep], options: dict[str, Any]) -> int:
    from sitevault.db.roles import Role
    from sitevault.hashkeys import tenant_key
    from sitevault.replay.rehearse import MOST, rehearse
    from sitevault.tenancy.audit_log import record_personal_read

    with session.database() as database:
        rehearsal = rehearse(
            database, session.config, selection, steps=steps, most=options["show"] or MOST,
            show_personal=options["show_personal"],
        )  # fmt: skip
        if options["show_personal"]:
            with database.connect(Role.MIGRATOR, autocommit=True) as conn:
                for one in rehearsal.shown:
                    record_personal_read(conn, tenant_key(one.tenant), one.event_id)
    session.answer(
        {
            "success": True,
            "selected": rehearsal.selected,
            "outcomes": rehearsal.outcomes(),
            "events": [dataclasses.asdict(one) for one in rehearsal.shown],
        },
        "\n".join(_shown(rehearsal)),
    )
    return Exit.OK


def _shown(rehearsal: Rehearsal) -> Iterator[str]:
    yield f"Selected: {_counts(rehearsal.selected) or 'no event'}."
    for one in rehearsal.shown[:_SHOWN]:
        yield ""
        yield from _event(one)
    if len(rehearsal.shown) > _SHOWN:
        yield f"\n... and {len(rehearsal.shown) - _SHOWN} more, of which --json shows each."
        yield from _most_changed(rehearsal)
    left = sum(rehearsal.selected.values()) - len(rehearsal.shown)
    if left > 0:
        yield f"\n{left} more were not tried; --show N tries more."
    yield f"\nWould end: {_counts(rehearsal.outcomes()) or 'nowhere'}. Nothing was changed."


def _event(one: Shown) -> Iterator[str]:
    yield f"{one.event_id} of {one.tenant} (raw event {one.raw_event_id}): {one.was} → {one.ends}"
    yield from (f"    {why}" for why in one.why)
    yield from (f"    {name:<18}{old!s} → {new!s}" for name, (old, new) in one.changes.items())


def _most_changed(rehearsal: Rehearsal) -> Iterator[str]:
    columns: dict[str, int] = {}
    for one in rehearsal.shown:
        for name in one.changes:
            columns[name] = columns.get(name, 0) + 1
    for name, events in sorted(columns.items(), key=lambda item: (-item[1], item[0])):
        yield f"{events:>7}  {name}"


def _describe(one: Replay, held: set[int], moves: list[tuple[str, str | None, int]]) -> Iterator[str]:
    yield f"Replay {one.replay_id} ({one.kind}): {_state(one, held)}" + (
        f", {one.last_error}" if one.last_error else ""
    )
    yield f"  by {one.actor}, {at(one.started_at)}" + (f": {one.reason}" if one.reason else "")
    if one.selection:
        yield "  selection  " + ", ".join(f"{name} {value}" for name, value in one.selection.items())
    for step in one.patch:
        yield f"  patch      {step['op']} {step['path']}" + (f" to {step['to']}" if step.get("to") else "")
    yield (
        f"  ledger     {one.selected} selected = "
        + " + ".join(f"{getattr(one, place)} {place}" for place in _PLACES)
        + ("" if one.balanced else f" + {one.selected - one.reached} not reached")
    )
    yield from (f"  {events:>9}  {was} → {became or '(not reached)'}" for was, became, events in moves)
    if one.state != "DONE" and one.kind == "events":
        yield f"\n  sitevault replay --resume {one.replay_id}"


def _state(one: Replay, held: set[int]) -> str:
    return "INTERRUPTED" if one.state == "RUNNING" and one.replay_id not in held else one.state


def _as_dict(one: Replay, held: set[int]) -> dict[str, Any]:
    # A patch's values are parts of payloads; which fields it changed is enough here.
    patch = [{name: step[name] for name in ("op", "path", "to") if name in step} for step in one.patch]
    return dataclasses.asdict(one) | {"state": _state(one, held), "patch": patch, "balanced": one.balanced}


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{events} {name}" for name, events in counts.items() if events)


@contextlib.contextmanager
def _progress(session: Session) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error where somebody watches."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if session.json or not console.is_terminal:
        yield lambda reached, selected: None
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("replayed", total=None)
        yield lambda reached, selected: bar.update(task, completed=reached, total=selected)
