"""One in, one out: whatever mixture arrives, in whatever batches, every event ends in exactly one place."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from given import Sender, land, page_view, row, sender
from observing import POISON, drain, judging, refuse_poison
from sitevault.db.connect import Database
from sitevault.observe import ledger

_runs = count()
KINDS = st.sampled_from(["good", "good", "good", "bad", "poison", "foreign key", "not an event"])
EVENTS = st.tuples(KINDS, st.integers(0, 5))
"""What kind of event, and which id of six: so the same event comes again, alone or with another body."""
FLUSHES = st.lists(st.tuples(st.integers(0, 1), st.lists(EVENTS, min_size=1, max_size=8)), min_size=1, max_size=4)


def written(who: Sender, kind: str, number: str) -> Any:
    if kind == "bad":
        return row(who, {"event_id": number, "page_url": "https://spa.example/"})
    if kind == "poison":
        return row(who, page_view(0, event_id=number, timestamp="2026-11-01T00:00:00Z", page_title=POISON))
    if kind == "not an event":
        return row(who, b'{"event_type": {"a": [1, 2]}, "timestamp": "soon", "page_url": 7}')
    owner = who._replace(api_key_hk=bytes(32)) if kind == "foreign key" else who
    return row(owner, page_view(0, event_id=number, timestamp="2026-11-01T00:00:00Z"))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flushes=FLUSHES, between=st.sets(st.integers(0, 3)))
def test_the_ledger_balances_and_the_recount_agrees(
    database: Database, flushes: list[tuple[int, list[tuple[str, int]]]], between: set[int]
) -> None:
    run = next(_runs)
    if run == 0:
        refuse_poison(database)
    senders = [sender(database), sender(database, "Test Company")]
    sent: Counter[bytes] = Counter()
    dead: Counter[bytes] = Counter()
    for place, (which, events) in enumerate(flushes):
        who = senders[which]
        land(database, [written(who, kind, f"{run}-{n}") for kind, n in events])
        sent[who.tenant_hk] += len(events)
        dead[who.tenant_hk] += sum(kind in ("poison", "foreign key") for kind, _ in events)
        assert_balances(database, sent)
        if place in between:
            drain(database)
            assert_balances(database, sent)
    drain(database)
    for line in assert_balances(database, sent):
        assert line.pending == 0
        assert line.error == dead[line.tenant_hk]


def assert_balances(database: Database, sent: Counter[bytes]) -> list[ledger.Line]:
    """The ledger balances, is what a recount finds, and holds what was sent; returns the lines of its senders."""
    with judging(database) as judge, ledger.snapshot(judge):
        recounted = ledger.recount(judge)
    assert recounted.confirmed, (recounted.disagreements, recounted.ledger)
    lines = [line for line in recounted.counted.lines if line.tenant_hk in sent]
    assert {line.tenant_hk: line.landed for line in lines} == dict(sent)
    return lines
