"""Environments of both shapes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bundling import guide, house
from sitevault.db.connect import Database
from sitevault.release.target import Target


@pytest.fixture
def guide_target(incident_database: Database) -> Iterator[Target]:
    """The incident's database, enrolled as testing."""
    with guide(incident_database) as target:
        yield target


@pytest.fixture
def house_target(database: Database) -> Iterator[Target]:
    """A Sitevault's database, enrolled as testing."""
    with house(database) as target:
        yield target
