"""What changed in the payloads, and what staging made of it."""

from __future__ import annotations

from sitevault.doctor.checks.drift import keys, null_columns

CHECKS = (keys.CHECK, null_columns.CHECK)
