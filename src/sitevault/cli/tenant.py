"""`sitevault tenant`: add, list, show, set, suspend, resume."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sitevault.cli.session import Session, at, examples, json_option, table, yes_option
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import UsageError
from sitevault.tenancy import keys, schemas, tenants
from sitevault.tenancy.tenants import IpPolicy, Tenant, TenantStatus


@click.group()
def tenant() -> None:
    """Tenants are named by their id, never by their name: two may share a name."""


@tenant.command(
    epilog=examples(
        "sitevault tenant add 'The ONE Spa'",
        "sitevault tenant add 'The ONE Spa' --id the-one-spa --ip-policy none",
    )
)
@click.argument("name")
@click.option(
    "--id", "tenant_bk", help="Lower-case letters, digits, hyphens. Default: the name and 4 random letters."
)
@click.option(
    "--ip-policy",
    type=click.Choice([policy.value for policy in IpPolicy]),
    help="What is kept of a visitor's address. Default: truncate.",
)
@json_option
@click.pass_obj
def add(session: Session, name: str, tenant_bk: str | None, ip_policy: str | None) -> None:
    """Add a tenant. With an --id that exists under the same name, nothing is changed."""
    with session.database() as database, database.connect(Role.MIGRATOR) as conn:
        added = tenants.add_tenant(conn, name, tenant_bk, ip_policy)
    made = "Added" if added.created else "There is already"
    session.answer(
        {"success": True, "created": added.created, "tenant": _data(added.tenant)},
        f"{made} the tenant {added.tenant.tenant_bk} ({added.tenant.name}).\n"
        f"Next: sitevault key create {added.tenant.tenant_bk} --public --origin https://www.example.com",
    )


@tenant.command("list", epilog=examples("sitevault tenant list", "sitevault tenant list --json"))
@json_option
@click.pass_obj
def list_(session: Session) -> None:
    """List every tenant with its id, name and status."""
    with session.database() as database, database.connect(Role.JUDGE) as conn:
        found = tenants.list_tenants(conn)
    rows = [(one.tenant_bk, one.name, one.status, one.ip_policy, at(one.created_at)) for one in found]
    session.answer([_data(one) for one in found], table(("id", "name", "status", "ip policy", "created"), rows))


@tenant.command(epilog=examples("sitevault tenant show the-one-spa"))
@click.argument("tenant_id")
@json_option
@click.pass_obj
def show(session: Session, tenant_id: str) -> None:
    """Show one tenant with its keys and event schemas."""
    with session.database() as database, database.connect(Role.JUDGE) as conn:
        found = tenants.find_tenant(conn, tenant_id)
        its_keys = keys.list_keys(conn, found.tenant_bk)
        its_schemas = schemas.list_schemas(conn, found.tenant_bk)
    active = sum(1 for key in its_keys if key.status is keys.KeyStatus.ACTIVE)
    types = [schema.event_type for schema in its_schemas if schema.status is schemas.SchemaStatus.ACTIVE]
    session.answer(
        {**_data(found), "active_keys": active, "keys": len(its_keys), "event_schemas": types},
        f"{found.name}\n"
        f"  id         {found.tenant_bk}\n"
        f"  tenant_hk  {found.tenant_hk.hex()}\n"
        f"  status     {found.status}\n"
        f"  ip policy  {found.ip_policy}\n"
        f"  mapping    {json.dumps(found.mapping) if found.mapping else 'as declared'}\n"
        f"  created    {at(found.created_at)}\n"
        f"  keys       {active} active of {len(its_keys)}\n"
        f"  schemas    {', '.join(types) or 'none'}",
    )


@tenant.command(
    "set",
    epilog=examples(
        "sitevault tenant set the-one-spa --ip-policy none",
        "sitevault tenant set the-one-spa --mapping paths.json",
    ),
)
@click.argument("tenant_id")
@click.option("--ip-policy", type=click.Choice([policy.value for policy in IpPolicy]))
@click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A JSON file: field -> list of payload paths that come before the declared ones.",
)
@json_option
@click.pass_obj
def set_(session: Session, tenant_id: str, ip_policy: str | None, mapping: Path | None) -> None:
    """Change how a tenant's events are read: its address policy, its mapping."""
    if ip_policy is None and mapping is None:
        raise click.UsageError("Say what to set: --ip-policy or --mapping.")
    paths = None if mapping is None else _read_mapping(mapping)
    with session.database() as database:
        found = _find(database, tenant_id)
        with database.connect(Role.MIGRATOR) as conn:
            changed = tenants.change_tenant(conn, found.tenant_bk, ip_policy=ip_policy, mapping=paths)
    session.answer(
        {"success": True, "tenant": found.tenant_bk, "changed": changed},
        f"{found.tenant_bk} is {'changed' if changed else 'so already'}.",
    )


@tenant.command(epilog=examples("sitevault tenant suspend the-one-spa --yes"))
@click.argument("tenant_id")
@json_option
@yes_option
@click.pass_obj
def suspend(session: Session, tenant_id: str) -> None:
    """Refuse all of a tenant's keys, within a second. What has landed still travels."""
    _set_status(session, tenant_id, TenantStatus.SUSPENDED)


@tenant.command(epilog=examples("sitevault tenant resume the-one-spa"))
@click.argument("tenant_id")
@json_option
@click.pass_obj
def resume(session: Session, tenant_id: str) -> None:
    """Accept a suspended tenant's keys again."""
    _set_status(session, tenant_id, TenantStatus.ACTIVE)


def _set_status(session: Session, tenant_id: str, status: TenantStatus) -> None:
    with session.database() as database:
        found = _find(database, tenant_id)
        if status is TenantStatus.SUSPENDED and found.status is not status:
            session.confirm(f"Refuse every key of {found.tenant_bk} ({found.name})?")
        with database.connect(Role.MIGRATOR) as conn:
            changed = tenants.change_tenant(conn, found.tenant_bk, status=status)
    session.answer(
        {"success": True, "tenant": found.tenant_bk, "status": status, "changed": changed},
        f"{found.tenant_bk} is {'now' if changed else 'already'} {status}.",
    )


def _read_mapping(file: Path) -> dict[str, list[str]]:
    # Only here do the two meet: tenancy keeps any mapping, staging alone knows the fields there are.
    from sitevault.staging.mapping import FIELDS

    try:
        mapping = tenants.read_mapping(file.read_text("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8.") from error
    if unknown := sorted(mapping.keys() - FIELDS.keys()):
        raise UsageError(f"There is no field {', '.join(unknown)}.", fix=f"The fields are: {', '.join(FIELDS)}.")
    return mapping


def _find(database: Database, tenant_id: str) -> Tenant:
    with database.connect(Role.JUDGE) as conn:
        return tenants.find_tenant(conn, tenant_id)


def _data(tenant: Tenant) -> dict[str, object]:
    return {
        "id": tenant.tenant_bk,
        "tenant_hk": tenant.tenant_hk,
        "name": tenant.name,
        "status": tenant.status,
        "ip_policy": tenant.ip_policy,
        "mapping": tenant.mapping,
        "created_at": tenant.created_at,
    }
