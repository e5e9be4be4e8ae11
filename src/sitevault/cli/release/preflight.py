"""`sitevault release preflight`: the checklist before a deploy, executed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sitevault.cli.release.enroll import environment_option
from sitevault.cli.release.plan import bundle_argument
from sitevault.cli.session import Session, examples, json_option, table
from sitevault.errors import Exit

if TYPE_CHECKING:
    from sitevault.release.preflight.model import Checked


@click.command(
    epilog=examples(
        "sitevault release preflight fix-812.json --env mock",
        "sitevault release preflight fix-812.json plan.json --env production --json",
    )
)
@bundle_argument
@click.argument("plan_file", metavar="[PLAN]", required=False, type=click.Path(path_type=Path, dir_okay=False))
@environment_option
@click.option("--accept", "accepted", multiple=True, metavar="NAME", help="Accept a hazard by name; without PLAN.")
@json_option
@click.pass_obj
def preflight(
    session: Session, bundle_file: Path, plan_file: Path | None, name: str, accepted: tuple[str, ...]
) -> int:
    """Look at everything a deploy of BUNDLE depends on; changes nothing. Without PLAN, plan it first.

    Exit 0 when every item is ok or a warning, 3 when one is unknown, 6 when one is blocked. A deploy looks again,
    and is stopped by what is blocked.
    """
    from sitevault.errors import UsageError
    from sitevault.release import environments, model
    from sitevault.release import plan as planning
    from sitevault.release import preflight as checklist
    from sitevault.release.target import opened

    if plan_file is not None and accepted:
        raise UsageError("A plan accepts what it was made to accept.", fix="Leave --accept out, or plan again.")
    bundle = model.read_bundle(bundle_file)
    planned = None if plan_file is None else model.read_plan(plan_file)
    with opened(session.config, environments.read(session.config), name, session.say) as target:
        made = planned or planning.make(target, bundle, accepted)
        found = checklist.run(target, bundle, made)
    code = _code(found)
    session.answer(
        {"success": code is Exit.OK, "environment": name, "items": [one._asdict() for one in found]},
        _text(found, name),
    )
    return code


def _code(found: list[Checked]) -> Exit:
    verdicts = {one.verdict for one in found}
    return Exit.BLOCKED if "blocked" in verdicts else Exit.UNKNOWN if "unknown" in verdicts else Exit.OK


def _text(found: list[Checked], name: str) -> str:
    lines = [table(("item", "verdict", "evidence"), ((one.item, one.verdict, one.evidence) for one in found))]
    lines += [f"{one.item}: {one.fix}" for one in found if one.fix and one.verdict != "ok"]
    blocked = [one.item for one in found if one.verdict == "blocked"]
    lines.append(f"Blocked by {', '.join(blocked)}." if blocked else f"Nothing blocks a deploy to {name}.")
    return "\n".join(lines)
