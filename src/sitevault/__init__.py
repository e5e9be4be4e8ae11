"""Sitevault: multi-tenant site tracking on PostgreSQL that can say where every event is."""

__version__ = "0.1.0"
