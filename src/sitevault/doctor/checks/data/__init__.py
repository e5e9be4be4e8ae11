"""What the rows say of each other."""

from __future__ import annotations

from sitevault.doctor.checks.data import duplicates, hash_keys, literals, orphans, timestamps, unstaged

CHECKS = (unstaged.CHECK, orphans.CHECK, duplicates.CHECK, timestamps.CHECK, literals.CHECK, hash_keys.CHECK)
