"""An event's journey says where each landed copy is, why, and what to do; and keeps personal data to itself."""

from __future__ import annotations

import dataclasses
from uuid import UUID, uuid4

import pytest

from given import FIREFOX, Sender, land, page_view, row, sender
from observing import accept_poison, as_superuser, drain, judging, land_every_fate
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.errors import UnknownEventError, UnknownTenantError, UsageError
from sitevault.observe.trace import Copy, Fate, Journey, trace


@pytest.fixture
def spa(database: Database) -> Sender:
    return sender(database)


def journeys(database: Database, wanted: object, **options: object) -> list[Journey]:
    with judging(database) as judge:
        return trace(judge, str(wanted), **options)  # type: ignore[arg-type]


def only(found: list[Journey]) -> Journey:
    (journey,) = found
    return journey


def by_fate(database: Database) -> dict[Fate, tuple[Journey, Copy]]:
    with judging(database) as judge:
        ids = [raw for (raw,) in judge.execute("SELECT raw_event_id FROM raw.landed_event ORDER BY 1").fetchall()]
    found = {}
    for raw_event_id in ids:
        journey = only(journeys(database, raw_event_id))
        copy = next(copy for copy in journey.copies if copy.raw_event_id == raw_event_id)
        found[copy.fate] = (journey, copy)
    return found


def test_every_fate_is_told_apart(database: Database, spa: Sender) -> None:
    land_every_fate(database, spa)
    assert by_fate(database).keys() == set(Fate) - {Fate.LOST}


def test_a_vaulted_event_shows_its_times_paths_and_keys(database: Database, spa: Sender) -> None:
    land(database, [row(spa, page_view(1))])
    drain(database)
    journey, copy = by_fate(database)[Fate.VAULTED]
    (staged,) = copy.staged
    assert journey.vault is not None
    assert copy.received_at < staged.at <= journey.vault.load_date
    assert copy.batch_state == "PROCESSED"
    assert staged.worker is not None
    assert staged.loaded_at is not None
    assert staged.loaded_at >= staged.at
    assert staged.paths["session_id"] == "session_id"
    assert staged.fields["browser"] == "Firefox"
    assert set(journey.vault.keys) == {"event_hk", "session_hk", "visitor_hk", "page_hk"}
    assert journey.where.startswith("In the vault since ")


def test_a_duplicate_and_a_conflict_are_copies_of_the_vaults_event(database: Database, spa: Sender) -> None:
    land_every_fate(database, spa)
    journey, _ = by_fate(database)[Fate.CONFLICT]
    assert [copy.fate for copy in journey.copies] == [Fate.VAULTED, Fate.DUPLICATE, Fate.CONFLICT]
    assert "sent 3 times: vaulted, duplicate, conflict" in journey.where


def test_an_invalid_event_names_the_rules_and_what_they_mean(database: Database, spa: Sender) -> None:
    land_every_fate(database, spa)
    journey, copy = by_fate(database)[Fate.INVALID]
    fired = {rule.code: rule.meaning for rule in copy.staged[0].fired}
    assert fired["validate.event_type_missing"] == "No field says what kind of event this is."
    assert journey.vault is None
    assert "INVALID by the rules" in journey.where


def test_a_dead_letter_shows_what_the_database_said_and_how_to_requeue_it(database: Database, spa: Sender) -> None:
    land_every_fate(database, spa)
    journey, copy = by_fate(database)[Fate.ERROR]
    assert copy.letter is not None
    assert (copy.letter.reason_code, copy.letter.sqlstate) == ("load.rejected_by_database", "23514")
    assert copy.letter.constraint == "no_poison"
    (step, *_) = journey.next_steps
    accept_poison(database)
    with database.connect(Role.WORKER) as worker:
        worker.execute(step)  # type: ignore[arg-type]
    assert only(journeys(database, copy.raw_event_id)).copies[0].fate is Fate.PENDING
    drain(database)
    mended = only(journeys(database, copy.raw_event_id))
    assert mended.copies[0].fate is Fate.VAULTED
    assert mended.copies[0].letter is not None
    assert mended.copies[0].letter.status == "RESOLVED"
    assert mended.copies[0].letter.resolved_at is not None


def test_a_pending_event_says_so(database: Database, spa: Sender) -> None:
    land(database, [row(spa, page_view(1))])
    journey, copy = by_fate(database)[Fate.PENDING]
    assert copy.staged == ()
    assert journey.where == "Landed and durable; waiting for a worker."


def test_an_event_in_no_place_is_lost_and_never_shown_as_processed(database: Database, spa: Sender) -> None:
    land(database, [row(spa, page_view(1))])
    as_superuser(database, "UPDATE raw.batch SET state = 'PROCESSED'")
    journey, _ = by_fate(database)[Fate.LOST]
    assert "in no place" in journey.where


def test_an_id_that_two_tenants_have_is_shown_for_both(database: Database, spa: Sender) -> None:
    other = sender(database, "Test Company")
    land(database, [row(spa, page_view(1))], [row(other, page_view(2))])
    shared = uuid4()
    as_superuser(database, f"UPDATE raw.landed_event SET event_id = '{shared}'")
    assert {journey.tenant_bk for journey in journeys(database, shared)} == {spa.tenant_bk, other.tenant_bk}
    assert only(journeys(database, shared, tenant_bk=other.tenant_bk)).tenant_bk == other.tenant_bk


@pytest.mark.parametrize("wanted", [uuid4(), 17, 1 << 70])
def test_an_unknown_id_is_an_error(database: Database, spa: Sender, wanted: object) -> None:
    with pytest.raises(UnknownEventError, match="ever landed"):
        journeys(database, wanted)


def test_another_tenants_event_is_unknown_under_this_tenant(database: Database, spa: Sender) -> None:
    other = sender(database, "Test Company")
    land(database, [row(spa, page_view(1))])
    _, copy = by_fate(database)[Fate.PENDING]
    with pytest.raises(UnknownEventError, match=other.tenant_bk):
        journeys(database, copy.raw_event_id, tenant_bk=other.tenant_bk)
    with pytest.raises(UnknownTenantError):
        journeys(database, copy.raw_event_id, tenant_bk="nobody")


@pytest.mark.parametrize("wanted", ["", "yesterday", "-1", "1.5", "²"])
def test_what_is_no_id_is_a_misuse(database: Database, wanted: str) -> None:
    with pytest.raises(UsageError, match="neither an event_id"):
        journeys(database, wanted)


def test_personal_data_is_masked_unless_asked_for(database: Database, spa: Sender) -> None:
    secret = "jane@spa.example"
    land(database, [row(spa, page_view(1, user_id=secret, page_url="https://spa.example/?q=pregnancy"))])
    drain(database)
    _, copy = by_fate(database)[Fate.VAULTED]
    masked = str(dataclasses.asdict(only(journeys(database, copy.raw_event_id))))
    for personal in (secret, "pregnancy", "203.0.113", FIREFOX):
        assert personal not in masked
    shown = str(dataclasses.asdict(only(journeys(database, copy.raw_event_id, show_personal=True))))
    for personal in (secret, "pregnancy", "203.0.113", FIREFOX):
        assert personal in shown


def test_an_event_id_may_be_written_without_hyphens(database: Database, spa: Sender) -> None:
    land(database, [row(spa, page_view(1))])
    journey, _ = by_fate(database)[Fate.PENDING]
    assert isinstance(journey.event_id, UUID)
    assert only(journeys(database, journey.event_id.hex)).event_id == journey.event_id
