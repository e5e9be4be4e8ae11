"""Staged events into the vault: new events by COPY, then hubs, links and satellites, set by set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import LiteralString, NamedTuple, TypeAlias

import psycopg

from sitevault.db import queries
from sitevault.db.wire import dates, hash_keys, texts, timestamps, uuids, wire_date, wire_timestamp
from sitevault.vault.arrivals import Arrival, Arrivals, Key, hash_diff
from sitevault.vault.writer import copy_duplicates, copy_events, copy_pii

SQL = queries.load("vault")

Parameters: TypeAlias = Mapping[str, object]
_TRIES = 20
"""Each try after the first follows an event that another worker committed in between."""


class Step(NamedTuple):
    """One set-based statement, and what it needs of the arrivals; None where they have nothing for it."""

    name: str
    statement: LiteralString
    parameters: Callable[[Arrivals], Parameters | None]


def settle_events(conn: psycopg.Connection, arrivals: Arrivals, load_id: int, load_date: datetime) -> None:
    """Find out which arrivals are new, and vault them; with what another worker commits meanwhile, again.

    The question and the COPY are two statements: an event that another worker vaulted in between breaks the key,
    the COPY is rolled back, and the next question finds it.
    """
    conn.execute(SQL.hold_hubs)
    known: dict[Key, int] = {}
    asked = False
    for _ in range(_TRIES):
        before, known = known, find_known(conn, arrivals)
        arrivals.settle(known)
        try:
            with conn.transaction():
                copy_events(conn, arrivals.new, load_id, load_date)
        except psycopg.errors.UniqueViolation:
            if asked and known.keys() == before.keys():
                raise
            asked = True
        else:
            return
    raise psycopg.errors.SerializationFailure("other workers vault the same events again and again")


def find_known(conn: psycopg.Connection, arrivals: Arrivals) -> dict[Key, int]:
    """Those of the arrivals' ids that the vault has, with their payload digests."""
    parameters = known_parameters(arrivals)
    if parameters is None:
        return {}
    ids = list(arrivals.firsts)
    return {ids[place - 1]: digest for place, digest in conn.execute(SQL.find_known, parameters).fetchall()}


def known_parameters(arrivals: Arrivals) -> Parameters | None:
    """What `find_known` asks for."""
    if not arrivals.firsts:
        return None
    return {
        "tenant_hks": hash_keys([tenant_hk for _, tenant_hk in arrivals.firsts]),
        "event_ids": uuids([event_id for event_id, _ in arrivals.firsts]),
        "event_days": dates([wire_date(event.event_day) for event in arrivals.firsts.values()]),
    }


def vault_pii(conn: psycopg.Connection, arrivals: Arrivals, load_id: int, load_date: datetime) -> None:
    """Personal data of the new events, apart."""
    if arrivals.new:
        copy_pii(conn, arrivals.new, load_id, load_date)


def record_duplicates(conn: psycopg.Connection, arrivals: Arrivals, load_id: int, load_date: datetime) -> None:
    """Arrivals that the vault had, or that came twice in the load."""
    if arrivals.repeats:
        copy_duplicates(conn, arrivals.repeats, load_id, load_date)


# -- hubs, links and satellites --------------------------------------------------------------------------------


def _sources(events: list[Arrival]) -> Parameters | None:
    """What every row has: its tenant and where it came from."""
    if not events:
        return None
    return {
        "tenant_hks": hash_keys([event.tenant_hk for event in events]),
        "record_sources": texts([event.record_source for event in events]),
    }


def _visitors(arrivals: Arrivals) -> Parameters | None:
    events = arrivals.visitors
    return (rows := _sources(events)) and {
        **rows,
        "visitor_hks": hash_keys([e.visitor_hk for e in events]),
        "visitor_bks": texts([e.visitor_id for e in events]),
    }


def _sessions(arrivals: Arrivals) -> Parameters | None:
    events = arrivals.sessions
    return (rows := _sources(events)) and {
        **rows,
        "session_hks": hash_keys([e.session_hk for e in events]),
        "session_bks": texts([e.session_id for e in events]),
    }


def _pages(arrivals: Arrivals) -> Parameters | None:
    events = arrivals.pages
    return (rows := _sources(events)) and {
        **rows,
        "page_hks": hash_keys([e.page_hk for e in events]),
        "page_bks": texts([(e.page_url or "").partition("://")[2] for e in events]),
    }


def _users(arrivals: Arrivals) -> Parameters | None:
    events = arrivals.users
    return (rows := _sources(events)) and {
        **rows,
        "user_hks": hash_keys([e.user_hk for e in events]),
        "user_bks": texts([e.user_bk for e in events]),
    }


