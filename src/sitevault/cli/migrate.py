"""`sitevault migrate`: what would change, and the change."""

from __future__ import annotations

import click

from sitevault.cli.session import Session, examples, json_option, yes_option
from sitevault.db.migrate import MigrationPlan, plan
from sitevault.db.roles import Role


@click.command(epilog=examples("sitevault migrate --plan", "sitevault migrate --yes"))
@click.option("--plan", "only_plan", is_flag=True, help="Show what would be done, change nothing.")
@json_option
@yes_option
@click.pass_obj
def migrate(session: Session, only_plan: bool) -> None:
    """Bring the schema up to date: pending migrations in order, then functions, views, policies and grants.

    Safe to repeat, to run twice at once and to interrupt. A migration that was edited after it was applied is
    refused.
    """
    with session.bare_database() as database:
        with database.connect(Role.MIGRATOR) as conn:
            todo = plan(conn)
        if only_plan or todo.empty:
            session.answer(_plan_data(todo), _plan_text(todo))
            return
        if session.config.database_url is not None:
            session.say(_plan_text(todo))
            session.confirm("Do this?")
        done = session.migrate(database)
    session.answer(
        {
            "success": True,
            "applied": done.applied,
            "objects_applied": done.objects_applied,
            "waiting_for_server": done.waiting_for_server,
        },
        f"{len(done.applied)} migrations applied. The schema is up to date.",
    )


def _plan_data(todo: MigrationPlan) -> dict[str, object]:
    return {
        "success": True,
        "pending": [migration.path.name for migration in todo.pending],
        "objects_changed": todo.objects_changed,
        "waiting_for_server": [migration.path.name for migration in todo.waiting_for_server],
        "up_to_date": todo.empty,
    }


def _plan_text(todo: MigrationPlan) -> str:
    lines = [f"apply  {migration.path.name}" for migration in todo.pending]
    if todo.objects_changed:
        lines += [f"renew  {len(todo.objects)} files of functions, views, policies and grants"]
    lines += [
        f"later  {migration.path.name} (needs PostgreSQL {migration.min_server})"
        for migration in todo.waiting_for_server
    ]
    return "\n".join(lines if not todo.empty else [*lines, "The schema is up to date."])
