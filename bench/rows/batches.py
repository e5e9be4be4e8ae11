"""Batches of 100 over HTTP; against bare binary COPY of the same rows into the same table."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from time import monotonic

import psycopg

from bench import landing, load, traffic
from bench.figures import Bar, Figures, HarnessError, Result, interleave, judge, ratio, summarise
from bench.house import House, open_house
from bench.load import Load
from bench.settings import Row, Settings
from bench.watch import peak_megabytes, watch
from sitevault.db.roles import Role
from sitevault.landing.flush import LandingRow

BATCH = 100
CONNECTIONS = 16
"""Enough that some are read while others are written."""
ROWS = 20_000
ROWS_PER_COMMIT = 5_000
"""As many as the collector puts into one flush at most."""
_LANDED = "SELECT count(*) FROM raw.landed_event"
_COPY = """
COPY raw.landed_event (
    batch_id, raw_event_id, tenant_hk, api_key_hk, event_id, received_timestamp,
    client_ip, user_agent, origin, geo_hint, protocol, payload
) FROM STDIN (FORMAT BINARY)
"""
_COPY_TYPES = ("int8", "int8", "bytea", "bytea", "bytea", "int8", "bytea", "text", "text", "text", "text", "bytea")

BARS = {"events/s": Bar(30_000), "ratio to bare COPY": Bar(0.4)}


def measure(settings: Settings) -> Result:
    """Rounds of posted batches and of COPY, into one table."""
    load.tell_if_slow()
    with open_house() as house, house.service("collector") as collector:
        events = list(traffic.events(2, house.holders, ROWS, id_mark=True))
        posts = Load("/api/v1/track/batch", _batches(events), CONNECTIONS, house.home, settings.exact)
        ready_rows = list(landing.rows(traffic.events(3, house.holders, ROWS)))

        def post() -> Figures:
            before = house.settled(_LANDED)
            with watch(house.admin, {"collector": collector.pid, "postgres": house.server_pid}) as cost:
                outcome = posts.run(collector.url, settings.seconds)
            stored = house.settled(_LANDED) - before
            answered = outcome.answered * BATCH
            if not answered <= stored <= answered + outcome.cut_off * BATCH:
                raise HarnessError(f"{answered} events were answered 200, {stored} are stored.")
            return {
                "events/s": answered / outcome.seconds,
                "p50 ms": outcome.p50_ms,
                "p99 ms": outcome.p99_ms,
                **cost.per_event(answered),
                "collector peak MB": peak_megabytes(collector.pid),
            }

        with house.database.connect(Role.COLLECTOR) as conn:
            posts.run(collector.url, min(settings.seconds, 1))
            copy = partial(_copy, house, conn, ready_rows, settings.seconds)
            measured = interleave(settings.rounds, {"posted": post, "bare COPY": copy})
        to_copy = ratio(measured, "events/s", "posted", "bare COPY")
        sides = summarise(measured)
        got = {"events/s": sides["posted"]["events/s"].median, "ratio to bare COPY": to_copy.median}
        return Result(
            ROW.name,
            ROW.title,
            sides,
            {"posted / bare COPY": to_copy},
            [judge(what, got[what], bar) for what, bar in BARS.items()],
            ["In every round the rows stored were those of the batches answered 200."],
            [
                f"Load by {posts.tool}, {CONNECTIONS} connections, on the same cores.",
                f"COPY: one connection, ready-made rows, {ROWS_PER_COMMIT} per commit.",
            ],
        )


def _batches(events: Sequence[traffic.Event]) -> list[tuple[str, bytes]]:
    """Each tenant's events, 100 to a body."""
    batches = []
    for key in {event.holder.key for event in events}:
        bodies = [event.body for event in events if event.holder.key == key]
        batches += [
            (key, b"[" + b",".join(bodies[start : start + BATCH]) + b"]")
            for start in range(0, len(bodies) - BATCH + 1, BATCH)
        ]
    return batches


def _copy(house: House, conn: psycopg.Connection, ready_rows: Sequence[LandingRow], seconds: float) -> Figures:
    """COPY, commit, again, until the time is up."""
    copied = 0
    with watch(house.admin, {"postgres": house.server_pid}) as cost:
        until = monotonic() + seconds
        source: Iterator[LandingRow] = itertools.cycle(ready_rows)
        while monotonic() < until:
            with conn.transaction(), conn.cursor() as cursor, cursor.copy(_COPY) as copy:
                copy.set_types(_COPY_TYPES)
                for row in itertools.islice(source, ROWS_PER_COMMIT):
                    copied += 1
                    copy.write_row((0, copied, *row))
    return {"events/s": copied / cost.seconds, **cost.per_event(copied)}


ROW = Row("batches", "Batches of 100 over HTTP", measure)