def _campaigns(arrivals: Arrivals) -> Parameters | None:
    events = arrivals.campaigns
    return (rows := _sources(events)) and {
        **rows,
        "campaign_hks": hash_keys([e.campaign_hk for e in events]),
        "utm_sources": texts([e.utm_source for e in events]),
        "utm_mediums": texts([e.utm_medium for e in events]),
        "utm_campaigns": texts([e.utm_campaign for e in events]),
    }


def _session_visitors(arrivals: Arrivals) -> Parameters | None:
    events = arrivals.session_visitors
    return (rows := _sources(events)) and {
        **rows,
        "session_hks": hash_keys([e.session_hk for e in events]),
        "visitor_hks": hash_keys([e.visitor_hk for e in events]),
    }


def _visitor_users(arrivals: Arrivals) -> Parameters | None:
    events = arrivals.visitor_users
    return (rows := _sources(events)) and {
        **rows,
        "visitor_hks": hash_keys([e.visitor_hk for e in events]),
        "user_hks": hash_keys([e.user_hk for e in events]),
    }


def _identities(arrivals: Arrivals) -> Parameters | None:
    events = arrivals.identities
    return (rows := _sources(events)) and {
        **rows,
        "visitor_hks": hash_keys([e.visitor_hk for e in events]),
        "user_hks": hash_keys([e.user_hk for e in events]),
        "occurred_ats": timestamps([wire_timestamp(e.occurred_at) for e in events]),
    }


def _visitor_details(arrivals: Arrivals) -> Parameters | None:
    events = arrivals.visitors
    return (rows := _sources(events)) and {
        **rows,
        "visitor_hks": hash_keys([e.visitor_hk for e in events]),
        "device_classes": texts([e.device_class for e in events]),
        "browsers": texts([e.browser for e in events]),
        "browser_versions": texts([e.browser_version for e in events]),
        "oses": texts([e.os for e in events]),
        "os_versions": texts([e.os_version for e in events]),
        "languages": texts([e.language for e in events]),
        "screens": texts([e.screen for e in events]),
        "hash_diffs": hash_keys(
            [
                hash_diff(e.device_class, e.browser, e.browser_version, e.os, e.os_version, e.language, e.screen)
                for e in events
            ]
        ),
    }


def _session_details(arrivals: Arrivals) -> Parameters | None:
    events = arrivals.sessions
    return (rows := _sources(events)) and {
        **rows,
        "session_hks": hash_keys([e.session_hk for e in events]),
        "entry_page_urls": texts([e.page_url for e in events]),
        "referrer_urls": texts([e.referrer_url for e in events]),
        "sources": texts([e.source for e in events]),
        "channels": texts([e.channel for e in events]),
        "utm_terms": texts([e.utm_term for e in events]),
        "utm_contents": texts([e.utm_content for e in events]),
        "click_id_kinds": texts([e.click_id_kind for e in events]),
        "hash_diffs": hash_keys(
            [
                hash_diff(
                    e.page_url, e.referrer_url, e.source, e.channel, e.utm_term, e.utm_content, e.click_id_kind
                )
                for e in events
            ]
        ),
    }


def _page_details(arrivals: Arrivals) -> Parameters | None:
    events = [event for event in arrivals.pages if event.page_title is not None]
    return (rows := _sources(events)) and {
        **rows,
        "page_hks": hash_keys([e.page_hk for e in events]),
        "page_titles": texts([e.page_title for e in events]),
        "hash_diffs": hash_keys([hash_diff(e.page_title) for e in events]),
    }


STEPS = (
    Step("vault.visitors", SQL.insert_visitors, _visitors),
    Step("vault.sessions", SQL.insert_sessions, _sessions),
    Step("vault.pages", SQL.insert_pages, _pages),
    Step("vault.users", SQL.insert_users, _users),
    Step("vault.campaigns", SQL.insert_campaigns, _campaigns),
    Step("vault.session_visitors", SQL.insert_session_visitors, _session_visitors),
    Step("vault.visitor_users", SQL.insert_visitor_users, _visitor_users),
    Step("vault.visitor_user_effectivity", SQL.insert_visitor_user_effectivity, _identities),
    Step("vault.visitor_details", SQL.insert_visitor_details, _visitor_details),
    Step("vault.session_details", SQL.insert_session_details, _session_details),
    Step("vault.page_details", SQL.insert_page_details, _page_details),
)
"""After the events, for whose keys nobody waits; from the first hub on a worker may wait for another's commit."""
