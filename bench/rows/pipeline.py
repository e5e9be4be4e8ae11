"""Landing to marts, drained by one worker process; against a row-by-row loop, and against the load alone."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.types.json import set_json_dumps, set_json_loads

from bench import landing, traffic
from bench.figures import Bar, Figures, HarnessError, Result, interleave, judge, ratio, spread, summarise
from bench.house import House, open_house
from bench.settings import Row, Settings
from bench.traffic import Event
from bench.watch import peak_megabytes, watch
from sitevault import pipeline
from sitevault.config import Config
from sitevault.db.connect import connect
from sitevault.db.roles import Role
from sitevault.staging.model import TenantRules
from sitevault.staging.stage import Stager
from sitevault.tenancy.rules import load_tenant_rules
from sitevault.vault import load as vault
from sitevault.worker.claim import SQL, claim_batches

EVENTS_PER_SECOND = 12_000
"""A drain of `--seconds` holds this many events for each second; of the row-by-row loop an eighth."""
ROW_BY_ROW_SHARE = 8
FLUSH = 200
WARM_UP = 400
SENT_AGAIN = 0.01
WAIT_SECONDS = 300.0
_ROW_BY_ROW = Path(__file__).parent.parent / "row_by_row.sql"
_PENDING = "SELECT count(*) FROM raw.batch WHERE state = 'PENDING'"

_IN_THE_OTHER_VAULT = "SELECT count(*) FROM bench.site_event_h"
_NOT_PROCESSED = "SELECT count(*) FROM bench.site_tracking_events_r WHERE processing_status <> 'PROCESSED'"

BARS = {
    "events/s": Bar(12_000),
    "ratio to the row-by-row loop": Bar(8),
    "ratio to the load alone": Bar(0.5),
    "WAL bytes/event, all stages": Bar(3 * 1024, at_least=False),
    "worker peak MB": Bar(300, at_least=False),
}


def measure(settings: Settings) -> Result:
    """Rounds of the worker, the row-by-row loop and the load alone, each on fresh events in one database."""
    count = int(EVENTS_PER_SECOND * settings.seconds)
    seeds = itertools.count(10)
    steps: Counter[str] = Counter()
    few = count // ROW_BY_ROW_SHARE
    with open_house() as house, connect(house.database.admin_conninfo, autocommit=True) as conn:
        conn.execute(_ROW_BY_ROW.read_bytes())
        with _loading_alone(house) as alone:
            measured = interleave(
                settings.rounds,
                {
                    "one worker": lambda: _worker(house, next(seeds), count, steps),
                    "row by row": lambda: _row_by_row(house, conn, next(seeds), few, commit_each=False),
                    "row by row, each committed": lambda: _row_by_row(
                        house, conn, next(seeds), few, commit_each=True
                    ),
                    "load alone": lambda: alone.run(next(seeds), count),
                },
            )
        _check_ledger(house)
    return _result(settings, count, measured, steps)


def _result(settings: Settings, count: int, measured: dict[str, list[Figures]], steps: Counter[str]) -> Result:
    sides = summarise(measured)
    to_loop = ratio(measured, "events/s", "one worker", "row by row")
    to_alone = ratio(measured, "events/s", "one worker", "load alone")
    ours = sides["one worker"]
    got = {
        "events/s": ours["events/s"].median,
        "ratio to the row-by-row loop": to_loop.median,
        "ratio to the load alone": to_alone.median,
        "WAL bytes/event, all stages": ours["WAL bytes/event, all stages"].median,
        "worker peak MB": spread([one["worker peak MB"] for one in measured["one worker"]]).high,
    }
    return Result(
        ROW.name,
        ROW.title,
        sides,
        {
            "worker / row by row": to_loop,
            "worker / row by row, each committed": ratio(
                measured, "events/s", "one worker", "row by row, each committed"
            ),
            "worker / load alone": to_alone,
        },
        [judge(what, got[what], bar) for what, bar in BARS.items()],
        [
            "Every landed event is vaulted or a duplicate, as many of each as were made; the ledger balances.",
            "The row-by-row loop left no event in ERROR, and vaulted as many as were made.",
        ],
        [
            f"{count} events per round ({FLUSH} to a flush), of them {SENT_AGAIN:.0%} sent twice; "
            f"{traffic.VISITORS_AT_ONCE} visitors at once.",
            "Microseconds per event and step, summed over the worker's lanes: "
            + ", ".join(
                f"{name} {seconds * 1e6 / (count * settings.rounds):.1f}" for name, seconds in steps.most_common()
            ),
        ],
    )


# -- one worker ----------------------------------------------------------------------------------------------


def _worker(house: House, seed: int, count: int, steps: Counter[str]) -> Figures:
    """A worker process, started and warm, finds the whole backlog at one moment."""
    made = _with_repetitions(list(traffic.events(seed, house.holders, count)))
    with watch(house.admin, {}) as landed:
        landing.land(house, landing.rows(made), FLUSH)
    with house.database.connect(Role.WORKER) as holding:
        batches = len(holding.execute("SELECT FROM raw.batch WHERE state = 'PENDING' FOR UPDATE").fetchall())
        landing.land(house, landing.rows(traffic.events(seed + 1_000, house.holders, WARM_UP)), FLUSH)
        with house.service("worker") as worker:
            _wait_for_pending(house, batches)
            last = house.count("SELECT max(load_id) FROM ops.load")
            before = _accounted(house)
            with watch(house.admin, {"worker": worker.pid, "postgres": house.server_pid}) as cost:
                holding.execute("NOTIFY sitevault_landed")
                holding.commit()
                _wait_for_pending(house, 0)
            peak = peak_megabytes(worker.pid)
    _compare(made, _accounted(house) - before)
    figures = cost.per_event(len(made))
    all_stages = figures["WAL bytes/event"] + landed.wal_bytes / len(made)
    steps.update(_step_seconds(house, last))
    return {
        "events/s": len(made) / cost.seconds,
        **figures,
        "WAL bytes/event, all stages": all_stages,
        "worker peak MB": peak,
    }


def _with_repetitions(made: list[Event]) -> list[Event]:
    """Replaces the last ones by earlier ones sent again, so that the count stays."""
    again = max(1, int(len(made) * SENT_AGAIN))
    return made[:-again] + made[:again]


def _wait_for_pending(house: House, batches: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while house.count(_PENDING) != batches:
        if time.monotonic() > deadline:
            raise HarnessError(f"The worker left batches pending for {WAIT_SECONDS:.0f} seconds.")
        time.sleep(0.005)


def _accounted(house: House) -> Counter[str]:
    row = house.admin.execute(
        "SELECT coalesce(sum(landed), 0)::bigint, coalesce(sum(vaulted), 0)::bigint,"
        " coalesce(sum(duplicate), 0)::bigint, coalesce(sum(invalid), 0)::bigint FROM ops.ledger_d"
    ).fetchone()
    return Counter(dict(zip(("landed", "vaulted", "duplicate", "invalid"), row or (), strict=True)))


def _compare(made: list[Event], accounted: Counter[str]) -> None:
    again = len(made) - len({event.body for event in made})
    expected = Counter(landed=len(made), vaulted=len(made) - again, duplicate=again)
    if accounted != expected:
        raise HarnessError(f"Made {dict(expected)}, found {dict(accounted)}.")


def _step_seconds(house: House, after: int) -> dict[str, float]:
    found = house.admin.execute(
        "SELECT key, sum(value::float) FROM ops.load CROSS JOIN jsonb_each_text(step_seconds)"
        " WHERE load_id > %s GROUP BY key",
        (after,),
    )
    return {name: float(seconds) for name, seconds in found}


def _check_ledger(house: House) -> None:
    ledger = _accounted(house)
    landed = house.count("SELECT count(*) FROM raw.landed_event")
    vaulted = house.count("SELECT count(*) FROM business.site_event_nl")
    if landed != ledger["landed"] or vaulted != ledger["vaulted"]:
        raise HarnessError(f"{landed} landed, {vaulted} in the vault; the ledger says {dict(ledger)}.")


# -- the row-by-row loop -------------------------------------------------------------------------------------


def _row_by_row(house: House, conn: psycopg.Connection, seed: int, count: int, *, commit_each: bool) -> Figures:
    """The procedure in one call; its events are in its own landing table, and some come twice, as ours do."""
    made = _with_repetitions(list(traffic.events(seed, house.holders, count)))
    before = house.count(_IN_THE_OTHER_VAULT)
    with conn.cursor().copy(
        "COPY bench.site_tracking_events_r (tenant_hk, received_timestamp, client_ip, user_agent, raw_payload)"
        " FROM STDIN"
    ) as copy:
        copy.set_types(["bytea", "text", "text", "text", "text"])
        for holder, body in made:
            copy.write_row((holder.tenant_hk, "now", "203.0.113.7", "bench-server/1.0", body.decode()))
    with watch(house.admin, {"postgres": house.server_pid}) as cost:
        (done,) = conn.execute("CALL bench.process_pending(%s, %s)", (count, commit_each)).fetchone() or (0,)
    failed, vaulted = house.count(_NOT_PROCESSED), house.count(_IN_THE_OTHER_VAULT) - before
    if done != count or failed or vaulted != len({event.body for event in made}):
        raise HarnessError(
            f"The row-by-row loop did {done} of {count} events, {failed} of them not processed, {vaulted} vaulted."
        )
    return {"events/s": count / cost.seconds, **cost.per_event(count)}


# -- the load alone ------------------------------------------------------------------------------------------


class _LoadAlone:
    """Claims and stages like a worker, but measures only `pipeline.load` and its commit."""

    def __init__(self, house: House, conn: psycopg.Connection, rules: dict[bytes, TenantRules]) -> None:
        self._house = house
        self._conn = conn
        self._rules = rules
        self._stager = Stager()

    def run(self, seed: int, count: int) -> Figures:
        """All events, claim by claim; one connection."""
        made = _with_repetitions(list(traffic.events(seed, self._house.holders, count)))
        landing.land(self._house, landing.rows(made), FLUSH)
        before = _accounted(self._house)
        seconds = 0.0
        done = 0
        with watch(self._house.admin, {}) as cost:
            while done < count:
                loaded, spent = self._load_one_claim()
                done += loaded
                seconds += spent
        _compare(made, _accounted(self._house) - before)
        return {"events/s": done / seconds, **cost.per_event(done)}

    def _load_one_claim(self) -> tuple[int, float]:
        conn = self._conn
        with conn.transaction():
            claim = claim_batches(conn, Config().claim_events)
            if claim is None:
                raise HarnessError("Batches vanished from the queue.")
            staged = self._stager.stage_batch(claim.events, self._rules).staged
            if len(staged) != len(claim.events):
                raise HarnessError("Staging failed on events that are all good.")
            load_id, load_date = pipeline.open_load(conn)
            began = time.perf_counter()
            done = pipeline.load(conn, staged, f"bench-{os.getpid()}", {})
            loading = time.perf_counter() - began
            parameters = {"batch_ids": claim.batch_ids, "load_id": load_id, "load_date": load_date}
            conn.execute(pipeline.SQL.account_landed, parameters)
            conn.execute(SQL.finish_batches, parameters)
            began = time.perf_counter()
        return done.events, loading + time.perf_counter() - began


def _as_bytes(stored: str | bytes) -> bytes:
    return stored if isinstance(stored, bytes) else stored.encode()


@contextmanager
def _loading_alone(house: House) -> Iterator[_LoadAlone]:
    with house.database.connect(Role.WORKER, autocommit=True, application_name="bench-load") as conn:
        rules = {tenant_hk: TenantRules(*row) for tenant_hk, row in load_tenant_rules(conn).items()}
        # As the worker has it: JSON goes through as the bytes it is.
        set_json_loads(_as_bytes, conn)
        set_json_dumps(lambda ready_made: ready_made, conn)
        conn.execute(vault.SQL.plan_for_any_size)
        yield _LoadAlone(house, conn, rules)


ROW = Row("pipeline", "Landing to marts, one worker, full enrichment", measure)
