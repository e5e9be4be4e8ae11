"""What tests of replay have in common."""

from __future__ import annotations

from typing import Any

from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.observe import ledger
from sitevault.replay import run
from sitevault.replay.book import Replay
from sitevault.replay.selection import Selection

VAULT = (
    "business.site_visitor_h", "business.site_session_h", "business.site_page_h", "business.site_user_h",
    "business.site_campaign_h", "business.site_session_visitor_l", "business.site_visitor_user_l",
    "business.site_visitor_user_es", "business.site_session_details_s", "business.site_visitor_details_s",
    "business.site_page_details_s", "business.site_event_nl", "business.site_event_pii_ns",
    "business.site_event_duplicate",
)  # fmt: skip
MARTS = ("mart.session_f", "mart.page_day_f", "mart.event_day_f")
HOUSE = ("staging.site_tracking_events_s", *VAULT, *MARTS, "ops.ledger_d", "raw.landed_event")


def replay(
    database: Database, *, steps: Any = (), reason: str | None = None, batch: int = 1000, **wanted: Any
) -> Replay:
    """Replay what a selection means, to the end."""
    return run.start(database, Config(), Selection(**wanted), steps=steps, reason=reason, batch=batch)


def contents(database: Database, *tables: str) -> dict[str, list[str]]:
    """Every row of these tables as text, sorted."""
    found = {}
    with database.connect(Role.JUDGE, autocommit=True) as judge:
        for table in tables:
            rows = judge.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1")  # type: ignore[arg-type]
            found[table] = [row[0] for row in rows]
    return found


def assert_confirmed(database: Database) -> ledger.Line:
    """The ledger balances and a recount finds the same; returns its total."""
    with database.connect(Role.JUDGE) as judge, ledger.snapshot(judge):
        recounted = ledger.recount(judge)
    assert recounted.confirmed, (recounted.disagreements, recounted.ledger)
    return recounted.counted.total
