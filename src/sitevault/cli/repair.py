"""`sitevault repair`: mend what the doctor found, by a plan that is carried out exactly and can be undone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sitevault.cli.session import Session, at, examples, json_option, table, yes_option

if TYPE_CHECKING:
    from sitevault.repair.model import Action, Plan
    from sitevault.repair.run import Done
    from sitevault.repair.session import Opened

_STEPS_SHOWN = 6

database_option = click.option(
    "--database",
    "url",
    metavar="URL",
    help="A foreign database of the guide's shape, instead of the configured one.",
)


@click.group()
def repair() -> None:
    """Mend what `sitevault doctor` found: plan, look, apply; and undo, exactly."""


class Assignment(click.ParamType[tuple[int, str]]):
    """EVENT=TENANT."""

    name = "event=tenant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, str]:
        event, _, tenant = str(value).partition("=")
        if not event.isdigit() or not tenant:
            self.fail(f"{value} is not RAW_EVENT_ID=TENANT_ID, like 7=the-one-spa.", param, ctx)
        return int(event), tenant


@repair.command(
    epilog=examples(
        "sitevault repair plan",
        "sitevault repair plan tenancy.provenance queue.errors --out fix.json",
        "sitevault repair plan --function fixed.sql --database postgresql://owner@db.example/tracking",
        "sitevault repair plan --assign 7=the-one-spa --reason 'the customer confirmed it, ticket 812'",
    )
)
@click.argument("checks", nargs=-1, metavar="[ID]...")
@click.option(
    "--out", type=click.Path(path_type=Path), default="repair.json", show_default=True, help="The plan file."
)
@click.option(
    "--function",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Corrected functions, as a file of SQL: compared with what is there on real events.",
)
@click.option(
    "--assign", multiple=True, type=Assignment(), help="Give an event to a tenant, where nothing proves it."
)
@click.option("--reason", default="", help="Why, for what is assigned by hand; recorded.")
@database_option
@json_option
@click.pass_obj
def plan(
    session: Session,
    /,
    checks: tuple[str, ...],
    out: Path,
    files: tuple[Path, ...],
    assign: Any,
    reason: str,
    url: Any,
) -> int:
    """Write a plan for the findings of these checks (of all, when none is named). Changes nothing.

    Every repair is tried, with its way back, in a transaction that is rolled back. Exit 0 with a plan, 1 when
    some finding is left without a repair, and it is named.
    """
    from sitevault.repair import model
    from sitevault.repair.plan import Asked, propose

    texts = tuple((file.name, file.read_text("utf-8")) for file in files)
    with _opened(session, url) as opened:
        made = propose(opened, Asked(checks, texts, dict(assign), reason), session.say)
    if made.actions:
        model.write(made, out)
    target = " --database URL" if url else ""  # which may hold a password
    then = (
        f"The plan is in {out}. To carry it out: sitevault repair apply {out}{target}"
        if made.actions
        else "There is nothing to repair."
    )
    session.answer(_plan_data(made, out if made.actions else None), "\n".join([*_plan_text(made), then]))
    return 1 if made.not_mended else 0


@repair.command(epilog=examples("sitevault repair show repair.json"))
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def show(session: Session, file: Path) -> int:
    """Show everything a plan will do: every statement and every row."""
    from sitevault.repair import model

    made = model.read(file)
    session.answer(_plan_data(made, file), "\n".join(_plan_text(made, everything=True)))
    return 0


@repair.command(epilog=examples("sitevault repair apply repair.json", "sitevault repair apply repair.json --yes"))
@click.argument("file", type=click.Path(path_type=Path))
@database_option
@yes_option
@json_option
@click.pass_obj
def apply(session: Session, file: Path, url: str | None) -> int:
    """Carry a plan out, all of it or nothing, if the database still is what it was made for.

    It is rehearsed on the spot with its way back; what every object and row was before is kept. Exit 4 when it
    failed and nothing was changed, 6 when the database or the file is not what it was.
    """
    from sitevault.repair import model, run
    from sitevault.tenancy.audit_log import acting

    made = model.read(file)
    with _opened(session, url) as opened:
        session.say("\n".join(_plan_text(made)))
        session.confirm(f"Carry out {len(made.steps)} steps on {made.database.name}?")
        done = run.apply(opened.ground, made, acting())
    _report(session, done, "Done", f"To take it back: sitevault repair undo {done.repair_id[:12]}")
    return 0


@repair.command(epilog=examples("sitevault repair undo 3f9a2c1b77d0"))
@click.argument("repair_id")
@database_option
@yes_option
@json_option
@click.pass_obj
def undo(session: Session, repair_id: str, url: str | None) -> int:
    """Take a repair back: every object and every row as it was before.

    Refused (exit 6) where somebody changed them since: that would be lost.
    """
    from sitevault.repair import run
    from sitevault.tenancy.audit_log import acting

    with _opened(session, url) as opened:
        session.confirm(f"Take back the repair {repair_id}?")
        done = run.undo(opened.ground, repair_id, acting())
    _report(session, done, "Taken back", "")
    return 0


@repair.command("list", epilog=examples("sitevault repair list", "sitevault repair list --json"))
@database_option
@json_option
@click.pass_obj
def list_(session: Session, url: str | None) -> int:
    """List the repairs of this database, the newest first."""
    from sitevault.repair import record

    with _opened(session, url) as opened, opened.ground.transaction():
        entries = record.entries(opened.ground)
    session.answer(
        [
            {
                "id": one.repair_id,
                "state": one.state,
                "applied_at": one.applied_at,
                "applied_by": one.applied_by,
                "undone_at": one.undone_at,
                "subjects": [action.subject for action in one.plan.actions],
            }
            for one in entries
        ],
        table(
            ("repair", "state", "applied", "by", "what"),
            (
                (one.repair_id[:12], one.state, at(one.applied_at), one.applied_by, action.subject)
                for one in entries
                for action in one.plan.actions
            ),
        ),
    )
    return 0


@contextlib.contextmanager
def _opened(session: Session, url: str | None) -> Iterator[Opened]:
    from sitevault.doctor.connection import foreign as conninfo_of
    from sitevault.repair.session import foreign, house

    if url is not None:
        with foreign(conninfo_of(url)) as opened:
            yield opened
        return
    with session.database() as database, house(database) as opened:
        yield opened


def _report(session: Session, done: Done, what: str, then: str) -> None:
    text = (
        f"It had been done before: nothing to do ({done.repair_id[:12]})."
        if done.already
        else f"{what}: {len(done.objects)} objects, {done.rows} rows. {then}".rstrip()
    )
    session.answer(
        {
            "success": True,
            "id": done.repair_id,
            "already": done.already,
            "objects": done.objects,
            "rows": done.rows,
        },
        text,
    )


def _plan_data(made: Plan, file: Path | None) -> dict[str, Any]:
    import msgspec

    return {"success": True, "file": str(file) if file else None, "plan": msgspec.to_builtins(made)}


def _plan_text(made: Plan, everything: bool = False) -> Iterator[str]:
    for number, action in enumerate(made.actions, 1):
        yield f"{number}. {action.check}  {action.subject}"
        yield f"   {action.reason}"
        yield from (f"   {line}" for line in action.shows)
        yield from (f"   - {line}" for line in _steps(action, everything))
        yield from (f"   leaves alone: {line}" for line in action.leaves)
    for line in made.not_mended:
        yield f"not mended: {line}"


def _steps(action: Action, everything: bool) -> Iterator[str]:
    from sitevault.repair.say import said

    shown = action.steps if everything else action.steps[:_STEPS_SHOWN]
    for step in shown:
        text = said(step)
        yield text if everything else text.splitlines()[0][:160]
    if len(action.steps) > len(shown):
        yield f"and {len(action.steps) - len(shown)} more steps (sitevault repair show)"
