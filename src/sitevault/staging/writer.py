"""Writes staged events into their table by binary COPY: the one file of this room that knows the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

import msgspec
import psycopg
from psycopg import sql

from sitevault.staging.model import StagedEvent

_FIELDS = tuple(field.name for field in msgspec.structs.fields(StagedEvent))
_values = attrgetter(*_FIELDS)

_TYPES = {
    "tenant_hk": "bytea",
    "batch_id": "int8",
    "raw_event_id": "int8",
    "event_id": "uuid",
    "event_day": "date",
    "received_timestamp": "timestamptz",
    "quality_score": "numeric",
    "validation_errors": "jsonb",
    "mapping_hk": "bytea",
    "payload_digest": "int8",
    "occurred_at": "timestamptz",
    "is_bot": "bool",
    "client_ip": "inet",
    "properties": "jsonb",
    "session_hk": "bytea",
    "visitor_hk": "bytea",
    "page_hk": "bytea",
    "user_hk": "bytea",
    "campaign_hk": "bytea",
}
"""Columns that are not text; a test compares this with the table."""

COPY_STAGED = sql.SQL("COPY staging.site_tracking_events_s ({}) FROM STDIN (FORMAT BINARY)").format(
    sql.SQL(", ").join(map(sql.Identifier, (*_FIELDS, "load_id", "processed_timestamp")))
)
COPY_TYPES = [*(_TYPES.get(name, "text") for name in _FIELDS), "int8", "timestamptz"]


def copy_staged(
    conn: psycopg.Connection, events: Sequence[StagedEvent], load_id: int, load_date: datetime
) -> None:
    """COPY the events of one load; jsonb columns hold ready-made JSON bytes (`jsonb_as_bytes`)."""
    tail = (load_id, load_date)
    with conn.cursor() as cursor, cursor.copy(COPY_STAGED) as copy:
        copy.set_types(COPY_TYPES)
        for event in events:
            copy.write_row(_values(event) + tail)
