"""`sitevault release undo`: take a release back, exactly."""

from __future__ import annotations

from pathlib import Path

import click

from sitevault.cli.release.enroll import environment_option
from sitevault.cli.release.listen import events_option, listeners
from sitevault.cli.session import Session, examples, json_option, yes_option


@click.command(
    epilog=examples(
        "sitevault release undo --env mock --why 'the wrong mapping'",
        "sitevault release undo --env mock --to 1.2.0 --yes",
        "sitevault release undo --env testing --to start --yes",
    )
)
@environment_option
@click.option("--to", metavar="REV", help="Take back all that came after this version (or plan); `start`: all.")
@click.option("--why", default="asked for", show_default=True, help="The reason, for the record.")
@events_option
@yes_option
@json_option
@click.pass_obj
def undo(session: Session, name: str, to: str | None, why: str, events: Path | None) -> int:
    """Take the newest release back: every object as it was, to the byte, and the events that failed under it.

    Exit 0 taken back, 5 when the way back did not lead back (the release is then in force, whole), 6 when an
    object was changed since: undoing would lose that.
    """
    from sitevault.release import environments
    from sitevault.release.events import Teller
    from sitevault.release.target import opened
    from sitevault.release.undo import undo as take_back

    known = environments.read(session.config)
    with (
        opened(session.config, known, name, session.say) as target,
        listeners(session, target.settings, events) as listener,
    ):
        session.confirm(f"Take {'the newest release' if to is None else f'everything after {to}'} back in {name}?")
        done = take_back(target, to, why, Teller(listener, name))
    session.answer(
        {"success": True, "environment": name, "undone": [one._asdict() for one in done]},
        "\n".join(
            f"{one.name} {one.version} is taken back: {len(one.objects)} objects as before, "
            f"{one.requeued} events PENDING again."
            for one in done
        )
        or "It was taken back already; only the pause was left, and the workers go on.",
    )
    return 0
