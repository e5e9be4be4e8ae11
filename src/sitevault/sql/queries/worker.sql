-- The queue: manifests and requeued dead letters.

-- name: claim_batches
-- Pending manifests in order, locked for this transaction; those another worker holds are passed over; none in a pause.
SELECT batch_id, events, received_timestamp
FROM raw.batch
WHERE (SELECT ops.begin_work())
    AND state = 'PENDING' AND batch_id > %(after)s AND (not_before IS NULL OR not_before <= now())
ORDER BY batch_id
LIMIT %(most)s
FOR UPDATE SKIP LOCKED;

-- name: claim_named_batches
-- The same for batches that are named; one that another worker holds is waited for.
SELECT batch_id, events, received_timestamp
FROM raw.batch
WHERE state = 'PENDING' AND batch_id = ANY(%(batch_ids)s)
ORDER BY batch_id
FOR UPDATE;

-- name: read_batches
-- The landed events of claimed batches; the time bounds let whole days be left out.
SELECT
    tenant_hk, api_key_hk, batch_id, raw_event_id, event_id, received_timestamp, host(client_ip) AS client_ip,
    user_agent, origin, geo_hint, protocol, payload
FROM raw.landed_event
WHERE batch_id = ANY(%(batch_ids)s)
    AND received_timestamp BETWEEN %(first)s::timestamptz - interval '1 hour'
        AND %(last)s::timestamptz + interval '1 hour'
ORDER BY raw_event_id;

-- name: read_batches_of_any_time
-- The same without time bounds, for batches whose rows are not where their manifest's time says.
SELECT
    tenant_hk, api_key_hk, batch_id, raw_event_id, event_id, received_timestamp, host(client_ip) AS client_ip,
    user_agent, origin, geo_hint, protocol, payload
FROM raw.landed_event
WHERE batch_id = ANY(%(batch_ids)s)
ORDER BY raw_event_id;

-- name: claim_requeued
-- Dead letters that were sent back, oldest first; none in a pause.
SELECT tenant_hk, raw_event_id, batch_id
FROM raw.dead_letter
WHERE (SELECT ops.begin_work()) AND status = 'PENDING'
ORDER BY requeued_at
LIMIT %(most)s
FOR UPDATE SKIP LOCKED;

-- name: read_requeued
-- The landed events of claimed dead letters.
SELECT
    e.tenant_hk, e.api_key_hk, e.batch_id, e.raw_event_id, e.event_id, e.received_timestamp,
    host(e.client_ip) AS client_ip, e.user_agent, e.origin, e.geo_hint, e.protocol, e.payload
FROM raw.landed_event AS e
WHERE e.batch_id = ANY(%(batch_ids)s) AND e.raw_event_id = ANY(%(raw_event_ids)s)
ORDER BY e.raw_event_id;

-- name: patches
-- Changes recorded beside the events of these batches, in the order they were made.
SELECT tenant_hk, raw_event_id, steps
FROM staging.event_patch
WHERE batch_id = ANY(%(batch_ids)s)
ORDER BY replay_id;

-- name: known_keys
-- Which of these keys belong to whom: the pairs an event may claim.
SELECT tenant_hk, api_key_hk
FROM auth.api_key_h
WHERE api_key_hk = ANY(%(api_key_hks)s);

-- name: finish_batches
-- PENDING -> PROCESSED, in the transaction of the load.
UPDATE raw.batch
SET state = 'PROCESSED', load_id = %(load_id)s, processed_timestamp = %(load_date)s, last_error = NULL
WHERE batch_id = ANY(%(batch_ids)s);

-- name: bury
-- A failed event becomes a dead letter, or a requeued one an error again.
INSERT INTO raw.dead_letter AS d (
    tenant_hk, raw_event_id, batch_id, event_id, received_timestamp, status, reason_code, sqlstate,
    constraint_name, message, attempts, first_failed_at, last_failed_at
)
VALUES (
    %(tenant_hk)s, %(raw_event_id)s, %(batch_id)s, %(event_id)s, %(received_timestamp)s, 'ERROR', %(reason_code)s,
    %(sqlstate)s, %(constraint_name)s, %(message)s, 1, %(load_date)s, %(load_date)s
)
ON CONFLICT (tenant_hk, raw_event_id) DO UPDATE SET
    status = 'ERROR',
    reason_code = excluded.reason_code,
    sqlstate = excluded.sqlstate,
    constraint_name = excluded.constraint_name,
    message = excluded.message,
    attempts = d.attempts + 1,
    last_failed_at = excluded.last_failed_at;

-- name: resolve_requeued
-- PENDING -> RESOLVED for requeued events that went through.
UPDATE raw.dead_letter
SET status = 'RESOLVED', resolved_at = %(load_date)s
WHERE tenant_hk = ANY(%(tenant_hks)s) AND raw_event_id = ANY(%(raw_event_ids)s) AND status = 'PENDING';

-- name: postpone_batches
-- A batch that could not be loaded for a passing reason waits, doubling from one second to a minute.
UPDATE raw.batch
SET
    attempts = attempts + 1,
    not_before = now() + least(interval '1 minute', interval '1 second' * power(2, least(attempts, 6))),
    last_error = %(error)s
WHERE batch_id = ANY(%(batch_ids)s) AND state = 'PENDING';

-- name: announce
-- Tell who waits which batches are done (payload: `first-last` ranges, comma-separated).
SELECT pg_notify('sitevault_loaded', %(ranges)s);

-- name: ensure_event_day
-- The partitions of one event day in the vault.
SELECT ops.ensure_partition('business.site_event_nl', %(day)s),
    ops.ensure_partition('business.site_event_pii_ns', %(day)s);
