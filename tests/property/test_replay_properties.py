"""Replays in any order, split in any way and repeated at will end in the same house."""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from given import land, page_view, row, sender
from observing import drain
from replaying import assert_confirmed, contents, replay
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.replay.rebuild import rebuild
from sitevault.staging.patch import move_field

_runs = count()
KINDS = st.lists(st.sampled_from(["good", "again", "nameless", "nameless"]), min_size=1, max_size=8)
SPLITS = st.lists(st.sampled_from(["INVALID", "ERROR", "PENDING", "PROCESSED", "VAULTED"]), min_size=1, max_size=4)
MEND = (move_field("kind_of_event=event_type"),)


def written(kind: str, run: int, number: int) -> dict[str, Any]:
    event = page_view(0 if kind == "again" else number, event_id=f"{run}-{0 if kind == 'again' else number}")
    if kind == "nameless":
        event["kind_of_event"] = event.pop("event_type")
    return event


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=KINDS, statuses=SPLITS, batch=st.integers(1, 4), drained=st.booleans())
def test_every_order_of_replays_ends_in_the_same_house(
    database: Database, kinds: list[str], statuses: list[str], batch: int, drained: bool
) -> None:
    run = next(_runs)
    who = sender(database)
    land(database, [row(who, written(kind, run, number)) for number, kind in enumerate(kinds, 1)])
    if drained:
        drain(database)
    for status in statuses:
        done = replay(database, statuses=(status,), tenant_hk=who.tenant_hk, batch=batch)
        assert done.balanced
        assert_confirmed(database)
    drain(database)
    replay(database, statuses=("INVALID",), tenant_hk=who.tenant_hk, steps=MEND, reason="mended", batch=batch)
    total = assert_confirmed(database)
    assert (total.pending, total.invalid, total.error) == (0, 0, 0)
    before = contents(database, "business.site_event_nl", "ops.ledger_d", "mart.session_f")
    replay(database, statuses=("PROCESSED",), tenant_hk=who.tenant_hk)
    assert contents(database, "business.site_event_nl", "ops.ledger_d", "mart.session_f") == before
    for level in ("staging", "vault", "marts"):
        assert rebuild(database, Config(), level, tenant_hk=who.tenant_hk).as_dict()["identical"], level
