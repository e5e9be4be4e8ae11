"""Every error a person meets: what happened, what to do, the exact command; and the exit codes."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command (the table in docs/reference/exit-codes.md is made from this)."""

    OK = 0  # done, healthy
    FINDINGS = 1  # findings, or failed before anything was changed
    USAGE = 2  # wrong usage or configuration
    UNKNOWN = 3  # unknown or inconclusive
    ROLLED_BACK = 4  # failed, and rolled back cleanly
    ROLLBACK_FAILED = 5  # rollback failed or could not be verified
    BLOCKED = 6  # blocked by preflight, approval or drift


class SitevaultError(Exception):
    """Sitevault could not do what was asked."""

    exit_code = Exit.FINDINGS

    def __init__(self, message: str, *, fix: str | None = None, command: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.command = command

    def as_dict(self) -> dict[str, object]:
        """The one JSON shape of an error, on the command line as over HTTP."""
        return {
            "success": False,
            "code": type(self).__name__,
            "message": self.message,
            "fix": self.fix,
            "command": self.command,
        }


class ConfigurationError(SitevaultError):
    """A setting is missing, misspelt or out of range."""

    exit_code = Exit.USAGE


class UsageError(SitevaultError):
    """The command's words do not fit together."""

    exit_code = Exit.USAGE


class DatabaseUnavailableError(SitevaultError):
    """PostgreSQL did not answer."""


class PreflightError(SitevaultError):
    """The database server lacks something Sitevault needs."""

    exit_code = Exit.BLOCKED


class MigrationError(SitevaultError):
    """A migration was refused or failed; nothing was changed."""

    exit_code = Exit.ROLLED_BACK


class MigrationEditedError(MigrationError):
    """An applied migration's file is no longer the one that was applied."""

    exit_code = Exit.BLOCKED


class UnknownTenantError(SitevaultError):
    """No tenant has this id. Tenants are named by id, never by name: two may share a name."""


class UnknownKeyError(SitevaultError):
    """No API key has this id."""


class UnknownEventError(SitevaultError):
    """No event with this id was ever landed for this tenant."""


class UnknownReplayError(SitevaultError):
    """No replay has this number."""


class WorkersPausedError(SitevaultError):
    """Somebody paused whoever carries events; nothing was carried."""

    exit_code = Exit.BLOCKED


class ReplayStoppedError(SitevaultError):
    """A replay could not go on; what it did is committed, and it can be resumed."""
