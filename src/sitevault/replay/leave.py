"""A replay by hand heeds the pause of the workers, unless it is said that it is meant while they pause."""

from __future__ import annotations

from typing import Any

import psycopg

from sitevault.errors import WorkersPausedError
from sitevault.replay.book import SQL


def require_leave(conn: psycopg.Connection[Any], while_paused: bool) -> None:
    """First in a transaction that carries events; whoever pauses from now on waits for its end.

    Raises WorkersPausedError saying who paused and why.
    """
    if conn.execute(SQL.begin_work, {"while_paused": while_paused}).fetchone() == (True,):
        return
    raise paused(conn.execute(SQL.who_paused).fetchone())


def paused(row: tuple[Any, ...] | None) -> WorkersPausedError:
    """What is said to who may not carry events now; `row`: who paused, since when and why."""
    why = f"by {row[0]} since {row[1]:%Y-%m-%d %H:%M} UTC: {row[2]}" if row else "at this moment"
    return WorkersPausedError(
        f"The workers are paused {why}.",
        fix="Wait until they go on. If a replay is meant to change events meanwhile, say so: --while-paused.",
        command="sitevault status",
    )
