"""`sitevault init`: roles and schema, on the embedded server or on yours."""

from __future__ import annotations

from dataclasses import asdict

import click

from sitevault.cli.session import Session, examples, json_option, table, yes_option
from sitevault.db.connect import initialise
from sitevault.db.roles import Role
from sitevault.errors import UsageError
from sitevault.tenancy.audit_log import Action, record_for_the_house


@click.command(
    epilog=examples(
        "sitevault init",
        "DATABASE_URL=postgresql://postgres@db.example.com/sitevault sitevault init",
        "sitevault init --rotate --yes     # new passwords for every role",
    )
)
@click.option("--rotate", is_flag=True, help="Give every role a new password (external database only).")
@json_option
@yes_option
@click.pass_obj
def init(session: Session, rotate: bool) -> None:
    """Set up the database: check the server, make the roles, bring the schema up to date.

    Safe to repeat. Without DATABASE_URL it makes and starts the embedded PostgreSQL. With it, the URL's user needs
    the right to create roles; the services connect as roles of their own.
    """
    external = session.config.database_url is not None
    if rotate and not external:
        raise UsageError(
            "The embedded server's passwords are known to nobody else; there is nothing to rotate.",
            fix="Leave --rotate out, or set DATABASE_URL.",
        )
    if rotate:
        session.confirm("Every service that runs now loses its connection. Rotate the passwords?")
    findings = initialise(session.config, rotate=rotate, notify=session.say) if external else []
    with session.bare_database() as database:
        done = session.migrate(database)
        if external:
            with database.connect(Role.MIGRATOR) as conn:
                record_for_the_house(conn, Action.ROLES_PROVISION, {"passwords_renewed": rotate})
    data = {
        "success": True,
        "embedded": not external,
        "server_version": database.server_version,
        "findings": [asdict(finding) for finding in findings],
        "applied": done.applied,
        "waiting_for_server": done.waiting_for_server,
    }
    remarks = [(found.level, found.id, found.message, found.fix or "") for found in findings]
    checked = table(("level", "check", "found", "to do"), remarks) + "\n\n" if findings else ""
    session.answer(
        data,
        f"{checked}Ready: {len(done.applied)} migrations applied.\nNext: sitevault tenant add 'The ONE Spa'",
    )
