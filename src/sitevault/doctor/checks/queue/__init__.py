"""What waits, what failed, and whether anybody is at work."""

from __future__ import annotations

from sitevault.doctor.checks.queue import errors, ledger, pending, probe, retries, silence, workers

CHECKS = (pending.CHECK, errors.CHECK, retries.CHECK, ledger.CHECK, workers.CHECK, silence.CHECK, probe.CHECK)
