-- Probing a release with real events, in a transaction that is rolled back.

-- name: act_as_worker
-- What follows has the worker's rights and no others, to the end of the savepoint.
SET LOCAL ROLE sitevault_worker;

-- name: events_of_the_guide
-- Stuck events first, then the newest that went through; with how they stand.
SELECT r.raw_event_id, r.processing_status
FROM raw.site_tracking_events_r AS r
ORDER BY r.processing_status = 'PROCESSED', r.raw_event_id DESC
LIMIT %(most)s;

-- name: events_of_the_house
-- Events of the oldest pending batches, dead letters, then the newest that were carried; with how they stand.
WITH batches AS (
    (SELECT b.batch_id, b.state FROM raw.batch AS b WHERE b.state = 'PENDING' ORDER BY b.batch_id LIMIT 50)
    UNION ALL
    (SELECT b.batch_id, b.state FROM raw.batch AS b WHERE b.state = 'PROCESSED' ORDER BY b.batch_id DESC LIMIT 50)
),

letters AS (
    SELECT d.tenant_hk, d.raw_event_id, d.batch_id, d.status
    FROM raw.dead_letter AS d
    WHERE d.status IN ('ERROR', 'PENDING')
    ORDER BY d.last_failed_at DESC
    LIMIT %(most)s
),

found AS (
    SELECT l.tenant_hk, l.raw_event_id, l.batch_id, l.status, 1 AS place FROM letters AS l
    UNION ALL
    SELECT e.tenant_hk, e.raw_event_id, e.batch_id, b.state, CASE b.state WHEN 'PENDING' THEN 0 ELSE 2 END
    FROM batches AS b
    INNER JOIN raw.landed_event AS e ON b.batch_id = e.batch_id
    WHERE NOT EXISTS (
        SELECT FROM letters AS l WHERE l.tenant_hk = e.tenant_hk AND l.raw_event_id = e.raw_event_id
    )
)

SELECT f.tenant_hk, f.raw_event_id, f.batch_id, f.status
FROM found AS f
ORDER BY f.place, f.raw_event_id DESC
LIMIT %(most)s;

-- name: copies_staged
-- What staging made of the copies, each column as JSON; keys and the numbers of the load are left out.
SELECT
    s.raw_event_id,
    to_jsonb(s) - ARRAY[
        'tenant_hk', 'batch_id', 'raw_event_id', 'event_id', 'event_day', 'load_id', 'processed_timestamp', 'mapping_hk',
        'session_hk', 'visitor_hk', 'page_hk', 'user_hk', 'campaign_hk', 'payload_digest'
    ] AS staged
FROM staging.site_tracking_events_s AS s
WHERE s.batch_id = ANY(%(batch_ids)s) AND s.raw_event_id = ANY(%(raw_event_ids)s);

-- name: copies_vaulted
-- Which of the copies are in the vault.
SELECT n.raw_event_id
FROM business.site_event_nl AS n
WHERE n.tenant_hk = ANY(%(tenant_hks)s) AND n.event_id = ANY(%(event_ids)s) AND n.event_day = ANY(%(days)s);

-- name: still_there
-- Which of these functions there are.
SELECT f.identity
FROM (
    SELECT format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS identity
    FROM pg_catalog.pg_proc AS p
    INNER JOIN pg_catalog.pg_namespace AS n ON p.pronamespace = n.oid
) AS f
WHERE f.identity = ANY(%(identities)s);
