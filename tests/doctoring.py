"""Databases for tests of the doctor: our own house, and the guide's shape as others have it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from sitevault.db.connect import Database, connect
from sitevault.db.roles import Role
from sitevault.doctor.model import Check, Outcome
from sitevault.doctor.run import Report, choose, examine
from sitevault.doctor.snapshot import Options, Snapshot, opened

GUIDE = """
CREATE SCHEMA auth; CREATE SCHEMA raw; CREATE SCHEMA staging;
CREATE TABLE auth.tenant_h (
    tenant_hk bytea PRIMARY KEY, tenant_bk varchar(255) NOT NULL UNIQUE,
    load_date timestamptz NOT NULL DEFAULT now(), record_source varchar(100) NOT NULL DEFAULT 'test'
);
CREATE TABLE raw.site_tracking_events_r (
    raw_event_id serial PRIMARY KEY,
    tenant_hk bytea NOT NULL REFERENCES auth.tenant_h (tenant_hk),
    received_timestamp timestamptz NOT NULL DEFAULT now(),
    raw_payload jsonb NOT NULL,
    processing_status varchar(20) NOT NULL DEFAULT 'PENDING'
        CHECK (processing_status IN ('PENDING', 'PROCESSING', 'PROCESSED', 'ERROR')),
    error_message text,
    retry_count integer NOT NULL DEFAULT 0
);
CREATE INDEX ON raw.site_tracking_events_r (processing_status, received_timestamp);
CREATE TABLE staging.site_tracking_events_s (
    staging_event_id serial PRIMARY KEY,
    raw_event_id integer REFERENCES raw.site_tracking_events_r (raw_event_id),
    tenant_hk bytea NOT NULL REFERENCES auth.tenant_h (tenant_hk),
    event_type varchar(50) NOT NULL,
    session_id varchar(255), user_id varchar(255), page_url text, page_title text, device_type varchar(50),
    event_timestamp timestamptz,
    processed_timestamp timestamptz NOT NULL DEFAULT now(),
    validation_status varchar(20) NOT NULL DEFAULT 'VALID'
        CHECK (validation_status IN ('VALID', 'INVALID', 'SUSPICIOUS')),
    enrichment_status varchar(20) DEFAULT 'ENRICHED',
    quality_score numeric(3, 2) DEFAULT 1.00
);
CREATE INDEX ON staging.site_tracking_events_s (raw_event_id);
"""


def run(conn_or_database: Database | str, *statements: str) -> None:
    """What only damage, or a test, does."""
    where = conn_or_database if isinstance(conn_or_database, str) else conn_or_database.admin_conninfo
    with connect(where) as admin:
        for statement in statements:
            admin.execute(statement)  # type: ignore[call-overload]


@contextmanager
def snapshot_of(where: Database | str, options: Options | None = None) -> Iterator[Snapshot]:
    """A snapshot as the doctor takes it: as the auditor of our own house, or by a connection string."""
    conninfo = where if isinstance(where, str) else where.conninfo(Role.AUDITOR, "doctor")
    with opened(conninfo, options) as snapshot:
        yield snapshot


def look(where: Database | str, check: Check, options: Options | None = None) -> Outcome:
    """What one check says of a database."""
    with snapshot_of(where, options) as snapshot:
        (examined,) = examine(snapshot, [check]).examined
        return examined.outcome


def report_on(where: Database | str, *names: str) -> Report:
    """A whole round, or one of the named checks."""
    with snapshot_of(where) as snapshot:
        return examine(snapshot, choose(names))


def guide_shape(admin: psycopg.Connection[Any]) -> None:
    """The guide's tables, empty."""
    admin.execute(GUIDE)  # type: ignore[call-overload]
