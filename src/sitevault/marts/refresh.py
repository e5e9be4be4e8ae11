"""Vault to marts: each new event of a load is added once."""

from __future__ import annotations

from sitevault.db import queries

SQL = queries.load("marts")

STEPS = (
    ("marts.rolled_days", SQL.hold_rolling_off),
    ("marts.sessions", SQL.refresh_sessions),
    ("marts.pages", SQL.refresh_pages),
    ("marts.events", SQL.refresh_events),
)
