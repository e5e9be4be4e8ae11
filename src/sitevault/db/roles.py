"""The roles of the product: who connects as whom, and their creation on a server."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import psycopg
from psycopg import sql

from sitevault.errors import PreflightError

SQL_FILE = Path(__file__).parent.parent / "sql" / "roles.sql"


class Role(StrEnum):
    """A role of the database; all but the owner log in, none is a superuser."""

    OWNER = "sitevault_owner"  # owns every object, cannot log in
    MIGRATOR = "sitevault_migrator"  # may become the owner, to migrate, and the worker, to try a release
    COLLECTOR = "sitevault_collector"  # inserts into landing, reads nothing but keys
    WORKER = "sitevault_worker"  # carries rows from stage to stage
    READER = "sitevault_reader"  # reads one tenant at a time
    JUDGE = "sitevault_judge"  # reads everything, for the gates of a release
    AUDITOR = "sitevault_auditor"  # reads the audit
    ERASER = "sitevault_eraser"  # deletes personal data


LOGIN_ROLES = tuple(role for role in Role if role is not Role.OWNER)


def provision_roles(conn: psycopg.Connection, passwords: Mapping[Role, str]) -> None:
    """Create or correct the roles, their passwords and what they may do with the connected database.

    In one transaction, repeatable. The server sees SCRAM verifiers only, so no log can hold a password.
    Raises PreflightError when the connected user lacks the right.
    """
    try:
        with conn.transaction():
            conn.execute("SET LOCAL search_path = pg_catalog")
            conn.execute("SET LOCAL client_min_messages = error")
            conn.execute(SQL_FILE.read_bytes())
            for role, password in passwords.items():
                verifier = conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
                conn.execute(
                    sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), verifier.decode("ascii"))
                )
    except psycopg.errors.InsufficientPrivilege as error:
        raise PreflightError(
            f"The user {conn.info.user} may not set up Sitevault's roles: {error.diag.message_primary}",
            fix="Name a superuser in DATABASE_URL for `sitevault init`; the services do not use it.",
            command="sitevault init",
        ) from error


def fingerprint() -> str:
    """Changes when roles.sql does, so that an upgraded Sitevault provisions once more."""
    return hashlib.sha256(SQL_FILE.read_bytes()).hexdigest()
