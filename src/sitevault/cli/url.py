"""`sitevault url`: how psql connects as one of the roles."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import click
from psycopg.conninfo import conninfo_to_dict

from sitevault.cli.session import Session, examples, json_option
from sitevault.db.roles import LOGIN_ROLES, Role
from sitevault.tenancy import tenants

_NAMES = [role.removeprefix("sitevault_") for role in LOGIN_ROLES]


@click.command(
    epilog=examples(
        'psql "$(sitevault url --role reader --tenant the-one-spa)"',
        'psql "$(sitevault url --role judge)" -c "SELECT count(*) FROM business.site_event_nl"',
    )
)
@click.option("--role", "name", type=click.Choice(_NAMES), default="reader", show_default=True, help="Connect as.")
@click.option("--tenant", "tenant_id", help="Whose rows the reader sees; without it, none.")
@json_option
@click.pass_obj
def url(session: Session, name: str, tenant_id: str | None) -> None:
    """Print a connection URL for psql and its kin. It contains a password: do not log or mail it.

    The reader sees one tenant's rows, the judge everybody's; neither can change anything. The embedded server
    answers while `sitevault up` (or any other command) runs.
    """
    with session.database() as database:
        given = conninfo_to_dict(database.conninfo(Role(f"sitevault_{name}"), "psql"))
        if tenant_id is not None:
            with database.connect(Role.JUDGE) as conn:
                tenant = tenants.find_tenant(conn, tenant_id)
            given["options"] = f"-c sitevault.tenant_hk={tenant.tenant_hk.hex()}"
    text = _as_url({key: str(value) for key, value in given.items() if value is not None})
    session.answer({"success": True, "url": text}, text)
    if session.config.database_url is None:
        session.say("The embedded PostgreSQL answers while `sitevault up` runs.")


def _as_url(given: dict[str, str]) -> str:
    user, password, database = (quote(given.pop(key), safe="") for key in ("user", "password", "dbname"))
    host, port = given.pop("host", "localhost"), given.pop("port", "5432")
    place = f"{host}:{port}"
    if host.startswith("/"):
        place, given = "", {"host": host, "port": port, **given}
    return f"postgresql://{user}:{password}@{place}/{database}?{urlencode(given, quote_via=quote)}"
