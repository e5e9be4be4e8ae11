"""`sitevault release approve`: somebody looked at a plan, and signs that it may be carried out."""

from __future__ import annotations

from pathlib import Path

import click

from sitevault.cli.release.enroll import environment_option
from sitevault.cli.session import Session, examples, json_option, yes_option


@click.command(
    epilog=examples(
        "sitevault release approve plan.json --env production --as ada --key ada.key",
        "sitevault audit keygen ada.key   # once; the public half goes into [people]",
    )
)
@click.argument("plan_file", metavar="PLAN", type=click.Path(path_type=Path, dir_okay=False))
@environment_option
@click.option("--as", "person", metavar="PERSON", required=True, help="Who approves, of [people].")
@click.option(
    "--key", required=True, type=click.Path(path_type=Path, dir_okay=False), help="That person's private key."
)
@yes_option
@json_option
@click.pass_obj
def approve(session: Session, plan_file: Path, name: str, person: str, key: Path) -> int:
    """Sign that this plan may be carried out in this database, and put that on record there.

    Another plan, or another database, is not approved by it. Exit 6 where this person may not approve it.
    """
    from sitevault.release import approve as approvals
    from sitevault.release import environments, model, say
    from sitevault.release.target import opened

    plan = model.read_plan(plan_file)
    known = environments.read(session.config)
    with opened(session.config, known, name, session.say) as target:
        approvals.require_leave(target, plan, known, person, key)
        if not session.yes:
            session.say("\n".join(say.said(plan)))
        session.confirm(f"Does {person} approve this plan for {name}, at {target.location}?")
        done = approvals.approve(target, plan, known, person, key)
        missing = approvals.missing(target, plan, known)
    session.answer(
        {
            "success": True,
            "environment": name,
            "plan": plan.digest,
            "bundle": plan.bundle_digest,
            "approver": done.approver,
            "at": done.at,
            "missing": missing,
        },
        f"{person} approved plan {plan.digest[:12]} for {name}. "
        + (f"{missing} more approvals are demanded." if missing else "That is enough:")
        + ("" if missing else f"\n  sitevault release deploy BUNDLE {plan_file} --env {name}"),
    )
    return 0
