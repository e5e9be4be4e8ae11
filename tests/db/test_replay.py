"""Replay: whatever is carried again, and however often, each event is in one place and in the vault once."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from given import Sender, land, page_view, row, sender
from observing import accept_poison, as_superuser, drain, judging, land_every_fate
from replaying import HOUSE, assert_confirmed, contents, replay
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import ReplayStoppedError, UnknownReplayError, UsageError
from sitevault.observe.trace import trace
from sitevault.replay import book, run
from sitevault.replay.rehearse import rehearse
from sitevault.replay.selection import Selection
from sitevault.staging.patch import move_field, set_field
from sitevault.tenancy.context import tenant_context


@pytest.fixture
def who(database: Database) -> Sender:
    return sender(database)


def nameless(number: int, **fields: Any) -> dict[str, Any]:
    """An event that calls its type by a name nobody knows: INVALID."""
    event = page_view(number, **fields)
    event["kind_of_event"] = event.pop("event_type")
    return event


REFUSE = "ALTER TABLE business.site_event_nl ADD CONSTRAINT none_today CHECK (event_type = 'no') NOT VALID"
NAME_IT = (move_field("kind_of_event=event_type"),)


def land_and_drain(database: Database, who: Sender, *events: dict[str, Any]) -> None:
    land(database, [row(who, event) for event in events])
    drain(database)


def test_a_selection_that_says_nothing_is_refused(database: Database) -> None:
    with pytest.raises(UsageError):
        replay(database)


def test_a_dead_letter_goes_to_the_vault_once_its_cause_is_gone(database: Database, who: Sender) -> None:
    land_every_fate(database, who)
    accept_poison(database)
    done = replay(database, statuses=("ERROR",))
    assert (done.state, done.selected, done.vaulted, done.error) == ("DONE", 1, 1, 0)
    assert assert_confirmed(database).error == 0


def test_a_dead_letter_whose_cause_stays_is_tried_once_more(database: Database, who: Sender) -> None:
    land_every_fate(database, who)
    done = replay(database, statuses=("ERROR",))
    assert (done.selected, done.error) == (1, 1)
    with judging(database) as judge:
        assert judge.execute("SELECT status, attempts FROM raw.dead_letter").fetchall() == [("ERROR", 2)]
    assert_confirmed(database)


def test_an_invalid_event_a_patch_mends_moves_to_vaulted(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1), nameless(2), page_view(3))
    assert assert_confirmed(database).invalid == 2
    done = replay(database, statuses=("INVALID",), steps=NAME_IT, reason="the shop's old tag")
    assert (done.selected, done.vaulted) == (2, 2)
    total = assert_confirmed(database)
    assert (total.landed, total.vaulted, total.invalid) == (3, 3, 0)


def test_raw_stays_byte_for_byte_what_was_received(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1))
    before = contents(database, "raw.landed_event")
    replay(database, statuses=("INVALID",), steps=NAME_IT, reason="mended")
    assert contents(database, "raw.landed_event") == before


def test_an_invalid_event_that_stays_invalid_is_counted_as_before(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1))
    done = replay(database, statuses=("INVALID",))
    assert (done.selected, done.invalid) == (1, 1)
    assert assert_confirmed(database).invalid == 1
    assert len(contents(database, "staging.site_tracking_events_s")["staging.site_tracking_events_s"]) == 1


def test_an_invalid_event_the_database_refuses_becomes_a_dead_letter(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1))
    as_superuser(
        database,
        "ALTER TABLE business.site_event_nl ADD CONSTRAINT none_today CHECK (event_type = 'no') NOT VALID",
    )
    done = replay(database, statuses=("INVALID",), steps=NAME_IT, reason="mended")
    assert (done.selected, done.error) == (1, 1)
    total = assert_confirmed(database)
    assert (total.invalid, total.error) == (0, 1)


def test_a_duplicate_among_the_mended_is_a_duplicate(database: Database, who: Sender) -> None:
    land_and_drain(database, who, page_view(1))
    land_and_drain(database, who, nameless(1))
    done = replay(database, statuses=("INVALID",), steps=NAME_IT, reason="mended")
    assert (done.selected, done.duplicate) == (1, 1)
    assert_confirmed(database)


def test_pending_events_are_carried_without_a_worker(database: Database, who: Sender) -> None:
    land(database, [row(who, page_view(number)) for number in range(5)])
    done = replay(database, statuses=("PENDING",))
    assert (done.selected, done.vaulted) == (5, 5)
    assert assert_confirmed(database).pending == 0


def test_whatever_is_replayed_again_changes_nothing(database: Database, who: Sender) -> None:
    land_every_fate(database, who)
    drain(database)
    everything = ("ERROR", "INVALID", "PENDING", "PROCESSED")
    replay(database, statuses=everything)
    settled = [table for table in HOUSE if table != "staging.site_tracking_events_s"]
    before = contents(database, *settled)
    done = replay(database, statuses=everything)
    assert contents(database, *settled) == before
    assert done.balanced
    assert done.unchanged == 5
    assert_confirmed(database)


def test_a_patch_is_recorded_with_who_when_and_why(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1))
    replay(database, statuses=("INVALID",), steps=NAME_IT, reason="the shop's old tag")
    with judging(database) as judge:
        found = judge.execute("SELECT steps, reason, actor <> '', recorded_at <= now() FROM staging.event_patch")
        assert found.fetchall() == [
            ([{"op": "move", "path": "kind_of_event", "to": "event_type"}], "the shop's old tag", True, True)
        ]
        raw_event_id = judge.execute("SELECT raw_event_id FROM raw.landed_event").fetchone()
        assert raw_event_id is not None
        judge.rollback()
        (journey,) = trace(judge, str(raw_event_id[0]))
    (copy,) = journey.copies
    assert [(one.was, one.became) for one in copy.replays] == [("invalid", "vaulted")]
    assert [one.reason for one in copy.patches] == ["the shop's old tag"]


def test_a_patch_without_a_reason_is_refused(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1))
    with pytest.raises(UsageError):
        replay(database, statuses=("INVALID",), steps=NAME_IT)


def test_the_audit_log_says_who_replayed_and_which_fields_but_no_value(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1))
    steps = (*NAME_IT, set_field('page_title="a secret title"'))
    replay(database, statuses=("INVALID",), steps=steps, reason="mended")
    with database.connect(Role.AUDITOR) as auditor:
        found = auditor.execute("SELECT record FROM audit.entry WHERE action = 'events.replay'").fetchall()
    (record,) = (json.loads(text) for (text,) in found)
    assert record["details"]["events"] == 1
    assert record["details"]["patch"] == ["move kind_of_event event_type", "set page_title"]
    assert "secret" not in found[0][0]


def test_a_patch_holds_for_whoever_stages_the_event_later(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1))
    as_superuser(
        database,
        "ALTER TABLE business.site_event_nl ADD CONSTRAINT none_today CHECK (event_type = 'no') NOT VALID",
    )
    replay(database, statuses=("INVALID",), steps=NAME_IT, reason="mended")
    as_superuser(database, "ALTER TABLE business.site_event_nl DROP CONSTRAINT none_today")
    with database.connect(Role.WORKER) as worker:
        worker.execute(
            "UPDATE raw.site_tracking_events_r SET processing_status = 'PENDING', error_message = NULL"
            " WHERE processing_status = 'ERROR'"
        )
    drain(database)
    assert assert_confirmed(database).vaulted == 1


def test_a_rehearsal_shows_where_events_would_end_and_changes_nothing(database: Database, who: Sender) -> None:
    land_every_fate(database, who)
    accept_poison(database)
    before = contents(database, *HOUSE, "raw.dead_letter", "raw.batch", "ops.replay", "staging.event_patch")
    shown = rehearse(database, Config(), Selection(statuses=("ERROR", "INVALID", "PENDING", "PROCESSED"))).shown
    assert sorted((one.was, one.ends) for one in shown) == [
        ("conflict", "conflict"), ("duplicate", "duplicate"), ("error", "vaulted"), ("invalid", "invalid"),
        ("pending", "vaulted"), ("vaulted", "vaulted"), ("vaulted", "vaulted"),
    ]  # fmt: skip
    assert (
        contents(database, *HOUSE, "raw.dead_letter", "raw.batch", "ops.replay", "staging.event_patch") == before
    )


def test_a_rehearsal_shows_old_and_new_values_side_by_side(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1))
    (shown,) = rehearse(database, Config(), Selection(statuses=("INVALID",)), steps=NAME_IT).shown
    assert shown.ends == "vaulted"
    assert shown.changes["event_type"] == (None, "page_view")
    assert shown.changes["validation_status"] == ("INVALID", "VALID")
    assert "page_url" not in shown.changes


def test_a_rehearsal_says_what_would_be_staged_of_a_vaulted_event_today(database: Database, who: Sender) -> None:
    land_and_drain(database, who, page_view(1, page_title="Home"))
    (shown,) = rehearse(database, Config(), Selection(statuses=("VAULTED",))).shown
    assert (shown.outcome, shown.changes) == ("unchanged", {})
    as_superuser(database, "UPDATE staging.site_tracking_events_s SET page_title = 'Hom'")
    (shown,) = rehearse(database, Config(), Selection(statuses=("VAULTED",))).shown
    assert shown.changes == {"page_title": ("Hom", "Home")}


def test_a_rehearsal_hides_personal_values_unless_asked(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1))
    as_superuser(database, "UPDATE staging.site_tracking_events_s SET user_bk = 'somebody'")
    chosen = Selection(statuses=("INVALID",))
    (shown,) = rehearse(database, Config(), chosen).shown
    assert "somebody" not in str(shown.changes)
    (shown,) = rehearse(database, Config(), chosen, show_personal=True).shown
    assert shown.changes["user_bk"] == ("somebody", None)


@pytest.mark.parametrize(
    ("wanted", "events"),
    [
        ({"statuses": ("ERROR",)}, 1),
        ({"statuses": ("INVALID",)}, 1),
        ({"statuses": ("PENDING",)}, 1),
        ({"statuses": ("VAULTED",)}, 2),
        ({"statuses": ("DUPLICATE",)}, 2),
        ({"statuses": ("PROCESSED",)}, 5),
        ({"reasons": ("load.rejected_by_database",)}, 1),
        ({"reasons": ("validate.event_type_missing",)}, 1),
        ({"sqlstates": ("23514",)}, 1),
        ({"sqlstates": ("23505",)}, 0),
    ],
)
def test_events_are_selected_by_what_is_known_of_them(
    database: Database, who: Sender, wanted: dict[str, Any], events: int
) -> None:
    land_every_fate(database, who)
    with judging(database) as judge:
        assert sum(book.count(judge, Selection(**wanted)).values()) == events


def test_events_are_selected_by_id_tenant_time_and_load(database: Database, who: Sender) -> None:
    other = sender(database, "Test Company")
    land_and_drain(database, who, page_view(1), page_view(2))
    land_and_drain(database, other, page_view(1))
    with judging(database) as judge:
        found = judge.execute(
            "SELECT tenant_hk, raw_event_id, event_id, received_timestamp, load_id"
            " FROM staging.site_tracking_events_s ORDER BY raw_event_id"
        ).fetchall()

        def chosen(**wanted: Any) -> int:
            return sum(book.count(judge, Selection(**wanted)).values())

        first, last = found[0], found[-1]
        assert chosen(ids=(str(first[1]),)) == 1
        assert chosen(ids=(str(first[2]), str(last[2]))) == 2
        assert chosen(tenant_hk=first[0]) == 2
        assert chosen(tenant_hk=first[0], ids=(str(last[2]),)) == 0
        assert chosen(received_from=last[3]) == 1
        assert chosen(received_to=last[3]) == 2
        assert chosen(loads=(last[4],)) == 1


def test_a_replay_that_is_killed_goes_on_where_it_was(
    database: Database, who: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_and_drain(database, who, *(nameless(number) for number in range(10)))
    carried = run.carry

    def killed_at_the_third(*given: Any) -> Any:
        ended = carried(*given)
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return ended

    calls: list[int] = []
    monkeypatch.setattr(run, "carry", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        replay(database, statuses=("INVALID",), steps=NAME_IT, reason="mended", batch=3)
    monkeypatch.setattr(run, "carry", carried)
    with judging(database) as judge:
        (stopped,) = book.newest(judge, 5)
    assert (stopped.state, stopped.selected, stopped.vaulted) == ("STOPPED", 10, 6)
    assert_confirmed(database)
    done = run.resume(database, Config(), stopped.replay_id, batch=3)
    assert (done.state, done.vaulted, done.balanced) == ("DONE", 10, True)
    assert assert_confirmed(database).vaulted == 10


def test_a_replay_that_is_done_stays_done(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1))
    done = replay(database, statuses=("INVALID",))
    assert run.resume(database, Config(), done.replay_id) == done


def test_a_replay_nobody_began_is_not_known(database: Database) -> None:
    with pytest.raises(UnknownReplayError):
        run.resume(database, Config(), 99)


def test_what_stops_a_replay_is_said_and_it_can_be_resumed(database: Database, who: Sender) -> None:
    land_and_drain(database, who, nameless(1))
    as_superuser(database, "ALTER TABLE mart.session_f RENAME TO session_gone")
    with pytest.raises(ReplayStoppedError, match="42P01"):
        replay(database, statuses=("INVALID",), steps=NAME_IT, reason="mended")
    as_superuser(database, "ALTER TABLE mart.session_gone RENAME TO session_f")
    done = run.resume(database, Config(), 1)
    assert (done.state, done.vaulted) == ("DONE", 1)
    assert_confirmed(database)


def test_two_replays_of_the_same_events_account_for_them_once(database: Database, who: Sender) -> None:
    land_and_drain(database, who, *(nameless(number) for number in range(30)))
    with database.connect(Role.WORKER, autocommit=True) as conn:
        numbers = [book.open_events(conn, Selection(statuses=("INVALID",)), NAME_IT, "mended") for _ in range(2)]
    threads = [
        threading.Thread(target=run.resume, args=(database, Config(), number), kwargs={"batch": 4})
        for number in numbers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = assert_confirmed(database)
    assert (total.vaulted, total.duplicate, total.invalid) == (30, 0, 0)
    with judging(database) as judge:
        assert {one.state for one in book.newest(judge, 5)} == {"DONE"}


def test_a_slow_replay_keeps_its_rate(database: Database, who: Sender) -> None:
    land_and_drain(database, who, *(nameless(number) for number in range(8)))
    began = time.monotonic()
    run.start(database, Config(), Selection(statuses=("INVALID",)), batch=2, rate=10)
    assert time.monotonic() - began >= 0.6


def test_a_tenants_reader_sees_its_own_replays_and_no_other(database: Database, who: Sender) -> None:
    other = sender(database, "Test Company")
    land_and_drain(database, who, nameless(1))
    replay(database, statuses=("INVALID",))
    with judging(database) as judge:
        assert judge.execute("SELECT count(*) FROM ops.replay_event").fetchone() == (1,)
    with database.connect(Role.READER, autocommit=True) as reader, tenant_context(reader, other.tenant_hk):
        assert reader.execute("SELECT count(*) FROM raw.landed_event").fetchone() == (0,)
