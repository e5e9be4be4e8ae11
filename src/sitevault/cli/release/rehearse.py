"""`sitevault release rehearse`: there and back on the target, with its real events, rolled back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sitevault.cli.release.enroll import environment_option
from sitevault.cli.release.plan import bundle_argument
from sitevault.cli.session import Session, examples, json_option, table
from sitevault.errors import Exit

if TYPE_CHECKING:
    from sitevault.release.probe import Compared
    from sitevault.release.rehearse import Rehearsal

_EVENTS_SHOWN = 20


@click.command(
    epilog=examples(
        "sitevault release rehearse fix-812.json --env testing",
        "sitevault release rehearse fix-812.json plan.json --env production --json",
    )
)
@bundle_argument
@click.argument("plan_file", metavar="[PLAN]", required=False, type=click.Path(path_type=Path, dir_okay=False))
@environment_option
@click.option(
    "--accept", "accepted", multiple=True, metavar="NAME", help="A hazard accepted by name; without PLAN."
)
@json_option
@click.pass_obj
def rehearse(
    session: Session, bundle_file: Path, plan_file: Path | None, name: str, accepted: tuple[str, ...]
) -> int:
    """Try BUNDLE on the environment itself, in one transaction that is rolled back; without PLAN, plan it first.

    Before and after, real stuck events are tried at every entry point; then it is taken back, and the catalog
    must be what it was, to the byte. Exit 0 when nothing speaks against it, 1 when something does, 4 when the
    bundle fails, 6 when something is in the way.
    """
    from sitevault.errors import UsageError
    from sitevault.release import environments, model
    from sitevault.release import plan as planning
    from sitevault.release.events import Event, Teller
    from sitevault.release.rehearse import rehearse as try_out
    from sitevault.release.target import opened

    if plan_file is not None and accepted:
        raise UsageError("A plan accepts what it was made to accept.", fix="Leave --accept out, or plan again.")
    bundle = model.read_bundle(bundle_file)
    planned = None if plan_file is None else model.read_plan(plan_file)

    def heard(event: Event) -> None:
        session.say(event.message)

    with opened(session.config, environments.read(session.config), name, session.say) as target:
        made = planned or planning.make(target, bundle, accepted)
        seen = try_out(target, bundle, made, Teller(heard, name, made.digest))
    session.answer(_data(seen), "\n".join(_text(seen)))
    return Exit.OK if seen.ok else Exit.FINDINGS


def _data(seen: Rehearsal) -> dict[str, Any]:
    compared = seen.compared
    return {
        "success": seen.ok,
        "plan": seen.plan_digest,
        "environment": seen.environment,
        "reasons": seen.reasons,
        "remarks": seen.remarks,
        "changes": [f"{one.kind} {one.identity}" for one in seen.changes],
        "events": [] if compared is None else [vars(one) for one in compared.events],
        "columns": {} if compared is None else _columns(compared),
        "brings": [fault.shown for fault in seen.brings],
        "mends": [fault.shown for fault in seen.mends],
        "left_out": seen.left_out,
        "seconds": seen.seconds,
    }


def _columns(compared: Compared) -> dict[str, dict[str, dict[str, int]]]:
    return {
        entry: {what: dict(counts) for what, counts in shift._asdict().items()}
        for entry, shift in compared.columns.items()
    }


def _text(seen: Rehearsal) -> Iterator[str]:
    yield from _events(seen)
    yield from (f"mends: {fault.shown}" for fault in seen.mends)
    yield from (f"note: {remark}" for remark in seen.remarks)
    took = ", ".join(f"{name} {seconds:g} s" for name, seconds in seen.seconds.items())
    yield f"{len(seen.changes)} objects changed and changed back ({took})."
    if seen.ok:
        yield f"Nothing speaks against it. {seen.environment} is as it was."
        return
    yield from (f"REFUSED: {reason}" for reason in seen.reasons)
    yield f"{seen.environment} is as it was."


def _events(seen: Rehearsal) -> Iterator[str]:
    if seen.compared is None or not seen.compared.events:
        return
    events = seen.compared.events
    shown = sorted(events, key=lambda one: (one.verdict == "same", one.entry, one.event))[:_EVENTS_SHOWN]
    yield table(
        ("event", "stands", "entry point", "before", "after", ""),
        ((one.event, one.stands, one.entry, one.before, one.after, one.verdict) for one in shown),
    )
    if len(events) > len(shown):
        rest = Counter(one.verdict.value for one in events)
        yield f"... of {len(events)}: " + ", ".join(
            f"{count} {verdict}" for verdict, count in sorted(rest.items())
        )
    for entry, shift in seen.compared.columns.items():
        for what, columns in shift._asdict().items():
            if columns:
                counts = ", ".join(f"{name} {count}" for name, count in sorted(columns.items()))
                yield f"{entry} {what}: {counts}"
