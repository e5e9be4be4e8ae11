"""Whatever landed on whatever days, and however often retention runs: nothing goes that is not accounted for."""

from __future__ import annotations

from itertools import count

from hypothesis import HealthCheck, settings
from hypothesis import given as for_every
from hypothesis import strategies as st

from aging import carry, day_ago, land_then, make_days
from given import page_view, sender
from observing import POISON, judging, refuse_poison
from sitevault.config import Config
from sitevault.db.connect import Database, connect
from sitevault.landing import retention_run
from sitevault.landing.retention import LANDING
from sitevault.observe import ledger

_runs = count()
FLUSHES = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.lists(
            st.tuples(st.sampled_from(["good", "again", "bad", "poison"]), st.integers(0, 3)),
            min_size=1,
            max_size=5,
        ),
    ),
    min_size=1,
    max_size=4,
)
"""On which day so many days ago, which events."""


def event(kind: str, number: str) -> dict[str, object]:
    if kind == "bad":
        return {"event_id": number, "page_url": "https://spa.example/"}
    return page_view(0, event_id=number, page_title=POISON if kind == "poison" else "A page")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@for_every(
    flushes=FLUSHES,
    unloaded=st.sets(st.integers(0, 3)),
    kept=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    give_up=st.booleans(),
)
def test_what_goes_is_accounted_for_and_the_ledger_balances(
    database: Database,
    flushes: list[tuple[int, list[tuple[str, int]]]],
    unloaded: set[int],
    kept: list[int],
    give_up: bool,
) -> None:
    run = next(_runs)
    if run == 0:
        refuse_poison(database)
        make_days(database, *range(7))
    who = sender(database)
    landed = 0
    for place, (days, events) in enumerate(flushes):
        make_days(database, days)
        land_then(database, who, days, *(event(kind, f"{run}-{n}") for kind, n in events))
        landed += len(events)
        if place not in unloaded:
            carry(database, days)
    waiting = open_days(database)
    before = balanced(database, who.tenant_hk)
    assert before.landed == landed
    for days in kept:
        config = Config(retention_raw_days=days, retention_staging_days=days)
        outcome = retention_run.apply(database, config, give_up_failed=give_up)
        assert balanced(database, who.tenant_hk) == before
        gone = {one.partition.day for one in outcome.dropped if one.partition.table_name == LANDING}
        assert all(day < day_ago(days) for day in gone)
        assert not gone & waiting["PENDING"]
        assert give_up or not gone & waiting["ERROR"]
    assert open_days(database)["PENDING"] == waiting["PENDING"]


def balanced(database: Database, tenant_hk: bytes) -> ledger.Line:
    with judging(database) as judge, ledger.snapshot(judge):
        recounted = ledger.recount(judge)
    assert recounted.confirmed, (recounted.disagreements, recounted.ledger)
    (line,) = (line for line in recounted.ledger.lines if line.tenant_hk == tenant_hk)
    return line


def open_days(database: Database) -> dict[str, set[object]]:
    """The days received of events that are pending, and of those in error, of all runs so far."""
    with connect(database.admin_conninfo) as admin:
        rows = admin.execute(
            "SELECT processing_status, (received_timestamp AT TIME ZONE 'UTC')::date"
            " FROM raw.site_tracking_events_r WHERE processing_status <> 'PROCESSED'"
        ).fetchall()
    found: dict[str, set[object]] = {"PENDING": set(), "ERROR": set()}
    for status, day in rows:
        found[status].add(day)
    return found
