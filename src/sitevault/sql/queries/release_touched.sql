-- Which events a release touched: what stood before it, and what failed under it. Never told by time: an event's own
-- times say nothing about which function carried it.

-- name: bound_wait
-- The release's own transaction may hold what is read here.
SELECT set_config('lock_timeout', '3s', true);

-- name: newest_load
-- The newest load of any worker; a later one has a higher number.
SELECT coalesce(max(l.load_id), 0) FROM ops.load AS l;

-- name: requeued_letters
-- Dead letters that were sent back and wait: they failed before, and may fail again.
SELECT encode(d.tenant_hk, 'hex'), d.raw_event_id
FROM raw.dead_letter AS d
WHERE d.status = 'PENDING'
ORDER BY 1, 2;

-- name: waiting_batches
-- What waited before the release: manifests and their events.
SELECT count(*), coalesce(sum(b.events), 0)::bigint, min(b.batch_id), max(b.batch_id)
FROM raw.batch AS b
WHERE b.state = 'PENDING';

-- name: failed_since_load
-- Dead letters that a load after this one made; of those that had failed before it, only those that were requeued then.
WITH since AS MATERIALIZED (
    SELECT l.load_date FROM ops.load AS l WHERE l.load_id > %(load_id)s AND l.error > 0
)

SELECT d.raw_event_id, encode(d.tenant_hk, 'hex'), before.raw_event_id IS NOT NULL
FROM raw.dead_letter AS d
LEFT JOIN ROWS FROM (unnest(%(tenant_hks)s::text []), unnest(%(raw_event_ids)s::bigint [])) AS before (
    tenant_hk, raw_event_id
)
    ON encode(d.tenant_hk, 'hex') = before.tenant_hk AND d.raw_event_id = before.raw_event_id
WHERE d.status = 'ERROR' AND d.last_failed_at IN (SELECT s.load_date FROM since AS s)
    AND (before.raw_event_id IS NOT NULL OR d.first_failed_at IN (SELECT s.load_date FROM since AS s))
ORDER BY d.raw_event_id;

-- name: requeue_letters
-- ERROR -> PENDING for exactly these, as requeueing by the view does.
UPDATE raw.dead_letter
SET status = 'PENDING', requeued_at = clock_timestamp()
WHERE tenant_hk = decode(%(tenant_hk)s, 'hex') AND raw_event_id = ANY(%(raw_event_ids)s) AND status = 'ERROR';

-- name: standing_events
-- A foreign database's events that are not done, with their status.
SELECT r.raw_event_id, r.processing_status
FROM {raw} AS r
WHERE r.processing_status IN ('PENDING', 'ERROR')
ORDER BY r.raw_event_id;

-- name: failed_events
-- A foreign database's events in ERROR.
SELECT r.raw_event_id, encode(r.tenant_hk, 'hex')
FROM {raw} AS r
WHERE r.processing_status = 'ERROR'
ORDER BY r.raw_event_id;

-- name: requeue_events
-- ERROR -> PENDING for exactly these.
UPDATE {raw}
SET processing_status = 'PENDING', error_message = NULL
WHERE raw_event_id = ANY(%(raw_event_ids)s) AND processing_status = 'ERROR';
