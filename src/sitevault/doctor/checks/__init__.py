"""The checks, one per file, in rooms; a check is a plain function over the snapshot."""

from __future__ import annotations

from sitevault.doctor.checks import catalog, data, drift, functions, queue, tenancy
from sitevault.doctor.model import Check

CHECKS: tuple[Check, ...] = (
    *queue.CHECKS,
    *functions.CHECKS,
    *tenancy.CHECKS,
    *drift.CHECKS,
    *data.CHECKS,
    *catalog.CHECKS,
)
"""In the order in which they are shown: what is stuck first, then why."""
