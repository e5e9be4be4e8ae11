"""The catalog, the server and who is on it."""

from __future__ import annotations

from sitevault.doctor.checks.catalog import (
    bloat,
    blocked,
    drift,
    hot_path,
    idle_indexes,
    invalid_indexes,
    partitions,
    posture,
    sequences,
    server,
    transactions,
    unvalidated,
    wraparound,
)

CHECKS = (
    drift.CHECK,
    posture.CHECK,
    invalid_indexes.CHECK,
    unvalidated.CHECK,
    hot_path.CHECK,
    idle_indexes.CHECK,
    partitions.CHECK,
    bloat.CHECK,
    sequences.CHECK,
    wraparound.CHECK,
    blocked.CHECK,
    transactions.CHECK,
    server.CHECK,
)
