"""A database of the guide's shape."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.doctoring import guide_shape

from sitevault.db.connect import Database, connect


@pytest.fixture
def guide(new_database: Callable[[str], Database]) -> str:
    """An empty database of the guide's shape, as a connection string of its owner."""
    conninfo = new_database("template0").admin_conninfo
    with connect(conninfo) as admin:
        guide_shape(admin)
    return conninfo
