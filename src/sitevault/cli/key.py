"""`sitevault key`: create, list, revoke."""

from __future__ import annotations

import click

from sitevault.cli.session import Session, at, examples, json_option, table, yes_option
from sitevault.db.roles import Role
from sitevault.tenancy import keys, tenants
from sitevault.tenancy.keys import ApiKey, KeyKind, KeyStatus


@click.group()
def key() -> None:
    """API keys: shown once, stored as a digest, addressed by its first digits.

    Public keys write, from the origins they are made for; secret keys also read status and receipts.
    """


@key.command(
    epilog=examples(
        "sitevault key create the-one-spa --public --origin https://www.example.com",
        "sitevault key create the-one-spa --public --origin 'https://*.example.com' --rate 200",
        "KEY=$(sitevault key create the-one-spa --secret --label backend)",
    )
)
@click.argument("tenant_id")
@click.option("--public", "kind", flag_value=KeyKind.PUBLIC.value, help="For web pages: writes only.")
@click.option("--secret", "kind", flag_value=KeyKind.SECRET.value, help="For servers: writes and reads.")
@click.option("--origin", "origins", multiple=True, help="Where a public key may be used from; '*' is everywhere.")
@click.option("--label", default="", help="A word for people.")
@click.option("--rate", "rate_limit", type=int, help="Events per second the key may send. Default: the setting.")
@json_option
@click.pass_obj
def create(
    session: Session,
    tenant_id: str,
    kind: str | None,
    origins: tuple[str, ...],
    label: str,
    rate_limit: int | None,
) -> None:
    """Make a key. Standard output holds the key alone; it is shown this once."""
    if kind is None:
        raise click.UsageError("Say which kind: --public or --secret.")
    with session.database() as database:
        with database.connect(Role.JUDGE) as conn:
            tenant = tenants.find_tenant(conn, tenant_id)
        with database.connect(Role.MIGRATOR) as conn:
            made = keys.create_key(
                conn, tenant.tenant_bk, KeyKind(kind), label=label, allowed_origins=origins, rate_limit=rate_limit
            )
    if not session.json:
        session.say(
            f"A {kind} key of {tenant.tenant_bk} ({tenant.name}), id {made.api_key.key_id}. "
            "It is shown this once; only its digest is stored:"
        )
    session.answer({"success": True, "key": made.key, **_data(made.api_key)}, made.key)


@key.command("list", epilog=examples("sitevault key list the-one-spa"))
@click.argument("tenant_id")
@json_option
@click.pass_obj
def list_(session: Session, tenant_id: str) -> None:
    """List a tenant's keys by id, never the keys themselves."""
    with session.database() as database, database.connect(Role.JUDGE) as conn:
        tenant = tenants.find_tenant(conn, tenant_id)
        found = keys.list_keys(conn, tenant.tenant_bk)
    rows = [
        (
            one.key_id,
            one.kind,
            one.status,
            one.label or "-",
            ", ".join(one.allowed_origins) or "-",
            one.rate_limit or "-",
            at(one.created_at),
        )
        for one in found
    ]
    session.answer(
        [_data(one) for one in found], table(("id", "kind", "status", "label", "origins", "rate", "created"), rows)
    )


@key.command(epilog=examples("sitevault key revoke 3f9a01c2b7de --yes"))
@click.argument("key_id")
@json_option
@yes_option
@click.pass_obj
def revoke(session: Session, key_id: str) -> None:
    """Refuse a key for ever, in every process within a second. It cannot be taken back."""
    with session.database() as database:
        with database.connect(Role.JUDGE) as conn:
            found = keys.find_key(conn, key_id)
        if found.status is KeyStatus.ACTIVE:
            session.confirm(f"Revoke the {found.kind} key {found.key_id} of {found.tenant_bk} for ever?")
        with database.connect(Role.MIGRATOR) as conn:
            changed = keys.revoke_key(conn, found)
    session.answer(
        {"success": True, "id": found.key_id, "tenant": found.tenant_bk, "status": "revoked", "changed": changed},
        f"The key {found.key_id} of {found.tenant_bk} is {'now' if changed else 'already'} revoked.",
    )


def _data(found: ApiKey) -> dict[str, object]:
    return {
        "id": found.key_id,
        "tenant": found.tenant_bk,
        "kind": found.kind,
        "status": found.status,
        "label": found.label,
        "allowed_origins": found.allowed_origins,
        "rate_limit": found.rate_limit,
        "created_at": found.created_at,
    }
