"""The fixtures of a running collector."""

from collecting import admin, client, collector, start_collector, tenant

__all__ = ["admin", "client", "collector", "start_collector", "tenant"]
