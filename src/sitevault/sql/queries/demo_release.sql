-- The four environments of the release story: what their collectors and jobs do, and where every event is afterwards.

-- name: hand_over
-- An event comes through the site's door.
SELECT raw.ingest_site_event(%(payload)s::jsonb, %(api_key_hk)s);

-- name: take_turn
-- One run of the job at a time; whoever pauses sees by this lock that one is at work. First the lock, then the look.
SELECT pg_advisory_xact_lock(1919);

-- name: job_is_active
-- Whether the job may run now.
SELECT active FROM util.job WHERE name = 'process_pending_events';

-- name: run_job
-- The guide's own loop over what waits.
SELECT done, failed FROM staging.process_pending_events(%(limit)s);

-- name: whereabouts
-- Every event of raw: as it was received, whose it is, whose its key is, and how often staging has it.
SELECT
    r.raw_event_id, r.raw_payload, t.tenant_bk AS tenant, o.tenant_bk AS owner, r.processing_status AS status,
    (SELECT count(*) FROM staging.site_tracking_events_s AS s WHERE s.raw_event_id = r.raw_event_id) AS staged
FROM raw.site_tracking_events_r AS r
INNER JOIN auth.tenant_h AS t ON r.tenant_hk = t.tenant_hk
LEFT JOIN auth.api_key_h AS k ON r.api_key_hk = k.api_key_hk
LEFT JOIN auth.tenant_h AS o ON k.tenant_hk = o.tenant_hk
ORDER BY r.raw_event_id;

-- name: waiting
-- How many events are PENDING.
SELECT count(*) FROM raw.site_tracking_events_r WHERE processing_status = 'PENDING';
