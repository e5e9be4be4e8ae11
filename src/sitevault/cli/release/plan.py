"""`sitevault release plan`: what a bundle will do in an environment, exactly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sitevault.cli.release.enroll import environment_option
from sitevault.cli.session import Session, examples, json_option
from sitevault.errors import Exit

if TYPE_CHECKING:
    from sitevault.release.model import Hazard

bundle_argument = click.argument("bundle_file", metavar="BUNDLE", type=click.Path(path_type=Path, dir_okay=False))


@click.command(
    epilog=examples(
        "sitevault release plan fix-812.json --env testing",
        "sitevault release plan fix-812.json --env production --accept long_lock --out plan.json",
        "sitevault release plan fix-812.json --env production --sql > review.sql",
    )
)
@bundle_argument
@environment_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The plan's file; by default NAME-VERSION.ENV.plan.json.",
)
@click.option(
    "--accept", "accepted", multiple=True, metavar="NAME", help="Accept a hazard by name; may be given again."
)
@click.option("--sql", "as_sql", is_flag=True, help="Print it as one script, to be read, and to be run by psql.")
@json_option
@click.pass_obj
def plan(
    session: Session, bundle_file: Path, name: str, out: Path | None, accepted: tuple[str, ...], as_sql: bool
) -> int:
    """Find out what BUNDLE will do, by doing it in a transaction that is rolled back; `deploy` does exactly that.

    Exit 0 when nothing would change, 2 when something would, 4 when the bundle fails here, 6 when something is in
    the way. Hazards are listed; a deploy refuses those that are not accepted by name.
    """
    import msgspec

    from sitevault.errors import UsageError
    from sitevault.release import environments, model, say
    from sitevault.release import plan as planning
    from sitevault.release.target import opened

    bundle = model.read_bundle(bundle_file)
    with opened(session.config, environments.read(session.config), name, session.say) as target:
        made = planning.make(target, bundle, accepted)
    path = out or Path(f"{bundle.name}-{bundle.version}.{name}.plan.json")
    if not made.empty or out is not None:
        try:
            model.write(made, path)
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error
    script = planning.render_sql(made, bundle)
    left = planning.unaccepted(made)
    data = {
        "success": True,
        "file": None if made.empty and out is None else str(path),
        "changes": not made.empty,
        "unaccepted": [hazard.name for hazard in left],
        "plan": msgspec.to_builtins(made),
    }
    if as_sql:
        session.answer(data | {"sql": script}, script.rstrip("\n"))
    else:
        session.answer(data, "\n".join([*say.said(made), *_then(made.empty, bundle_file, path, name, left)]))
    return Exit.OK if made.empty else Exit.USAGE


def _then(empty: bool, bundle_file: Path, path: Path, name: str, left: tuple[Hazard, ...]) -> list[str]:
    if empty:
        return [f"Nothing would change in {name}."]
    if left:
        names = " ".join(f"--accept {one.name}" for one in left)
        return [f"Not accepted yet: {names}", f"The plan is in {path}; a deploy refuses it like this."]
    return [
        f"The plan is in {path}. Nothing was changed.",
        f"Next: sitevault release rehearse {bundle_file} {path} --env {name}",
    ]
