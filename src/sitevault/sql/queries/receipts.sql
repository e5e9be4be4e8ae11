-- name: set_statement_timeout
-- A receipt that takes longer than this is not worth waiting for.
SET statement_timeout = '3s';

-- name: ping
-- Whether the database answers.
SELECT 1;

-- name: listen_for_loads
-- Told by the workers which batches they carried through.
LISTEN sitevault_loaded;

-- name: batch_state
-- Whether every event of a batch is accounted for.
SELECT state FROM raw.batch WHERE batch_id = %(batch_id)s;

-- name: receipts_of_event
-- Every landing of one event, oldest first, with what each stage did. No event is received more than a day before
-- the time in its id, however late the settings let it come: so earlier days are left out, and later ones never.
WITH landing AS (
    SELECT tenant_hk, batch_id, raw_event_id, event_id, received_timestamp, protocol
    FROM raw.landed_event
    WHERE tenant_hk = %(tenant_hk)s AND event_id = %(event_id)s
        AND received_timestamp >= %(not_before)s
    ORDER BY raw_event_id
    LIMIT %(most)s
)

SELECT
    l.raw_event_id,
    l.batch_id,
    l.event_id,
    l.received_timestamp,
    l.protocol,
    b.state AS batch_state,
    b.processed_timestamp AS batch_processed_timestamp,
    d.status AS failed_status,
    d.reason_code AS failed_reason,
    d.sqlstate,
    d.attempts,
    d.last_failed_at,
    s.validation_status,
    s.enrichment_status,
    s.quality_score,
    s.validation_errors,
    s.event_type,
    s.occurred_at,
    s.event_day,
    s.processed_timestamp,
    s.load_id,
    v.session_hk,
    v.visitor_hk,
    v.page_hk,
    v.user_hk,
    v.campaign_hk,
    v.load_date AS vaulted_at,
    r.is_conflict
FROM landing AS l
LEFT JOIN LATERAL (
    SELECT m.state, m.processed_timestamp
    FROM raw.batch AS m
    WHERE m.batch_id = l.batch_id
    LIMIT 1
) AS b ON true
LEFT JOIN raw.dead_letter AS d ON l.tenant_hk = d.tenant_hk AND l.raw_event_id = d.raw_event_id
LEFT JOIN LATERAL (
    SELECT *
    FROM staging.site_tracking_events_s AS t
    WHERE t.tenant_hk = l.tenant_hk AND t.batch_id = l.batch_id AND t.raw_event_id = l.raw_event_id
        AND t.processed_timestamp >= %(not_before)s
    ORDER BY t.processed_timestamp DESC
    LIMIT 1
) AS s ON true
LEFT JOIN business.site_event_nl AS v
    ON l.tenant_hk = v.tenant_hk AND l.event_id = v.event_id AND v.event_day = %(event_day)s
    AND l.raw_event_id = v.raw_event_id
LEFT JOIN business.site_event_duplicate AS r ON l.tenant_hk = r.tenant_hk AND l.raw_event_id = r.raw_event_id
ORDER BY l.raw_event_id;

-- name: receipts_of_removed
-- An event of the vault whose landing retention has removed, and only such a one.
SELECT
    v.raw_event_id,
    v.raw_event_id / 65536 AS batch_id,
    v.event_id,
    v.received_timestamp,
    v.record_source AS protocol,
    'PROCESSED' AS batch_state,
    NULL::timestamptz AS batch_processed_timestamp,
    NULL::text AS failed_status,
    NULL::text AS failed_reason,
    NULL::text AS sqlstate,
    NULL::integer AS attempts,
    NULL::timestamptz AS last_failed_at,
    s.validation_status,
    s.enrichment_status,
    s.quality_score,
    s.validation_errors,
    s.event_type,
    s.occurred_at,
    v.event_day,
    s.processed_timestamp,
    s.load_id,
    v.session_hk,
    v.visitor_hk,
    v.page_hk,
    v.user_hk,
    v.campaign_hk,
    v.load_date AS vaulted_at,
    NULL::boolean AS is_conflict,
    true AS landing_removed
FROM business.site_event_nl AS v
LEFT JOIN LATERAL (
    SELECT *
    FROM staging.site_tracking_events_s AS t
    WHERE t.tenant_hk = v.tenant_hk AND t.batch_id = v.raw_event_id / 65536 AND t.raw_event_id = v.raw_event_id
        AND t.processed_timestamp >= %(not_before)s
    ORDER BY t.processed_timestamp DESC
    LIMIT 1
) AS s ON true
WHERE v.tenant_hk = %(tenant_hk)s AND v.event_id = %(event_id)s AND v.event_day = %(event_day)s
    AND EXISTS (
        SELECT FROM ops.removed_d AS r
        WHERE r.tenant_hk = v.tenant_hk AND r.table_name = 'raw.landed_event'
            AND r.day = (v.received_timestamp AT TIME ZONE 'UTC')::date
    );

