"""`sitevault release pause` and `resume`: whoever carries events stands still, or goes on."""

from __future__ import annotations

from pathlib import Path

import click

from sitevault.cli.release.enroll import environment_option
from sitevault.cli.release.listen import events_option, listeners
from sitevault.cli.session import Session, examples, json_option, yes_option
from sitevault.errors import Exit


@click.command(
    epilog=examples("sitevault release pause --env production --message 'the disk is being replaced'")
    + "\n\n\bExit codes: 0 paused, 3 nothing can pause these jobs, 6 another holds a pause, or work does not end."
)
@environment_option
@click.option("--message", required=True, help="Why; everybody who looks is shown it.")
@click.option(
    "--patience", type=click.FloatRange(min=0.1), default=120.0, show_default=True, metavar="SECONDS",
    help="How long work in flight may take to end; then the pause is given up.",
)  # fmt: skip
@events_option
@json_option
@click.pass_obj
def pause(session: Session, name: str, message: str, patience: float, events: Path | None) -> int:
    """Let nobody begin to carry events, and wait until those who did have ended. Collectors go on landing.

    It holds until it is lifted, whatever becomes of this process. A release pauses and resumes by itself.
    """
    from sitevault.release import environments
    from sitevault.release.events import Teller
    from sitevault.release.pause import pause as stand_still
    from sitevault.release.target import opened

    with (
        opened(session.config, environments.read(session.config), name, session.say) as target,
        listeners(session, target.settings, events) as listener,
    ):
        paused = stand_still(target, None, message, Teller(listener, name), patience=patience)
    text = f"{name} is paused: {message}" if paused.unpausable is None else paused.unpausable
    session.answer(
        {"success": paused.unpausable is None, "environment": name, **paused._asdict()},
        f"{text}\nTo go on: sitevault release resume --env {name}",
    )
    return Exit.OK if paused.unpausable is None else Exit.UNKNOWN


@click.command(
    epilog=examples(
        "sitevault release resume --env production",
        "sitevault release resume --env production --canary 1 --canary 10 --canary 5% --canary all --yes",
    )
    + "\n\n\bExit codes: 0 they go on (or did), 1 a step of the canary failed, 6 a release is under way."
)
@environment_option
@click.option(
    "--canary", "steps", multiple=True, metavar="STEP",
    help="Carry a few events first: a number, a share like 5%, `tenants`; `all` lets the workers go on.",
)  # fmt: skip
@events_option
@yes_option
@json_option
@click.pass_obj
def resume(session: Session, name: str, steps: tuple[str, ...], events: Path | None) -> int:
    """Let whoever carries events go on, at once or by steps; an event that fails stops the steps.

    Refused while a living process deploys or undoes: it lets them go on by itself.
    """
    from sitevault.release import canary, carried, environments
    from sitevault.release import pause as pausing
    from sitevault.release.events import Teller
    from sitevault.release.target import opened

    canary.require_steps(steps)
    with (
        opened(session.config, environments.read(session.config), name, session.say) as target,
        listeners(session, target.settings, events) as listener,
    ):
        pausing.require_nobody_at_it(target)
        held = pausing.in_force(target)
        if held is None:
            session.answer(
                {"success": True, "environment": name, "resumed": False, "steps": []},
                f"Nothing was paused in {name}.",
            )
            return Exit.OK
        session.confirm(
            f"Let them go on in {name}? {held.by} paused since {held.since:%H:%M} UTC: {held.message}."
        )
        teller = Teller(listener, name, held.release_id)
        if not steps:
            done = canary.CanaryResult((), pausing.resume(target, teller))
        else:
            check = carried.check_of(target, held.release_id)
            done = canary.run(target, held.release_id, steps, teller, check)
    session.answer(
        {
            "success": not done.stopped,
            "environment": name,
            "resumed": done.resumed,
            "steps": [step._asdict() for step in done.steps],
        },
        "\n".join(
            [
                *(f"{step.name:>8}  {step.events} events  {step.outcomes}  {step.verdict}" for step in done.steps),
                f"{name} goes on." if done.resumed else f"{name} is still paused.",
            ]
        ),
    )
    return Exit.FINDINGS if done.stopped else Exit.OK
