"""`sitevault trace`: the whole journey of one event."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import click

from sitevault.cli.session import Session, examples, json_option

if TYPE_CHECKING:
    from sitevault.observe.trace import Copy, Journey, Letter, Staged


@click.command(
    epilog=examples(
        "sitevault trace 0197b1c2-5d3e-7abc-8def-0123456789ab",
        "sitevault trace 65541 --tenant the-one-spa --json",
    )
)
@click.argument("event", metavar="EVENT_ID|RAW_EVENT_ID")
@click.option("--tenant", "tenant_bk", metavar="ID", help="Only this tenant's event.")
@click.option(
    "--show-personal",
    is_flag=True,
    help="Show addresses, user agents and the payload, too; the audit log records it.",
)
@json_option
@click.pass_obj
def trace(session: Session, event: str, tenant_bk: str | None, show_personal: bool) -> None:
    """Where an event is, when each stage had it, which rules touched it and why.

    An id that several tenants have is shown for each; none is picked.
    """
    from sitevault.db.roles import Role
    from sitevault.hashkeys import tenant_key
    from sitevault.observe import trace as observe
    from sitevault.tenancy.audit_log import record_personal_read

    with session.database() as database, database.connect(Role.JUDGE) as judge:
        journeys = observe.trace(judge, event, tenant_bk=tenant_bk, show_personal=show_personal)
        if show_personal:
            # Before anything is shown: who was shown a person's data is on record, or nobody is.
            with database.connect(Role.MIGRATOR, autocommit=True) as conn:
                for one in journeys:
                    record_personal_read(conn, tenant_key(one.tenant_bk), str(one.event_id))
    session.answer(
        {
            "success": True,
            "journeys": [
                dataclasses.asdict(one) | {"where": one.where, "next": one.next_steps} for one in journeys
            ],
        },
        "\n\n".join("\n".join(describe(one)) for one in journeys),
    )


def describe(journey: Journey) -> Iterator[str]:
    """One journey as lines of text."""
    yield f"{journey.event_id} of {journey.tenant_bk} ({journey.tenant_name})"
    yield f"  {journey.where}"
    for number, copy in enumerate(journey.copies, 1):
        yield ""
        yield from _copy(copy, f" {number} of {len(journey.copies)}" if len(journey.copies) > 1 else "")
    if journey.vault is not None:
        vault = journey.vault
        yield ""
        yield f"  vault     {_at(vault.load_date)}  load {vault.load_id}{_by(vault.worker)}, day {vault.event_day}"
        yield from (f"            {name:<12}{key}" for name, key in vault.keys.items())
    yield from (f"\n  next      {step}" for step in journey.next_steps)


def _copy(copy: Copy, which: str) -> Iterator[str]:
    yield f"  received  {_at(copy.received_at)}  raw event {copy.raw_event_id}{which}: {copy.fate}"
    if copy.key_id is not None:
        yield f"            key {copy.key_id} ({copy.key_label or 'no label'}), {copy.protocol}" + (
            f", from {copy.origin}" if copy.origin else ""
        )
    yield from (
        f"            {name:<12}{value}"
        for name, value in (
            ("client_ip", copy.client_ip), ("user_agent", copy.user_agent), ("payload", copy.payload)
        )
        if value is not None
    )  # fmt: skip
    yield f"  batch     {copy.batch_id}: {copy.batch_state or 'its manifest is missing'}" + (
        f", attempts {copy.batch_attempts}, {copy.batch_last_error}, not before {_at(copy.batch_not_before)}"
        if copy.batch_last_error
        else ""
    )
    for staged in copy.staged:
        yield from _staged(staged)
        if staged.loaded_at is not None:
            took = (staged.loaded_at - (copy.received_at or staged.at)).total_seconds()
            yield (
                f"  loaded    {_at(staged.loaded_at)}  load {staged.load_id}{_by(staged.worker)}, "
                f"{took:.3f} s after it was received"
            )
    if copy.letter is not None:
        yield from _letter(copy.letter)
    for patched in copy.patches:
        yield f"  patched   {_at(patched.at)}  replay {patched.replay_id} by {patched.actor}: {patched.reason}"
        yield from (f"            {step}" for step in patched.steps)
    for replayed in copy.replays:
        why = f": {replayed.reason}" if replayed.reason else ""
        yield (
            f"  replayed  {_at(replayed.at)}  replay {replayed.replay_id} by {replayed.actor}{why}; "
            f"{replayed.was} → {replayed.became or 'not reached yet'}"
        )


def _staged(staged: Staged) -> Iterator[str]:
    yield (
        f"  staged    {_at(staged.at)}  {staged.validation_status}, quality {staged.quality_score:.2f}, "
        f"{staged.enrichment_status}"
    )
    for fired in staged.fired:
        yield f"            {fired.code}{f' [{fired.field}]' if fired.field else ''}: {fired.meaning}"
    for name, value in staged.fields.items():
        path = staged.paths.get(name)
        yield f"            {name:<16}{value}" + (f"  ← {path}" if path else "")


def _letter(letter: Letter) -> Iterator[str]:
    why = f" ({letter.sqlstate}{f', {letter.constraint}' if letter.constraint else ''})" if letter.sqlstate else ""
    yield f"  letter    {letter.status} after {letter.attempts} attempts: {letter.reason_code}{why}"
    yield f"            {letter.message}"
    yield f"            {letter.meaning}"
    yield f"            first failed {_at(letter.first_failed_at)}, last {_at(letter.last_failed_at)}"
    if letter.requeued_at is not None:
        yield f"            requeued {_at(letter.requeued_at)}"
    if letter.resolved_at is not None:
        yield f"            resolved {_at(letter.resolved_at)}"


def _by(worker: str | None) -> str:
    return f" by {worker}" if worker else ""


def _at(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z"
