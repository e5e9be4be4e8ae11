"""A funnel says the same whether its days are rolled up or read from the events, and what a plain count says."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from aging import day_ago, noon
from given import Sender, land, page_view, row, sender
from observing import as_superuser
from sitevault.config import Config
from sitevault.db.connect import Database
from sitevault.db.roles import Role
from sitevault.marts.rollup import roll_days
from sitevault.replay.rebuild import rebuild
from sitevault.worker.run import Worker

TYPES = ("page_view", "add_to_cart", "purchase", "big_sale", "big.sale", "a b")
BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"
numbers = itertools.count()


class Did(NamedTuple):
    """An event, as far as funnels care."""

    session: str | None
    event_type: str
    at: datetime
    is_bot: bool = False


@pytest.fixture
def spa(database: Database) -> Sender:
    return sender(database)


def loaded(database: Database, who: Sender, events: Sequence[Did]) -> None:
    land(database, [row(who, _payload(event)) for event in events])
    Worker(database, Config(), lanes=1).drain()


def _payload(event: Did) -> dict[str, Any]:
    agent = {"user_agent": BOT} if event.is_bot else {}
    return page_view(
        next(numbers),
        session_id=event.session,
        event_type=event.event_type,
        timestamp=event.at.isoformat(),
        **agent,
    )


def roll(database: Database) -> int:
    with database.connect(Role.WORKER, autocommit=True) as worker:
        return roll_days(worker, again_seconds=0)


def funnel(database: Database, who: Sender, first: int, last: int, *steps: str) -> list[int]:
    """Of the days between so many days ago, as the tenant's reader."""
    with database.connect(Role.READER, autocommit=True) as reader, reader.transaction():
        reader.execute("SELECT set_config('sitevault.tenant_hk', %s, true)", (who.tenant_hk.hex(),))
        found = reader.execute(
            "SELECT sessions FROM mart.funnel(%s, %s, %s, VARIADIC %s::text [])",
            (who.tenant_hk, day_ago(first), day_ago(last), list(steps)),
        ).fetchall()
    return [sessions for (sessions,) in found]


def plain_count(events: Sequence[Did], first: int, last: int, *steps: str) -> list[int]:
    """Session by session, step by step."""
    by_session: dict[str, list[Did]] = defaultdict(list)
    for one in events:
        if one.session and not one.is_bot and day_ago(first) <= one.at.date() <= day_ago(last):
            by_session[one.session].append(one)
    reached = [0] * len(steps)
    for did in by_session.values():
        at = datetime.min.replace(tzinfo=noon(0).tzinfo)
        for place, step in enumerate(steps):
            later = [one.at for one in did if one.event_type == step and one.at > at]
            if not later:
                break
            at = min(later)
            reached[place] += 1
    return reached


def made_up(choice: random.Random, count: int) -> Iterator[Did]:
    """Sessions that cross midnight, events at the same moment, bots, and events without a session."""
    for _ in range(count):
        begins = noon(0) - timedelta(days=choice.randrange(5), hours=choice.choice((0, 0, 0, 11)))
        yield Did(
            choice.choice([None, *(f"s-{number}" for number in range(25))]),
            choice.choice(TYPES),
            begins + timedelta(minutes=choice.randrange(120)),
            choice.random() < 0.1,
        )


QUESTIONS = (
    ("page_view",),
    ("page_view", "add_to_cart", "purchase"),
    ("page_view", "page_view", "page_view", "page_view"),
    ("big_sale", "big.sale"),
    ("big.sale", "big_sale", "a b"),
    ("big%", "page_view"),
    ("a", "b"),
    ("page_view,", "%"),
    ("purchase", "page_view", "never"),
)


def assert_funnels_are_true(database: Database, who: Sender, events: Sequence[Did]) -> None:
    for steps, (first, last) in itertools.product(QUESTIONS, ((5, 0), (5, 2), (3, 1), (1, 1), (2, 3))):
        told = funnel(database, who, first, last, *steps)
        assert told == plain_count(events, first, last, *steps), (steps, first, last)


@pytest.mark.parametrize("seed", range(4))
def test_rolled_up_or_not_a_funnel_is_what_a_plain_count_says(database: Database, spa: Sender, seed: int) -> None:
    choice = random.Random(seed)
    events: list[Did] = []
    for _ in range(3):
        more = list(made_up(choice, 150))
        loaded(database, spa, more)
        events += more
        assert_funnels_are_true(database, spa, events)
        assert roll(database) > 0
        assert_funnels_are_true(database, spa, events)


def test_sessions_of_one_day_add_up_and_others_are_kept_by_themselves(database: Database, spa: Sender) -> None:
    at = noon(2)
    loaded(database, spa, [Did(name, "page_view", at) for name in ("a", "b", "c", "d")])
    loaded(database, spa, [Did("d", "purchase", noon(1))])
    roll(database)
    with database.connect(Role.JUDGE) as judge:
        whole = judge.execute("SELECT day, path, sessions FROM mart.path_day_f").fetchall()
        apart = judge.execute("SELECT day, event_types FROM mart.path_session_f ORDER BY day").fetchall()
    assert whole == [(day_ago(2), "\n,page_view,", 3)]
    assert apart == [(day_ago(2), ["page_view"]), (day_ago(1), ["purchase"])]


def test_a_session_that_goes_on_another_day_is_counted_once(database: Database, spa: Sender) -> None:
    loaded(database, spa, [Did("a", "page_view", noon(3))])
    roll(database)
    loaded(database, spa, [Did("a", "purchase", noon(1))])
    assert funnel(database, spa, 3, 0, "page_view", "purchase") == [1, 1]
    roll(database)
    assert funnel(database, spa, 3, 0, "page_view", "purchase") == [1, 1]
    assert funnel(database, spa, 3, 2, "page_view", "purchase") == [1, 0]


def test_a_client_whose_clock_is_wrong_is_counted_on_the_day_of_its_events(
    database: Database, spa: Sender
) -> None:
    """An event's day in the vault is that of its id, by the client's clock; when it occurred is corrected."""
    sent = noon(3).isoformat()
    payload = _payload(Did("a", "page_view", noon(3))) | {"sent_at": sent}
    land(database, [row(spa, payload)])
    Worker(database, Config(), lanes=1).drain()
    asked = [funnel(database, spa, back, back, "page_view") for back in range(5)]
    roll(database)
    assert [funnel(database, spa, back, back, "page_view") for back in range(5)] == asked
    assert sum(count for (count,) in asked) == 1


def test_a_rebuild_of_the_vault_that_changes_an_event_opens_its_tenants_days(
    database: Database, spa: Sender
) -> None:
    loaded(database, spa, [Did("a", "page_view", noon(2)), Did("a", "purchase", noon(2) + timedelta(minutes=1))])
    as_superuser(
        database, "UPDATE business.site_event_nl SET event_type = 'nothing' WHERE event_type = 'purchase'"
    )
    roll(database)
    assert funnel(database, spa, 3, 0, "page_view", "purchase") == [1, 0]
    assert rebuild(database, Config(), "vault", accept_differences=True).swapped
    assert funnel(database, spa, 3, 0, "page_view", "purchase") == [1, 1]
    roll(database)
    assert funnel(database, spa, 3, 0, "page_view", "purchase") == [1, 1]
