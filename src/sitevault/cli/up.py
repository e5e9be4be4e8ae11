"""`sitevault up`: the database, the collector and a worker in one process tree, until Ctrl-C."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from sitevault.cli.session import Session, examples, json_option

if TYPE_CHECKING:
    from sitevault.db.connect import Database
    from sitevault.supervisor.child import Tree
    from sitevault.supervisor.server import Standby

_TEND_SECONDS = 0.5


@click.command(
    epilog=examples("sitevault up", "SITEVAULT_PORT=9000 sitevault up", "sitevault up --json | jq .url")
)
@json_option
@click.pass_obj
def up(session: Session) -> None:
    """Run everything: PostgreSQL (embedded unless DATABASE_URL is set), migrations, collector, worker.

    Whatever falls is started again, PostgreSQL included. Ctrl-C stops everything in order; the data stays. Logs
    are in the home's log directory. The answer, with --json too, comes once everything is up.
    """
    from sitevault.supervisor import services
    from sitevault.supervisor.server import standing_by

    with (
        session.database() as database,
        standing_by(session.config) as standby,
        services.running(session.config, session.config_path) as (tree, url),
    ):
        answer = {"success": True, "url": url, "logs": str(session.config.home / "log")}
        session.answer(answer, "\n".join(_welcome(session, database, url)))
        try:
            _tend(session, standby, tree)
        finally:
            session.say("\nStopping; what has landed stays.")
            tree.stop()
            session.say(_farewell(database))


def _tend(session: Session, standby: Standby, tree: Tree) -> None:
    try:
        while True:
            for news in (*standby.tend(), *tree.tend()):
                session.say(news)
            time.sleep(_TEND_SECONDS)
    except KeyboardInterrupt:
        return


def _welcome(session: Session, database: Database, url: str) -> Iterator[str]:
    from sitevault.db.roles import Role
    from sitevault.demo.tenants import ready_key
    from sitevault.tenancy.tenants import list_tenants

    yield f"Sitevault is up: {url}"
    yield f"Logs: {session.config.home / 'log'}"
    yield ""
    with database.connect(Role.JUDGE) as judge:
        tenants = list_tenants(judge)
    found = ready_key(database, session.config.home)
    if found is not None:
        tenant_bk, key = found
        yield f"Send an event of the demo tenant {tenant_bk}, in another terminal:"
        yield (
            f"  curl -sS '{url}/api/v1/track?wait=vault' -H 'Authorization: Bearer {key}' "
            '-d \'{"event_type": "page_view", "page_url": "https://www.theonespa.example/treatments", '
            '"event_data": {"session_id": "s-1", "visitor_id": "v-1"}}\''
        )
    elif tenants:
        yield f"{len(tenants)} tenants. Make a key for one of them, then send its events:"
        yield f"  sitevault key create {tenants[0].tenant_bk} --secret"
        yield f"  sitevault send events.ndjson --key sv_sec_… --url {url}"
    else:
        yield "There is no tenant yet. Make one, and a key for it:"
        yield "  sitevault tenant add 'The ONE Spa' --id the-one-spa"
        yield "  sitevault key create the-one-spa --secret"
        yield "Or look at five made-up ones:"
        yield "  sitevault demo"
    yield ""
    yield "Then:  sitevault status --watch      Ctrl-C stops everything."


def _farewell(database: Database) -> str:
    from sitevault.db.roles import Role
    from sitevault.observe import ledger

    with database.connect(Role.JUDGE) as judge:
        book = ledger.read(judge)
    total = book.total
    return (
        f"Stopped. {total.landed} events landed in all, {total.vaulted} in the vault, {total.pending} pending; "
        + ("the ledger balances." if book.balanced else "THE LEDGER DOES NOT BALANCE: sitevault status --recount")
        + ("" if os.environ.get("DATABASE_URL") else " The data stays; `sitevault up` goes on with it.")
    )
