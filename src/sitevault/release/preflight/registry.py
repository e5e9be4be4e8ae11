"""The items of the preflight, in the order of the guide's checklist."""

from __future__ import annotations

from sitevault.release.preflight import (
    backup,
    conflicts,
    disk,
    drift,
    identity,
    load,
    pending,
    references,
    rights,
    structure,
    tenants,
    trial,
    workers,
)

ITEMS = (
    identity.ITEM,
    rights.ITEM,
    load.ITEM,
    structure.ITEM,
    references.ITEM,
    pending.ITEM,
    tenants.ITEM,
    conflicts.ITEM,
    drift.ITEM,
    trial.ITEM,
    backup.ITEM,
    workers.ITEM,
    disk.ITEM,
)
