"""The way into a database that somebody else made."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import make_conninfo

from sitevault.errors import UsageError


def foreign(url: str) -> str:
    """The connection string of any database, under our name. Raises UsageError, which never repeats the URL."""
    try:
        return make_conninfo(
            url, application_name="sitevault-doctor", connect_timeout="10", client_encoding="utf8"
        )
    except psycopg.ProgrammingError:
        raise UsageError(
            "This is not a PostgreSQL connection string.",
            fix="It looks like postgresql://user@host/database",
        ) from None
