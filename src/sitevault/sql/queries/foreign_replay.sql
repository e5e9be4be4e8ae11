-- Replay in a foreign database of the guide's shape: its own functions carry its own events, one at a time.

-- name: shape
-- Whose database it is: Sitevault's own, one of the guide's shape, or another.
SELECT
    to_regclass('raw.landed_event') IS NOT NULL AND to_regclass('ops.ledger_d') IS NOT NULL AS house,
    to_regclass('raw.site_tracking_events_r') IS NOT NULL
    AND to_regclass('staging.site_tracking_events_s') IS NOT NULL AS guide;

-- name: entry_points
-- Functions that take an event's number and carry it from the raw table to the staging table.
SELECT
    format('%I.%I', n.nspname, p.proname) AS name,
    format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS identity,
    p.prokind
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n ON p.pronamespace = n.oid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND p.prokind IN ('f', 'p')
    AND p.pronargs - p.pronargdefaults = 1 AND p.proargtypes[0] IN ('bigint'::regtype, 'integer'::regtype)
    AND p.prosrc ~* 'site_tracking_events_r' AND p.prosrc ~* 'site_tracking_events_s'
ORDER BY 1;

-- name: stuck_events
-- Which events are selected, the oldest first, whose they are and how they stand.
SELECT r.raw_event_id, t.tenant_bk, r.processing_status
FROM raw.site_tracking_events_r AS r
LEFT JOIN auth.tenant_h AS t ON r.tenant_hk = t.tenant_hk
WHERE r.processing_status = ANY(%(statuses)s)
    AND (%(ids)s::bigint[] IS NULL OR r.raw_event_id = ANY(%(ids)s::bigint[]))
    AND (%(tenant)s::text IS NULL OR t.tenant_bk = %(tenant)s::text)
ORDER BY r.received_timestamp, r.raw_event_id;

-- name: can_be_paused
-- Whether a release may pause whoever carries events here, and this user can read it.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
    WHERE n.nspname = 'sitevault_release' AND c.relname = 'pause'
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
);

-- name: begin_work
-- Held to the end of the transaction: a pause waits for it. Whether it is paused is asked after that.
SELECT pg_try_advisory_xact_lock_shared(hashtext('sitevault.pause'));

-- name: who_paused
-- Who paused, since when and why.
SELECT p.by, p.since, p.message FROM {pause} AS p WHERE p.paused;

-- name: bound_an_attempt
-- One event holds nobody up.
SELECT
    set_config('lock_timeout', %(lock_timeout)s, true), set_config('statement_timeout', %(statement_timeout)s, true);

-- name: take_event
-- The event as it stands now, locked; no row where somebody else is at it.
SELECT r.processing_status
FROM {raw} AS r
WHERE r.raw_event_id = %(raw_event_id)s
FOR UPDATE SKIP LOCKED;

-- name: staged_rows
-- How many staging rows the event has.
SELECT count(*) FROM staging.site_tracking_events_s AS s WHERE s.raw_event_id = %(raw_event_id)s;

-- name: ready_event
-- As the functions expect it.
UPDATE raw.site_tracking_events_r
SET processing_status = 'PENDING', error_message = NULL
WHERE raw_event_id = %(raw_event_id)s AND processing_status = 'ERROR';

-- name: decide_now
-- What is deferred to the commit is checked before the outcome is said.
SET CONSTRAINTS ALL IMMEDIATE;

-- name: ended
-- Where the event stands, and the SQLSTATE that its function wrote down, where it wrote one.
SELECT r.processing_status, substring(r.error_message FROM '^[0-9A-Z]{{5}}(?=:| )')
FROM {raw} AS r
WHERE r.raw_event_id = %(raw_event_id)s;

-- name: counts_attempts
-- Whether the raw table counts attempts.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = to_regclass('raw.site_tracking_events_r') AND a.attname = 'retry_count' AND NOT a.attisdropped
);

-- name: keep_error
-- The error of a failed attempt, written outside of it.
UPDATE {raw}
SET processing_status = 'ERROR', error_message = %(error_message)s{counted}
WHERE raw_event_id = %(raw_event_id)s;
