"""What a query reads, by EXPLAIN (ANALYZE): rows per table and partition, not only which index it names."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import set_json_dumps, set_json_loads
from tests import given

from sitevault import pipeline
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.staging.model import TenantRules
from sitevault.staging.stage import Stager
from sitevault.tenancy.rules import load_tenant_rules
from sitevault.vault import load as vault
from sitevault.vault.arrivals import Arrivals
from sitevault.worker.claim import claim_batches
from sitevault.worker.run import Worker

SMALL = 2_000
LARGE = 24_000
LOAD = 1_000
KNOWN = 500
"""Visitors, each of them a user; a load meets them all again."""
FLUSH = 100
_PARTITION = re.compile(r"_(p\d{8}|default)$")
_JSON = "EXPLAIN (ANALYZE, FORMAT JSON) "


@dataclass
class Scans:
    """Rows a query read (those it threw away included) and partitions it went into, by table."""

    rows: Counter[str] = field(default_factory=Counter)
    partitions: Counter[str] = field(default_factory=Counter)
    whole: set[str] = field(default_factory=set)
    """Partitions and tables that were read from end to end."""

    @property
    def total(self) -> int:
        """Rows over all tables."""
        return self.rows.total()


class Grown(NamedTuple):
    """The database at its large size, and what one load of LOAD events read at both sizes."""

    database: Database
    senders: list[given.Sender]
    at_small: dict[str, Scans]
    """Fresh, without any statistics: how every installation begins."""
    at_large: dict[str, Scans]
    """After ANALYZE."""
    again: dict[str, Scans]
    """A load of LOAD events all of which the vault has."""


def explain(conn: psycopg.Connection[Any], query: str, parameters: Mapping[str, Any]) -> Scans:
    """Run the query, and say what it read."""
    row = conn.execute(_JSON + query, parameters).fetchone()
    assert row is not None
    scans = Scans()
    # A connection of a lane hands JSON on as the bytes it is.
    document = json.loads(row[0]) if isinstance(row[0], bytes) else row[0]
    for node in _nodes(document[0]["Plan"]):
        name, loops = node.get("Relation Name"), node.get("Actual Loops", 0)
        if name is None or not loops or node["Node Type"] == "ModifyTable":
            continue
        table = _PARTITION.sub("", name)
        read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        read += node.get("Rows Removed by Index Recheck", 0)
        scans.rows[table] += round(read * loops)
        scans.partitions[table] += 1
        if node["Node Type"] == "Seq Scan":
            scans.whole.add(table)
    return scans


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", []):
        yield from _nodes(below)


def grow(database: Database) -> Grown:
    """Carry events through until the large size, and look at one more load at each size."""
    senders = [given.sender(database, f"Tenant {number}") for number in range(3)]
    numbers = itertools.count()
    _carry(database, senders, numbers, SMALL)
    at_small = _explain_load(database, senders, numbers)
    _carry(database, senders, numbers, LARGE - SMALL)
    with connect(database.admin_conninfo, autocommit=True) as admin:
        # Ten years of days that are over, as a house with many tenants has them.
        admin.execute(
            "INSERT INTO mart.rolled_day SELECT tenant_hk, current_date - 100 - back, now()"
            " FROM auth.tenant_h, generate_series(1, 3650) AS back"
        )
        admin.execute("ANALYZE")
    at_large = _explain_load(database, senders, numbers)
    again = _explain_load(database, senders, range(LOAD))
    return Grown(database, senders, at_small, at_large, again)


def _land(database: Database, senders: list[given.Sender], numbers: Iterable[int], events: int) -> None:
    numbered = iter(numbers)
    given.land(
        database,
        *(
            [given.row(who, _visit(number)) for number in itertools.islice(numbered, FLUSH)]
            for who, _ in zip(itertools.cycle(senders), range(events // FLUSH), strict=False)
        ),
    )


def _visit(number: int) -> dict[str, Any]:
    """New sessions of visitors who come again, some of them with a campaign; every step of a load has work."""
    return given.page_view(
        number,
        session_id=f"s-{number // 4}",
        visitor_id=f"v-{number % KNOWN}",
        user_id=f"u-{number % KNOWN}",
        page_url=f"https://spa.example/{number % 5}?utm_source=letter-{number % 3}",
        page_title=f"Page {number % 5}",
    )


def _carry(database: Database, senders: list[given.Sender], numbers: Iterator[int], events: int) -> None:
    _land(database, senders, numbers, events)
    assert Worker(database, Config(), lanes=1).drain() == events


def _explain_load(database: Database, senders: list[given.Sender], numbers: Iterable[int]) -> dict[str, Scans]:
    """Each step of one load, as a lane runs it; rolled back, then carried through so that nothing is pending."""
    _land(database, senders, numbers, LOAD)
    scans: dict[str, Scans] = {}
    with database.connect(Role.WORKER, autocommit=True) as conn:
        rules = {tenant_hk: TenantRules(*row) for tenant_hk, row in load_tenant_rules(conn).items()}
        set_json_loads(lambda stored: stored, conn)
        set_json_dumps(lambda ready_made: ready_made, conn)
        conn.execute(vault.SQL.plan_for_any_size)
        with conn.transaction(force_rollback=True):
            claim = claim_batches(conn, LOAD)
            assert claim is not None
            assert len(claim.events) == LOAD
            load_id, load_date = pipeline.open_load(conn)
            arrivals = Arrivals(Stager().stage_batch(claim.events, rules).staged)
            asked = vault.known_parameters(arrivals)
            assert asked is not None
            scans["find_known"] = explain(conn, vault.SQL.find_known, asked)
            vault.settle_events(conn, arrivals, load_id, load_date)
            for name, statement, parameters in pipeline.statements(arrivals, load_id, load_date):
                if statement.startswith("LOCK"):
                    conn.execute(statement)
                    continue
                scans[name] = explain(conn, statement, parameters)
    assert Worker(database, Config(), lanes=1).drain() == LOAD
    return scans