-- name: landing_removed
-- Whether retention removed landings of the tenant of a time when such an event could have landed.
SELECT EXISTS (
    SELECT FROM ops.removed_d AS r
    WHERE r.tenant_hk = %(tenant_hk)s AND r.table_name = 'raw.landed_event' AND r.events > 0
        AND r.day BETWEEN %(event_day)s::date - 1 AND %(event_day)s::date + %(late_days)s::integer + 1
) AS removed;

-- name: receipts_of_landing
-- The events of one submission, in its order, with what each stage did.
WITH landing AS (
    SELECT tenant_hk, batch_id, raw_event_id, event_id, received_timestamp, protocol
    FROM raw.landed_event
    WHERE tenant_hk = %(tenant_hk)s
        AND batch_id = %(batch_id)s
        AND raw_event_id BETWEEN %(first)s AND %(last)s
),

staged AS (
    SELECT DISTINCT ON (raw_event_id) *
    FROM staging.site_tracking_events_s
    WHERE tenant_hk = %(tenant_hk)s
        AND batch_id = %(batch_id)s
        AND raw_event_id BETWEEN %(first)s AND %(last)s
    ORDER BY raw_event_id ASC, processed_timestamp DESC
)

SELECT
    l.raw_event_id,
    l.batch_id,
    l.event_id,
    l.received_timestamp,
    l.protocol,
    b.state AS batch_state,
    b.processed_timestamp AS batch_processed_timestamp,
    d.status AS failed_status,
    d.reason_code AS failed_reason,
    d.sqlstate,
    d.attempts,
    d.last_failed_at,
    s.validation_status,
    s.enrichment_status,
    s.quality_score,
    s.validation_errors,
    s.event_type,
    s.occurred_at,
    s.event_day,
    s.processed_timestamp,
    s.load_id,
    v.session_hk,
    v.visitor_hk,
    v.page_hk,
    v.user_hk,
    v.campaign_hk,
    v.load_date AS vaulted_at,
    r.is_conflict
FROM landing AS l
LEFT JOIN raw.batch AS b ON l.batch_id = b.batch_id
LEFT JOIN raw.dead_letter AS d ON l.tenant_hk = d.tenant_hk AND l.raw_event_id = d.raw_event_id
LEFT JOIN staged AS s ON l.raw_event_id = s.raw_event_id
LEFT JOIN business.site_event_nl AS v
    ON l.tenant_hk = v.tenant_hk AND l.event_id = v.event_id AND s.event_day = v.event_day
    AND l.raw_event_id = v.raw_event_id
LEFT JOIN business.site_event_duplicate AS r ON l.tenant_hk = r.tenant_hk AND l.raw_event_id = r.raw_event_id
ORDER BY l.raw_event_id;

-- name: status
-- A tenant's ledger: what landed, and where all of it is now.
WITH accounted AS (
    SELECT
        coalesce(sum(landed), 0)::bigint AS landed,
        coalesce(sum(vaulted), 0)::bigint AS vaulted,
        coalesce(sum(duplicate), 0)::bigint AS duplicate,
        coalesce(sum(invalid), 0)::bigint AS invalid
    FROM ops.ledger_d
    WHERE tenant_hk = %(tenant_hk)s
),

waiting AS (
    SELECT count(*) AS events, min(e.received_timestamp) AS oldest
    FROM raw.batch AS b
    INNER JOIN raw.landed_event AS e ON b.batch_id = e.batch_id
    WHERE b.state = 'PENDING' AND e.tenant_hk = %(tenant_hk)s
),

failed AS (
    SELECT
        count(*) FILTER (WHERE status = 'ERROR') AS error,
        count(*) FILTER (WHERE status = 'PENDING') AS requeued,
        min(requeued_at) FILTER (WHERE status = 'PENDING') AS oldest
    FROM raw.dead_letter
    WHERE tenant_hk = %(tenant_hk)s AND status IN ('ERROR', 'PENDING')
),

removed AS (
    SELECT coalesce(sum(error), 0)::bigint AS error FROM ops.removed_d WHERE tenant_hk = %(tenant_hk)s
),

-- From the books, since nobody reads today's events in a moment when there are millions of them.
today AS (
    SELECT coalesce(sum(vaulted + duplicate + invalid), 0)::bigint AS staged
    FROM ops.ledger_d
    WHERE tenant_hk = %(tenant_hk)s AND day = (now() AT TIME ZONE 'UTC')::date
),

quality AS (
    SELECT round(sum(quality_sum) / nullif(sum(events), 0), 4) AS average
    FROM mart.event_day_f
    WHERE tenant_hk = %(tenant_hk)s AND day = (now() AT TIME ZONE 'UTC')::date
)

SELECT
    a.landed AS accounted,
    w.events AS waiting,
    a.vaulted,
    a.duplicate,
    a.invalid,
    f.error + r.error AS error,
    f.requeued,
    extract(EPOCH FROM now() - least(w.oldest, f.oldest))::double precision AS oldest_pending_seconds,
    q.average AS quality_today,
    t.staged AS staged_today
FROM accounted AS a, waiting AS w, failed AS f, removed AS r, today AS t, quality AS q;
