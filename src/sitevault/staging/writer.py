"""Writes staged events into their table by binary COPY: the one file of this room that knows the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter

import msgspec
import psycopg
from psycopg import sql

from sitevault.db.wire import wire_address
from sitevault.staging.model import StagedEvent

_FIELDS = tuple(field.name for field in msgspec.structs.fields(StagedEvent))
_ADDRESS = _FIELDS.index("client_ip")
_before_address = attrgetter(*_FIELDS[:_ADDRESS])
_after_address = attrgetter(*_FIELDS[_ADDRESS + 1 :])

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
    "client_ip": "bytea",  # in its wire form, which a binary COPY takes as it is
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
    """COPY the events of one load. Their JSON is ready-made: the connection's JSON dumper must pass it on."""
    tail = (load_id, load_date)
    with conn.cursor() as cursor, cursor.copy(COPY_STAGED) as copy:
        copy.set_types(COPY_TYPES)
        for event in events:
            address = wire_address(event.client_ip) if event.client_ip else None
            copy.write_row((*_before_address(event), address, *_after_address(event), *tail))
