-- The canary: what waits, in the order in which a few events at a time are let through while the workers pause.

-- name: begin_while_paused
-- Whether this transaction may carry events although the workers pause; whoever pauses anew waits for it.
SELECT ops.begin_work(true);

-- name: waiting_of_tenants
-- How many events of each tenant wait in the house: in batches, and as dead letters that were sent back.
SELECT waiting.tenant_hk, sum(waiting.events)::bigint AS events
FROM (
    SELECT counted.tenant_hk, counted.events
    FROM raw.batch AS b
    CROSS JOIN ROWS FROM (unnest(b.tenant_hks), unnest(b.tenant_events)) AS counted (tenant_hk, events)
    WHERE b.state = 'PENDING'
    UNION ALL
    SELECT d.tenant_hk, 1 AS events FROM raw.dead_letter AS d WHERE d.status = 'PENDING'
) AS waiting
GROUP BY waiting.tenant_hk
ORDER BY waiting.tenant_hk;

-- name: smallest_batches
-- Batches that wait, the smallest first: a batch is carried whole.
SELECT b.batch_id, b.events
FROM raw.batch AS b
WHERE b.state = 'PENDING' AND (%(tenant_hk)s::bytea IS NULL OR %(tenant_hk)s::bytea = ANY(b.tenant_hks))
ORDER BY b.events, b.batch_id
LIMIT %(most)s;

-- name: take_letters
-- Dead letters that were sent back, the oldest first, each an event of its own.
SELECT d.tenant_hk, d.raw_event_id, d.batch_id
FROM raw.dead_letter AS d
WHERE d.status = 'PENDING' AND (%(tenant_hk)s::bytea IS NULL OR d.tenant_hk = %(tenant_hk)s::bytea)
ORDER BY d.requeued_at, d.raw_event_id
LIMIT %(most)s
FOR UPDATE SKIP LOCKED;

-- name: pending_of_tenants
-- How many events of each tenant wait in a foreign database.
SELECT r.tenant_hk, count(*) AS events
FROM {raw} AS r
WHERE r.processing_status = 'PENDING' AND NOT r.raw_event_id = ANY(%(tried)s::bigint [])
GROUP BY r.tenant_hk
ORDER BY r.tenant_hk;

-- name: next_pending
-- The events of a foreign database that wait longest, without those that were tried.
SELECT r.raw_event_id, r.tenant_hk, r.processing_status
FROM {raw} AS r
WHERE r.processing_status = 'PENDING' AND NOT r.raw_event_id = ANY(%(tried)s::bigint [])
    AND (%(tenant_hk)s::bytea IS NULL OR r.tenant_hk = %(tenant_hk)s::bytea)
ORDER BY r.received_timestamp, r.raw_event_id
LIMIT %(most)s;
