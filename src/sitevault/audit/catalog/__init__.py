"""The catalog's checks: pure functions over one snapshot, one file per family."""

from __future__ import annotations

from sitevault.audit.catalog import functions, grants, keys, roles, row_security, server, views
from sitevault.audit.catalog.check import Check

CHECKS: tuple[Check, ...] = (
    *row_security.CHECKS,
    *keys.CHECKS,
    *views.CHECKS,
    *functions.CHECKS,
    *roles.CHECKS,
    *grants.CHECKS,
    *server.CHECKS,
)
