"""The gates, one per file, in the order in which they are shown: what must never be, then what is measured."""

from __future__ import annotations

from sitevault.release.gates import (
    availability,
    drift,
    error_rate,
    freshness,
    ledger,
    mapping,
    null_rate,
    processing_time,
    quality,
    quality_by_type,
    references,
    success_rate,
    tenancy,
)
from sitevault.release.gates.model import Gate

GATES: tuple[Gate, ...] = (
    tenancy.GATE,
    ledger.GATE,
    references.GATE,
    drift.GATE,
    freshness.GATE,
    success_rate.GATE,
    error_rate.GATE,
    quality.GATE,
    quality_by_type.GATE,
    null_rate.GATE,
    mapping.GATE,
    processing_time.GATE,
    availability.GATE,
)
