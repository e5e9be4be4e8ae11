"""`sitevault retention`: how long each stage is kept, what would go, and the going."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sitevault.cli.session import Session, examples, json_option, table, yes_option
from sitevault.errors import Exit

if TYPE_CHECKING:
    # psycopg would be imported for `retention --help` as well.
    from sitevault.landing.retention import DayPartition, Due

_GIVE_UP = click.option(
    "--give-up-failed", is_flag=True,
    help="Let days go whose failed events nobody mended; they stay counted as errors and cannot be requeued.",
)  # fmt: skip


@click.group()
def retention() -> None:
    """Drop what is older than the settings `retention_*_days` say; nothing goes that is not accounted for.

    A worker does it by itself once a day. Exit codes: 0 done or nothing to do, 1 something stays that should go.
    """


@retention.command(epilog=examples("sitevault retention show", "sitevault retention show --json"))
@json_option
@click.pass_obj
def show(session: Session) -> Exit:
    """Which days each table has, how long it is kept, and whether rows fell into a default partition."""
    from sitevault.db.roles import Role
    from sitevault.landing import retention as keeping
    from sitevault.landing.partitions import TABLES

    config = session.config
    with session.database() as database, database.connect(Role.JUDGE, autocommit=True) as judge:
        there = keeping.partitions(judge)
        beside = keeping.default_rows(judge)
    data: list[dict[str, object]] = []
    for name in TABLES:
        days = [one for one in there if one.table_name == name]
        data.append(_shown(name, days, keeping.days_kept(config, name), beside.get(name, 0)))
    rows = [
        (
            one["table"], one["days_kept"] or "for ever", one["partitions"], one["first_day"] or "-",
            one["last_day"] or "-", _size(int(str(one["bytes"]))), "IN USE" if one["default_bytes"] else "empty",
        )
        for one in data
    ]  # fmt: skip
    headings = ("table", "days kept", "partitions", "first", "last", "size", "default partition")
    text = table(headings, rows)
    if beside:
        text += "\nRows are beside their partitions; sitevault retention apply brings them in."
    session.answer({"success": not beside, "tables": data}, text)
    return Exit.FINDINGS if beside else Exit.OK


def _shown(name: str, days: list[DayPartition], kept: int, default_bytes: int) -> dict[str, object]:
    return {
        "table": name,
        "days_kept": kept or None,
        "partitions": len(days),
        "first_day": days[0].day.isoformat() if days else None,
        "last_day": days[-1].day.isoformat() if days else None,
        "bytes": sum(one.bytes for one in days),
        "default_bytes": default_bytes,
    }


@retention.command(epilog=examples("sitevault retention plan", "sitevault retention plan --json"))
@_GIVE_UP
@json_option
@click.pass_obj
def plan(session: Session, give_up_failed: bool) -> Exit:
    """What `apply` would drop now, and what would stay and why. Changes nothing."""
    from sitevault.db.roles import Role
    from sitevault.landing import retention as keeping

    with session.database() as database, database.connect(Role.JUDGE, autocommit=True) as judge:
        due = keeping.plan(judge, session.config, give_up_failed=give_up_failed)
        beside = keeping.default_rows(judge)
    held = [one for one in due if one.held]
    text = "\n".join(_lines(due, beside, "drop", configured=keeping.configured(session.config)))
    data = {"plan": [one.as_dict() for one in due], "default_partitions_in_use": sorted(beside)}
    session.answer({"success": not held, **data}, text)
    return Exit.FINDINGS if held else Exit.OK


@retention.command(
    epilog=examples(
        "sitevault retention apply",
        "sitevault retention apply --dry-run",
        "sitevault retention apply --yes --json",
        "sitevault retention apply --give-up-failed",
    )
)
@click.option("--dry-run", is_flag=True, help="The same as `retention plan`.")
@_GIVE_UP
@json_option
@yes_option
@click.pass_context
def apply(context: click.Context, dry_run: bool, give_up_failed: bool) -> Exit:
    """Bring in what fell into default partitions, and drop each day that is due and that nothing keeps.

    Safe to repeat and to interrupt: each day goes in one transaction, with its account and an entry in the
    audit log. Traffic goes on meanwhile.
    """
    from sitevault.db.roles import Role
    from sitevault.landing import retention as keeping
    from sitevault.landing import retention_run

    session = context.find_object(Session)
    assert session is not None  # noqa: S101 -- main() made it
    if dry_run:
        planned: Exit = context.invoke(plan, give_up_failed=give_up_failed)
        return planned
    with session.database() as database:
        with database.connect(Role.JUDGE, autocommit=True) as judge:
            due = keeping.plan(judge, session.config, give_up_failed=give_up_failed)
            beside = keeping.default_rows(judge)
        if any(not one.held for one in due):
            session.say("\n".join(_lines(due, beside, "drop", configured=True)))
            session.confirm("Drop these days for ever?")
        done = retention_run.apply(database, session.config, give_up_failed=give_up_failed, progress=session.say)
    lines = [
        f"{rows} rows of {name} were brought into partitions of their days." for name, rows in done.moved.items()
    ]
    lines += [_held_line(one) for one in done.held]
    lines.append(f"{len(done.dropped)} partitions dropped, {len(done.held)} stay that are due.")
    session.answer({"success": not done.held, **done.as_dict()}, "\n".join(lines))
    return Exit.FINDINGS if done.held else Exit.OK


def _lines(due: list[Due], beside: dict[str, int], verb: str, *, configured: bool) -> Iterator[str]:
    for name in sorted(beside):
        yield f"move  {name}: rows of its default partition into partitions of their days"
    for one in due:
        if one.held:
            yield _held_line(one)
        else:
            where = f"{one.partition.table_name} of {one.partition.day}"
            yield f"{verb}  {where}: {one.events} rows, {_size(one.partition.bytes)}"
    if not configured:
        yield "Everything is kept for ever: no retention_*_days is set."
    elif not due and not beside:
        yield "Nothing is old enough to go."


def _held_line(one: Due) -> str:
    why = "; ".join(held.sentence for held in one.held)
    return f"stay  {one.partition.table_name} of {one.partition.day}: {why}"


def _size(size: int) -> str:
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"
