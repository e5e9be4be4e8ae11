"""Writes staged events into their table by binary COPY: the one file of this room that knows the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from struct import Struct

import psycopg
from psycopg import sql

from sitevault.db.wire import (
    JSONB_VERSION,
    copy_rows,
    framed,
    framed_all,
    framed_bytes,
    wire_date,
    wire_hundredths,
    wire_timestamp,
)
from sitevault.staging.model import StagedEvent

# Columns of one size first, then groups of texts that come together again and again, then the rest.
_COLUMNS = (
    "tenant_hk", "batch_id", "raw_event_id", "event_id", "event_day", "received_timestamp", "occurred_at",
    "mapping_hk", "is_bot", "load_id", "processed_timestamp", "quality_score", "validation_errors",
    "validation_status", "enrichment_status", "event_type", "bot_evidence", "country", "region", "city",
    "record_source", "device_class", "browser", "browser_version", "os", "os_version", "language", "screen",
    "source", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "click_id_kind",
    "referrer_host", "referrer_url", "session_id", "visitor_id", "user_bk", "page_url", "page_title",
)  # fmt: skip
COPY_STAGED = sql.SQL("COPY staging.site_tracking_events_s ({}) FROM STDIN (FORMAT BINARY)").format(
    sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
)
_fixed = Struct("!hi32siqiqi16siiiqiqi16si?iqiq").pack


def copy_staged(
    conn: psycopg.Connection, events: Sequence[StagedEvent], load_id: int, load_date: datetime
) -> None:
    """COPY the events of one load. Personal data, properties and hash keys are the vault's, and left out."""
    copy_rows(conn, COPY_STAGED, _rows(events, load_id, wire_timestamp(load_date)))


def _rows(events: Sequence[StagedEvent], load_id: int, processed: int) -> Iterator[bytes]:
    fields = len(_COLUMNS)
    for e in events:
        yield b"".join(
            (
                _fixed(
                    fields, 32, e.tenant_hk, 8, e.batch_id, 8, e.raw_event_id, 16, e.event_id.bytes,
                    4, wire_date(e.event_day), 8, wire_timestamp(e.received_timestamp),
                    8, wire_timestamp(e.occurred_at), 16, e.mapping_hk, 1, e.is_bot, 8, load_id, 8, processed,
                ),
                framed_bytes(wire_hundredths(e.quality_score)),
                _findings(e.validation_errors),
                framed_all(
                    e.validation_status, e.enrichment_status, e.event_type, e.bot_evidence, e.country, e.region,
                    e.city, e.record_source,
                ),
                framed_all(
                    e.device_class, e.browser, e.browser_version, e.os, e.os_version, e.language, e.screen
                ),
                framed_all(
                    e.source, e.channel, e.utm_source, e.utm_medium, e.utm_campaign, e.utm_term, e.utm_content,
                    e.click_id_kind, e.referrer_host, e.referrer_url,
                ),
                framed(e.session_id), framed(e.visitor_id), framed(e.user_bk), framed(e.page_url),
                framed(e.page_title),
            )
        )  # fmt: skip


@lru_cache(maxsize=1024)
def _findings(json: bytes) -> bytes:
    return framed_bytes(JSONB_VERSION + json)
