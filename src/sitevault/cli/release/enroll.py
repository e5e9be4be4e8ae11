"""`sitevault release enroll`: write into a database which environment it is."""

from __future__ import annotations

import click

from sitevault.cli.session import Session, examples, json_option, yes_option

environment_option = click.option(
    "--env", "name", metavar="NAME", required=True, help="The environment, as sitevault.toml names it."
)


@click.command(
    epilog=examples("sitevault release enroll --env testing", "sitevault release enroll --env mock --yes")
)
@environment_option
@yes_option
@json_option
@click.pass_obj
def enroll(session: Session, name: str) -> int:
    """Write into a database which environment it is; from then on a copy, or another host, is refused.

    Once for each environment, and again when its database moved for good.
    """
    from sitevault.release import environments, record
    from sitevault.release.target import opened

    with opened(session.config, environments.read(session.config), name, session.say) as target:
        known = record.enrolled(target.ground)
        if known is not None and known[0].environment != name:
            session.say(f"This database is enrolled as {known[0].environment}, at {known[1]}.")
        session.confirm(f"Is the database at {target.location} the one of {name}?")
        identity = record.enroll(target)
    session.answer(
        {
            "success": True,
            "environment": name,
            "location": target.location,
            "shape": target.shape,
            "fingerprint": identity.fingerprint,
        },
        f"{target.location} is {name} now ({target.shape}); fingerprint {identity.fingerprint[:16]}.",
    )
    return 0
