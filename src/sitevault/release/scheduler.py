"""The jobs of a foreign database, paused and resumed: by its owner's statements, or pg_cron's by their state."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from sitevault.db import queries
from sitevault.release import record
from sitevault.release.model import ReleaseBlockedError
from sitevault.release.target import Target

SQL = queries.load("release_pause")

STATEMENT_TIMEOUT_MS = 30_000


class Busy(NamedTuple):
    """Somebody who carries events at this moment; pid 0 where it is not known."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})" if self.pid else self.name


def kind(target: Target) -> str | None:
    """What can pause this database's jobs: `workers` heed the pause themselves; None: nothing can."""
    if target.house:
        return "workers"
    if target.settings.scheduler is not None:
        return "scheduler"
    return "pg_cron" if target.ground.one(SQL.has_pg_cron) == (True,) else None


def pause(target: Target, release_id: str) -> dict[str, Any]:
    """After this no job begins; safe to repeat. Returns what it did, for the journal, where it has to be known.

    Raises ReleaseBlockedError where the database refuses it.
    """
    match kind(target):
        case "scheduler" if target.settings.scheduler is not None:
            _run(target, target.settings.scheduler.pause, "pause")
            return {"scheduler": "statement"}
        case "pg_cron":
            return _pause_cron(target, release_id)
        case _:
            return {}


def resume(target: Target) -> dict[str, Any]:
    """The jobs that were paused begin again, and no others; safe to repeat. Raises ReleaseBlockedError."""
    match kind(target):
        case "scheduler" if target.settings.scheduler is not None:
            _run(target, target.settings.scheduler.resume, "resume")
            return {"scheduler": "statement"}
        case "pg_cron":
            jobs = paused_jobs(target)
            with _told_plainly("resume"), target.ground.conn.transaction():
                target.ground.all(_cron(SQL.set_cron_jobs), {"jobs": jobs, "active": True})
            return {"scheduler": "pg_cron", "jobs": jobs}
        case _:
            return {}


def at_work(target: Target) -> list[Busy]:
    """The jobs that are at work. Raises ReleaseBlockedError where that cannot be found out."""
    match kind(target):
        case "scheduler" if target.settings.scheduler is not None:
            busy = target.settings.scheduler.busy
            if busy is None:
                return []
            found = _run(target, busy, "busy")
            if found not in (True, False):
                raise ReleaseBlockedError(
                    f"The scheduler's `busy` of {target.environment} answers {found!r}, neither true nor false.",
                    fix="Make it a query whose single value is true while a job is at work.",
                )
            return [Busy(0, "a job of the scheduler")] if found else []
        case "pg_cron":
            rows = target.ground.all(_cron(SQL.cron_at_work), {"jobs": paused_jobs(target)})
            return [Busy(*row) for row in rows]
        case _:
            return []


def paused_jobs(target: Target) -> list[int]:
    """The jobs of pg_cron that were paused since the last resume, as the journal remembers them."""
    jobs: set[int] = set()
    for entry in record.journal(target.ground):
        if entry.step == "resume":
            jobs.clear()
        elif entry.step == "pause" and entry.details:
            jobs |= {int(job["jobid"]) for job in json.loads(entry.details).get("jobs", ())}
    return sorted(jobs)


def _pause_cron(target: Target, release_id: str) -> dict[str, Any]:
    """The jobs' numbers are in the journal in the transaction that makes them inactive."""
    ground = target.ground
    with _told_plainly("pause"), ground.conn.transaction():
        jobs = [
            {"jobid": jobid, "name": name, "schedule": schedule}
            for jobid, name, schedule in ground.all(_cron(SQL.cron_jobs))
        ]
        if jobs:
            ground.all(_cron(SQL.set_cron_jobs), {"jobs": [job["jobid"] for job in jobs], "active": False})
            record.note(ground, release_id, "pause", f"{len(jobs)} jobs of pg_cron set inactive", {"jobs": jobs})
    return {"scheduler": "pg_cron", "jobs_set_inactive": len(jobs)}


def _cron(template: str) -> sql.Composed:
    return sql.SQL(template).format(
        job=sql.Identifier("cron", "job"),
        runs=sql.Identifier("cron", "job_run_details"),
        alter_job=sql.Identifier("cron", "alter_job"),
    )


def _run(target: Target, statement: str, which: str) -> Any:
    """One of the owner's statements, in a session of its own; its single value, if it has one."""
    with _told_plainly(which), contextlib.closing(target.session("release-scheduler")) as conn:
        conn.execute(SQL.bound_scheduler, {"milliseconds": str(STATEMENT_TIMEOUT_MS)})
        cursor = conn.cursor(row_factory=tuple_row).execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
    return row[0] if row else None


@contextlib.contextmanager
def _told_plainly(which: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        raise ReleaseBlockedError(
            f"The database's jobs were not asked to {which}: {error.sqlstate} {error.diag.message_primary}.",
            fix="pg_cron's user needs EXECUTE on cron.alter_job; else look at [environments.….scheduler].",
        ) from error
