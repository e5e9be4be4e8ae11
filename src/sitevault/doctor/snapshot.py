"""The database as the checks see it: read in one read-only transaction, part by part, when first asked for."""

from __future__ import annotations


class Snapshot:
    """Everything the checks look at."""
