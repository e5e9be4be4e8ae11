"""Staging to vault: the ordered, idempotent, set-based statements of one load."""

from __future__ import annotations

from sitevault.db import queries

SQL = queries.load("vault")

STEPS = (
    ("vault.visitors", SQL.insert_visitors),
    ("vault.sessions", SQL.insert_sessions),
    ("vault.pages", SQL.insert_pages),
    ("vault.users", SQL.insert_users),
    ("vault.campaigns", SQL.insert_campaigns),
    ("vault.session_visitors", SQL.insert_session_visitors),
    ("vault.visitor_users", SQL.insert_visitor_users),
    ("vault.visitor_user_effectivity", SQL.insert_visitor_user_effectivity),
    ("vault.events", SQL.insert_events),
    ("vault.event_pii", SQL.insert_event_pii),
    ("vault.duplicates", SQL.insert_duplicates),
)
"""Hubs before links before the event: whoever reads in between finds no orphan."""
