"""`sitevault release history`: every release of an environment, and what was done about it, step by step."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from sitevault.cli.release.enroll import environment_option
from sitevault.cli.session import Session, at, examples, json_option, table

if TYPE_CHECKING:
    from sitevault.release.record import Entry, Released

_SHORT = 12


@click.command(
    epilog=examples(
        "sitevault release history --env production",
        "sitevault release history --env production --journal",
        "sitevault release history --env production --release 3f9a2c1b",
    )
)
@environment_option
@click.option("--release", "wanted", metavar="ID", help="One release, by the beginning of its plan's digest.")
@click.option("--journal", is_flag=True, help="Every step that was recorded, of deploys that did not happen, too.")
@json_option
@click.pass_obj
def history(session: Session, name: str, wanted: str | None, journal: bool) -> int:
    """List what was released to an environment, the newest first, and what became of it."""
    from sitevault.cli.release.status import released
    from sitevault.errors import UsageError
    from sitevault.release import environments, record
    from sitevault.release.target import opened

    with opened(session.config, environments.read(session.config), name, session.say) as target:
        record.require_identity(target)
        found = [one for one in record.releases(target.ground) if one.release_id.startswith(wanted or "")]
        lines = record.journal(target.ground) if journal or wanted else []
    lines = [line for line in lines if line.release_id.startswith(wanted or "")]
    if wanted and not found and not lines:
        raise UsageError(
            f"No release of {name} begins with {wanted}.", command=f"sitevault release history --env {name}"
        )
    session.answer(
        {
            "success": True,
            "environment": name,
            "releases": [released(one) for one in found],
            "journal": [line._asdict() | {"details": _details(line)} for line in lines],
        },
        _releases(found) + (f"\n\n{_journal(lines)}" if lines else ""),
    )
    return 0


def _releases(found: list[Released]) -> str:
    rows = (
        (
            one.release_id[:_SHORT],
            one.name,
            one.version,
            one.bundle_digest[:_SHORT],
            one.state,
            at(one.deployed_at),
            one.deployed_by,
            at(one.ended_at) if one.ended_at else "",
            one.note or "",
        )
        for one in found
    )
    return table(("release", "name", "version", "bundle", "state", "deployed", "by", "ended", "note"), rows)


def _journal(lines: list[Entry]) -> str:
    rows = (
        (at(line.recorded_at), line.release_id[:_SHORT], line.recorded_by, line.step, line.message)
        for line in lines
    )
    return table(("at", "release", "by", "step", "what"), rows)


def _details(line: Entry) -> object:
    return None if line.details is None else json.loads(line.details)
