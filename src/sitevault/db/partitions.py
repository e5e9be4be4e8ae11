"""What PostgreSQL says when a partition was made under a row on its way."""

from __future__ import annotations

import psycopg


def lost_its_partition(error: psycopg.Error) -> bool:
    """Whether a row met the bounds of a partition it no longer belongs to: sent again, it finds the right one.

    A row on its way into a default partition waits while that day's own is attached, and is then refused by the
    default's new bounds: a check violation like any other, but of no constraint that has a name.
    """
    return isinstance(error, psycopg.errors.CheckViolation) and error.diag.constraint_name is None
