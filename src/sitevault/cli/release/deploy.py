"""`sitevault release deploy`: carry a plan out, all of it or nothing."""

from __future__ import annotations

from pathlib import Path

import click

from sitevault.cli.release.enroll import environment_option
from sitevault.cli.release.listen import events_option, listeners
from sitevault.cli.session import Session, examples, json_option, yes_option
from sitevault.errors import Exit


@click.command(
    epilog=examples(
        "sitevault release deploy site-fix.bundle.json plan.json --env testing",
        "sitevault release deploy site-fix.bundle.json plan.json --env production --yes --events events.ndjson",
    )
)
@click.argument("bundle_file", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path))
@environment_option
@click.option(
    "--canary",
    "steps",
    multiple=True,
    metavar="STEP",
    help="Steps of resuming (1, 10, 5%, tenants, all) instead of the environment's.",
)
@events_option
@yes_option
@json_option
@click.pass_obj
def deploy(
    session: Session, bundle_file: Path, plan_file: Path, name: str, steps: tuple[str, ...], events: Path | None
) -> int:
    """Carry PLAN out: lock, pause, back up, apply, verify in one transaction; then resume by canary.

    Exit 0 deployed, 4 failed and rolled back, 6 blocked before anything was changed (approvals, the environment
    before, preflight, a moved catalog). Killed at any moment, the environment is exactly as before or exactly as
    planned; the same deploy again says which, and goes on.
    """
    from sitevault.release import environments, model
    from sitevault.release.deploy import deploy as carry_out
    from sitevault.release.target import opened

    known = environments.read(session.config)
    bundle, plan = model.read_bundle(bundle_file), model.read_plan(plan_file)
    with (
        opened(session.config, known, name, session.say) as target,
        listeners(session, target.settings, events) as listener,
    ):
        session.confirm(f"Deploy {bundle.name} {bundle.version} ({bundle.digest[:12]}) to {name}?")
        done = carry_out(target, bundle, plan, known, listener, steps or target.settings.canary)
    session.answer(done.as_dict(), done.text)
    return Exit.ROLLED_BACK if done.undone else Exit.FINDINGS if done.stopped else Exit.OK
