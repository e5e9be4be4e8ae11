"""The catalog, the server and who is on it."""

from __future__ import annotations

from sitevault.doctor.checks.catalog import invalid_indexes

CHECKS = (invalid_indexes.CHECK,)
