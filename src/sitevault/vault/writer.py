"""Writes new events and their personal data into the vault by binary COPY: one WAL record for a page of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from struct import Struct
from typing import LiteralString

import psycopg
from psycopg import sql

from sitevault.db.wire import (
    copy_rows,
    framed,
    framed_all,
    framed_bytes,
    wire_address,
    wire_date,
    wire_hundredths,
    wire_timestamp,
)
from sitevault.vault.arrivals import Arrival, Repeat


def _into(table: LiteralString, *columns: str) -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.SQL(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )


# Columns of one size first: one call frames them all.
_COPY_EVENTS = _into(
    "business.site_event_nl",
    "tenant_hk", "event_id", "event_day", "raw_event_id", "session_hk", "visitor_hk", "page_hk",
    "user_hk", "campaign_hk", "occurred_at", "received_timestamp", "is_bot", "payload_digest", "load_date",
    "load_id", "quality_score", "properties", "event_type", "referrer_host", "source", "channel", "device_class",
    "browser", "os", "country", "validation_status", "record_source",
)  # fmt: skip
_event = Struct("!hi32si16siiiqi32si32si32si32si32siqiqi?iqiqiq").pack
_EVENT_FIELDS = 27

_COPY_PII = _into(
    "business.site_event_pii_ns",
    "tenant_hk", "event_id", "event_day", "load_date", "load_id", "client_ip", "user_agent",
    "page_query", "record_source",
)  # fmt: skip
_pii = Struct("!hi32si16siiiqiq").pack
_PII_FIELDS = 9

_COPY_DUPLICATES = _into(
    "business.site_event_duplicate", "tenant_hk", "event_id", "raw_event_id", "is_conflict", "load_date", "load_id"
)
_duplicate = Struct("!hi32si16siqi?iqiq").pack
_DUPLICATE_FIELDS = 6


def copy_events(conn: psycopg.Connection, events: Sequence[Arrival], load_id: int, load_date: datetime) -> None:
    """Raises psycopg.errors.UniqueViolation for an event the vault has."""
    copy_rows(conn, _COPY_EVENTS, _events(events, load_id, wire_timestamp(load_date)))


def _events(events: Sequence[Arrival], load_id: int, loaded: int) -> Iterator[bytes]:
    for e in events:
        yield (
            _event(
                _EVENT_FIELDS, 32, e.tenant_hk, 16, e.event_id.bytes, 4, wire_date(e.event_day), 8, e.raw_event_id,
                32, e.session_hk, 32, e.visitor_hk, 32, e.page_hk, 32, e.user_hk, 32, e.campaign_hk,
                8, wire_timestamp(e.occurred_at), 8, wire_timestamp(e.received_timestamp), 1, e.is_bot,
                8, e.payload_digest, 8, loaded, 8, load_id,
            )
            + framed_bytes(wire_hundredths(e.quality_score))
            + framed_bytes(e.properties)
            + framed_all(
                e.event_type, e.referrer_host, e.source, e.channel, e.device_class, e.browser, e.os, e.country,
                e.validation_status, e.record_source,
            )
        )  # fmt: skip


def copy_pii(conn: psycopg.Connection, events: Sequence[Arrival], load_id: int, load_date: datetime) -> None:
    """What of the events is personal data; those that have none get no row."""
    copy_rows(conn, _COPY_PII, _personal(events, load_id, wire_timestamp(load_date)))


def _personal(events: Sequence[Arrival], load_id: int, loaded: int) -> Iterator[bytes]:
    for e in events:
        if e.client_ip or e.user_agent is not None or e.page_query is not None:
            head = _pii(
                _PII_FIELDS,
                32,
                e.tenant_hk,
                16,
                e.event_id.bytes,
                4,
                wire_date(e.event_day),
                8,
                loaded,
                8,
                load_id,
            )
            address = framed_bytes(wire_address(e.client_ip) if e.client_ip else None)
            yield head + address + framed(e.user_agent) + framed(e.page_query) + framed(e.record_source)


def copy_duplicates(
    conn: psycopg.Connection, repeats: Sequence[Repeat], load_id: int, load_date: datetime
) -> None:
    """Arrivals the vault had already."""
    loaded = wire_timestamp(load_date)
    in_order = sorted(repeats, key=lambda repeat: repeat.event.raw_event_id)
    copy_rows(
        conn,
        _COPY_DUPLICATES,
        (
            _duplicate(
                _DUPLICATE_FIELDS, 32, e.tenant_hk, 16, e.event_id.bytes, 8, e.raw_event_id, 1, is_conflict,
                8, loaded, 8, load_id,
            )
            for e, is_conflict in in_order
        ),
    )  # fmt: skip
