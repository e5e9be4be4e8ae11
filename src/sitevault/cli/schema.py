"""`sitevault schema`: add, list, test, retire."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from sitevault.cli.session import Session, at, examples, json_option, table, yes_option
from sitevault.db.roles import Role
from sitevault.errors import Exit, UsageError
from sitevault.tenancy import schemas, tenants

_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_SHOWN = 20


@click.group()
def schema() -> None:
    """JSON Schemas that a tenant demands of its events, one per event type."""


@schema.command(epilog=examples("sitevault schema add the-one-spa purchase purchase.schema.json"))
@click.argument("tenant_id")
@click.argument("event_type")
@click.argument("file", type=_FILE)
@json_option
@click.pass_obj
def add(session: Session, tenant_id: str, event_type: str, file: Path) -> None:
    """Demand a schema of an event type from now on; events that break it are INVALID, with the reason."""
    demanded = _read_json(file)
    with session.database() as database:
        with database.connect(Role.JUDGE) as conn:
            tenant = tenants.find_tenant(conn, tenant_id)
        with database.connect(Role.MIGRATOR) as conn:
            changed = schemas.add_schema(conn, tenant.tenant_bk, event_type, demanded)
    session.answer(
        {"success": True, "tenant": tenant.tenant_bk, "event_type": event_type, "changed": changed},
        f"{tenant.tenant_bk} {'now' if changed else 'already'} demands this schema of {event_type}.",
    )


@schema.command(
    "list", epilog=examples("sitevault schema list the-one-spa", "sitevault schema list the-one-spa --json")
)
@click.argument("tenant_id")
@json_option
@click.pass_obj
def list_(session: Session, tenant_id: str) -> None:
    """List a tenant's schemas, retired ones too; --json holds the schemas themselves."""
    with session.database() as database, database.connect(Role.JUDGE) as conn:
        tenant = tenants.find_tenant(conn, tenant_id)
        found = schemas.list_schemas(conn, tenant.tenant_bk)
    rows = [(one.event_type, one.status, at(one.load_date)) for one in found]
    session.answer([one._asdict() for one in found], table(("event type", "status", "since"), rows))


@schema.command(
    epilog=examples(
        "sitevault schema test the-one-spa purchase events.ndjson",
        "sitevault schema test the-one-spa purchase events.json --schema draft.schema.json",
    )
)
@click.argument("tenant_id")
@click.argument("event_type")
@click.argument("events", type=_FILE)
@click.option("--schema", "draft", type=_FILE, help="Test this schema instead of the one in force.")
@json_option
@click.pass_obj
def test(session: Session, tenant_id: str, event_type: str, events: Path, draft: Path | None) -> Exit:
    """Hold a file of events (JSON list or one object a line) against a schema; exit 1 where one breaks it.

    Events whose event_type names another type are left out. Exit 3 when no event was left to test.
    """
    with session.database() as database, database.connect(Role.JUDGE) as conn:
        tenant = tenants.find_tenant(conn, tenant_id)
        demanded = _read_json(draft) if draft else schemas.active_schema(conn, tenant.tenant_bk, event_type)
    tested = schemas.hold_against(demanded, event_type, _read_text(events))
    session.answer(
        {
            "success": not tested.violations and bool(tested.tested),
            "tested": tested.tested,
            "of_other_types": tested.of_other_types,
            "violations": [found._asdict() for found in tested.violations],
        },
        _verdict(tested),
    )
    if tested.violations:
        return Exit.FINDINGS
    return Exit.OK if tested.tested else Exit.UNKNOWN


@schema.command(epilog=examples("sitevault schema retire the-one-spa purchase --yes"))
@click.argument("tenant_id")
@click.argument("event_type")
@json_option
@yes_option
@click.pass_obj
def retire(session: Session, tenant_id: str, event_type: str) -> None:
    """Demand nothing of an event type any more."""
    with session.database() as database:
        with database.connect(Role.JUDGE) as conn:
            tenant = tenants.find_tenant(conn, tenant_id)
        session.confirm(f"Accept every {event_type} of {tenant.tenant_bk} unchecked?")
        with database.connect(Role.MIGRATOR) as conn:
            changed = schemas.retire_schema(conn, tenant.tenant_bk, event_type)
    session.answer(
        {"success": True, "tenant": tenant.tenant_bk, "event_type": event_type, "changed": changed},
        f"The schema of {event_type} is {'now' if changed else 'already'} retired.",
    )


def _verdict(tested: schemas.Tested) -> str:
    lines = [f"event {one.place + 1}: {one.path}: {one.message}" for one in tested.violations[:_SHOWN]]
    if len(tested.violations) > _SHOWN:
        lines.append(f"... and {len(tested.violations) - _SHOWN} more (--json shows all)")
    broken = len({one.place for one in tested.violations})
    said = (
        f"{broken} of {tested.tested} events break the schema"
        if tested.tested
        else "no event of this type to test"
    )
    return "\n".join([*lines, f"{said}; {tested.of_other_types} of other types left out."])


def _read_text(file: Path) -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8") if str(file) == "-" else file.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: {error}") from error


def _read_json(file: Path) -> Any:
    try:
        return json.loads(_read_text(file))
    except json.JSONDecodeError as error:
        raise UsageError(f"{file} is not JSON: {error}") from error
