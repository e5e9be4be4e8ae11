"""Whose the events are."""

from __future__ import annotations

from sitevault.doctor.checks.tenancy import carried, provenance

CHECKS = (provenance.CHECK, carried.CHECK)
