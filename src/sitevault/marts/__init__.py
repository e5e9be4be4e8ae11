"""Marts: sessions, pages and events by day, refreshed by what is new."""
