"""A database for the incident on the embedded server, gone when the context ends; and its figures."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row, tuple_row

from sitevault.db import queries
from sitevault.db.connect import connect
from sitevault.db.embedded import EmbeddedServer
from sitevault.demo import incident
from sitevault.observe import kpis
from sitevault.observe.kpis import Kpi

SQL = queries.load("incident")


class Placed(NamedTuple):
    """An event, its tenant, the owner of its key where it has one, and its status."""

    raw_event_id: int
    tenant: str
    owner: str | None
    status: str


@contextmanager
def scratch(
    server: EmbeddedServer,
    called: str = "incident",
    build: Callable[[psycopg.Connection[Any]], None] = incident.build,
) -> Iterator[str]:
    """The incident in a database of its own, as its owner's connection string; dropped afterwards."""
    name, password = f"sitevault_{called}_{secrets.token_hex(4)}", secrets.token_urlsafe(18)
    names = {"role": sql.Identifier(name), "database": sql.Identifier(name), "password": sql.Literal(password)}

    def tell(*statements: Any) -> None:
        with connect(server.superuser_conninfo(), autocommit=True) as admin:
            for statement in statements:
                admin.execute(sql.SQL(statement).format(**names))

    try:
        tell(SQL.make_role, SQL.let_it_look, SQL.make_database)
        url = make_conninfo(server.superuser_conninfo(name), user=name, password=password)
        with connect(url) as conn:
            build(conn)
        yield url
    finally:
        tell(SQL.drop_database, SQL.drop_role)


def placed(conn: psycopg.Connection[Any]) -> list[Placed]:
    """Every event with the tenant it is under."""
    return [Placed(*row) for row in conn.cursor(row_factory=tuple_row).execute(SQL.tenants).fetchall()]


def measure(conn: psycopg.Connection[Any], seconds: Sequence[float]) -> list[Kpi]:
    """The guide's seven KPIs of the incident, from its rows; `seconds` each event took."""
    with conn.cursor(row_factory=dict_row) as cursor:
        outcomes = cursor.execute(SQL.outcomes).fetchone() or {}
        staged = cursor.execute(SQL.staged).fetchone() or {}
    events = placed(conn)
    unproved = sum(one.owner is None for one in events)
    wrong = sum(one.owner not in (None, one.tenant) for one in events)
    time, isolation = kpis.processing_time(list(seconds)), kpis.tenant_isolation(len(events), wrong, unproved)
    if unproved and not wrong:
        note = f"{unproved} events came without a key: nothing proves whose they are"
        isolation = replace(
            isolation, shown=f"{len(events) - unproved} of {len(events)} proved by their key", note=note
        )
    return [
        kpis.success_rate(**outcomes),
        kpis.data_quality(int(staged["staged"]), staged["quality"]),
        kpis.error_rate(**outcomes),
        replace(time, shown=time.shown.replace(" (median of loads)", ""), note=f"median of {len(seconds)} events"),
        isolation,
        kpis.validation_status(*(int(staged[name]) for name in ("valid", "suspicious", "invalid", "unfounded"))),
        kpis.enrichment_status(*(int(staged[name]) for name in ("staged", "enriched", "hollow"))),
    ]
