"""Traffic before and after a deploy, for tests of the gates: in our own house, and by the guide's functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg

from given import Sender, land, page_view, row
from observing import drain, judging
from sitevault.db.connect import Database, connect
from sitevault.demo import incident
from sitevault.observe.kpis import Verdict
from sitevault.release.gates.baseline import Baseline
from sitevault.release.gates.model import TESTING, Drift, GateResult, Thresholds
from sitevault.release.judge import Judgement, freeze, judge

EVENTS = 200
LONG_AGO = datetime.fromisoformat("2020-01-01T00:00:00+00:00")


@dataclass(frozen=True)
class Released:
    """A database with a window before the deploy and one after it."""

    database: Database
    shape: str
    since: datetime
    baseline: Baseline | None = None
    thresholds: Thresholds = TESTING

    @contextmanager
    def reading(self) -> Iterator[psycopg.Connection[Any]]:
        """As the judge of our own house, or as the guide's owner."""
        if self.shape == "house":
            with judging(self.database) as conn:
                yield conn
        else:
            with connect(self.database.admin_conninfo) as conn:
                yield conn

    def judged(self, until: datetime | None = None, **given: Any) -> Judgement:
        """The verdict now."""
        with self.reading() as conn:
            return judge(
                conn, self.shape, self.since, until, thresholds=self.thresholds, baseline=self.baseline,
                drift=lambda: Drift(3), **given,
            )  # fmt: skip

    def gate(self, name: str, until: datetime | None = None, **given: Any) -> GateResult:
        """What one gate says now."""
        (found,) = [one for one in self.judged(until, **given).results if one.name == name]
        return found

    def wanting(self, **changes: Any) -> Released:
        """With other thresholds."""
        return replace(self, thresholds=Thresholds(**changes))

    def run(self, *statements: str) -> None:
        """What only damage, or a test, does."""
        with connect(self.database.admin_conninfo) as admin:
            for statement in statements:
                admin.execute(statement)  # type: ignore[call-overload]


def now(database: Database) -> datetime:
    """The database's clock."""
    with connect(database.admin_conninfo) as conn:
        row = conn.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        moment: datetime = row[0]
        return moment


def visits(database: Database, who: Sender, first: int, events: int = EVENTS, **fields: Any) -> None:
    """Events of our own house, landed and loaded."""
    land(
        database, [row(who, page_view(first + number, page_title="A page", **fields)) for number in range(events)]
    )
    drain(database)


def house_deployed(database: Database, who: Sender) -> Released:
    """Our own house with traffic before the deploy, and none yet after it."""
    visits(database, who, 0)
    since = now(database)
    with judging(database) as conn:
        return Released(database, "house", since, freeze(conn, "house", LONG_AGO, since))


def many_loads(released: Released, loads: int = 100) -> None:
    """As many loads as an hour has, like the last."""
    columns = "worker, load_date, finished_at, batches, events, vaulted, duplicate, invalid, error, step_seconds"
    released.run(
        f"INSERT INTO ops.load (load_id, {columns}) SELECT load_id + n, {columns}"
        f" FROM ops.load, generate_series(1, {loads}) AS n WHERE load_id = (SELECT max(load_id) FROM ops.load)"
    )


PAYLOAD = """jsonb_build_object(
    'event_type', CASE n % 2 WHEN 0 THEN 'page_view' ELSE 'button_click' END,
    'page_url', 'https://www.theonespa.example/' || n % 7,
    'timestamp', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'event_data', jsonb_build_object(
        'session_id', 's-' || n % 5, 'user_id', 'u-' || n % 3, 'page_title', 'A page', 'device_type', 'mobile',
        'user_agent', 'Mozilla/5.0 (X11; Linux x86_64) Firefox/127.0', 'scroll_depth', 40))"""
KEY = "sha256(convert_to('key of THE_ONE_SPA', 'UTF8'))"


def sent(database: Database, events: int = EVENTS, key: str = KEY) -> None:
    """Events through the guide's own door, and not yet processed."""
    with connect(database.admin_conninfo) as conn:
        conn.execute(  # type: ignore[call-overload]
            f"SELECT raw.ingest_site_event({PAYLOAD}, {key}) FROM generate_series(1, {events}) AS n"
        )


def carried(database: Database, events: int = EVENTS, key: str = KEY) -> None:
    """Events through the guide's own door and its own function, at one moment."""
    with connect(database.admin_conninfo) as conn:
        conn.execute(  # type: ignore[call-overload]
            f"SELECT raw.ingest_site_event({PAYLOAD}, {key}) FROM generate_series(1, {events}) AS n"
        )
        conn.execute("SELECT staging.process_pending_events(100000)")


def guide_deployed(database: Database) -> Released:
    """The guide's database, mended, with traffic before the deploy and none yet after it."""
    with connect(database.admin_conninfo) as conn:
        incident.build(conn, "v1", events=False)
        incident.mend(conn)
    carried(database)
    since = now(database)
    with connect(database.admin_conninfo) as conn:
        return Released(database, "guide", since, freeze(conn, "guide", LONG_AGO, since))


def verdicts(judgement: Judgement) -> dict[str, Verdict]:
    """Each gate's verdict."""
    return {one.name: one.verdict for one in judgement.results}
