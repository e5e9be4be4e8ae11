-- What the gates of a release read, over a window that is still open. `house_` queries are about Sitevault's own
-- tables, `guide_` ones about the guide's, whose columns are named when the query is composed.

-- name: house_outcomes
-- What became of every event received in the window, and of those received before the oldest one still in time.
WITH invalid AS (
    SELECT DISTINCT s.tenant_hk, s.raw_event_id
    FROM staging.site_tracking_events_s AS s
    WHERE s.validation_status = 'INVALID' AND s.processed_timestamp >= %(since)s
),

received AS (
    SELECT
        e.received_timestamp,
        d.status AS letter,
        greatest(e.received_timestamp, d.requeued_at) AS waiting_since,
        b.state,
        num_nonnulls(n.raw_event_id, u.raw_event_id, i.raw_event_id) > 0 AS processed
    FROM raw.landed_event AS e
    LEFT JOIN raw.batch AS b ON e.batch_id = b.batch_id
    LEFT JOIN raw.dead_letter AS d ON e.tenant_hk = d.tenant_hk AND e.raw_event_id = d.raw_event_id
    LEFT JOIN business.site_event_nl AS n
        ON e.tenant_hk = n.tenant_hk AND e.event_id = n.event_id AND e.raw_event_id = n.raw_event_id
    LEFT JOIN business.site_event_duplicate AS u
        ON e.tenant_hk = u.tenant_hk AND e.raw_event_id = u.raw_event_id
    LEFT JOIN invalid AS i ON e.tenant_hk = i.tenant_hk AND e.raw_event_id = i.raw_event_id
    WHERE e.received_timestamp >= %(since)s AND e.received_timestamp < %(until)s
),

judged AS (
    SELECT
        received_timestamp,
        CASE
            WHEN letter = 'ERROR' THEN 'error'
            WHEN processed THEN 'processed'
            WHEN letter IS DISTINCT FROM 'PENDING' AND state = 'PROCESSED' THEN 'lost'
            WHEN waiting_since < %(until)s::timestamptz - make_interval(secs => %(pending_limit_seconds)s) THEN 'overdue'
            ELSE 'in time'
        END AS outcome
    FROM received
),

settled AS (
    SELECT coalesce(min(received_timestamp) FILTER (WHERE outcome = 'in time'), 'infinity') AS until FROM judged
)

SELECT
    count(*) AS received,
    count(*) FILTER (WHERE outcome = 'processed') AS processed,
    count(*) FILTER (WHERE outcome = 'error') AS error,
    count(*) FILTER (WHERE outcome = 'overdue') AS overdue,
    count(*) FILTER (WHERE outcome = 'in time') AS in_time,
    count(*) FILTER (WHERE outcome = 'lost') AS lost,
    count(*) FILTER (WHERE received_timestamp < settled.until) AS settled,
    count(*) FILTER (WHERE outcome = 'processed' AND received_timestamp < settled.until) AS settled_processed,
    count(*) FILTER (WHERE outcome = 'error' AND received_timestamp < settled.until) AS settled_error
FROM judged
CROSS JOIN settled;

-- name: house_scores
-- Per event type of the payload, how many staged events have which score: the row's, or what its findings leave.
SELECT
    coalesce(left({kind}, 128), '(none)') AS event_type,
    greatest(0, trunc(least(s.quality_score, (
        CASE WHEN s.validation_errors = '[]' THEN 100 ELSE (
            SELECT 100 - coalesce(sum(rule.deduction), 0)
            FROM ROWS FROM (unnest(%(codes)s::text []), unnest(%(deductions)s::integer [])) AS rule (code, deduction)
            WHERE s.validation_errors @> jsonb_build_array(jsonb_build_object('code', rule.code))
        ) END
    ) / 100.0), 3))::float8 AS score,
    count(*) AS events
FROM staging.site_tracking_events_s AS s
LEFT JOIN raw.landed_event AS e ON s.batch_id = e.batch_id AND s.raw_event_id = e.raw_event_id
WHERE s.processed_timestamp >= %(since)s AND s.processed_timestamp < %(until)s
GROUP BY 1, 2;

-- name: house_filled
-- Per event type of the payload, the staged rows that were not refused, and how many have each column filled.
SELECT coalesce(left({kind}, 128), '(none)') AS event_type, count(*) AS staged_rows, {counts}
FROM staging.site_tracking_events_s AS s
LEFT JOIN raw.landed_event AS e ON s.batch_id = e.batch_id AND s.raw_event_id = e.raw_event_id
WHERE s.processed_timestamp >= %(since)s AND s.processed_timestamp < %(until)s
    AND s.validation_status <> 'INVALID'
GROUP BY 1;

-- name: house_times
-- The window's loads, those whose events took no longer than the limit each, and the 95th percentile.
WITH load AS (
    SELECT
        greatest(
            (SELECT coalesce(sum(step.seconds::float8), 0) FROM jsonb_each_text(l.step_seconds) AS step (name, seconds)),
            extract(EPOCH FROM l.finished_at - l.load_date)::float8
        ) / l.events AS seconds
    FROM ops.load AS l
    WHERE l.load_date >= %(since)s AND l.load_date < %(until)s AND l.events > 0
)

SELECT
    count(*) AS measured,
    count(*) FILTER (WHERE seconds < %(limit_seconds)s) AS within,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY seconds) AS p95
FROM load;

-- name: house_staged_tenants
-- Staged rows of the window whose tenant or id is not their landed event's.
SELECT
    count(*) AS checked,
    count(*) FILTER (WHERE e.tenant_hk <> s.tenant_hk OR e.event_id <> s.event_id) AS contradictions,
    count(*) FILTER (WHERE e.tenant_hk IS NULL) AS unverifiable
FROM staging.site_tracking_events_s AS s
LEFT JOIN raw.landed_event AS e ON s.batch_id = e.batch_id AND s.raw_event_id = e.raw_event_id
WHERE s.processed_timestamp >= %(since)s AND s.processed_timestamp < %(until)s;

-- name: house_orphans
-- References of the window's vault rows that lead nowhere, per reference, and rows that are declared twice.
WITH event AS (
    SELECT n.tenant_hk, n.event_id, n.session_hk, n.visitor_hk, n.page_hk, n.user_hk, n.campaign_hk
    FROM business.site_event_nl AS n
    WHERE n.load_date >= %(since)s AND n.load_date < %(until)s
)

SELECT 'site_event_nl.session_hk' AS what, count(*) AS checked, count(*) FILTER (WHERE h.session_hk IS NULL) AS broken
FROM event AS e
LEFT JOIN business.site_session_h AS h ON e.tenant_hk = h.tenant_hk AND e.session_hk = h.session_hk
UNION ALL
SELECT 'site_event_nl.visitor_hk', count(*), count(*) FILTER (WHERE h.visitor_hk IS NULL)
FROM event AS e
LEFT JOIN business.site_visitor_h AS h ON e.tenant_hk = h.tenant_hk AND e.visitor_hk = h.visitor_hk
UNION ALL
SELECT 'site_event_nl.page_hk', count(*), count(*) FILTER (WHERE h.page_hk IS NULL)
FROM event AS e
LEFT JOIN business.site_page_h AS h ON e.tenant_hk = h.tenant_hk AND e.page_hk = h.page_hk
UNION ALL
SELECT 'site_event_nl.user_hk', count(*), count(*) FILTER (WHERE h.user_hk IS NULL)
FROM event AS e
LEFT JOIN business.site_user_h AS h ON e.tenant_hk = h.tenant_hk AND e.user_hk = h.user_hk
UNION ALL
SELECT 'site_event_nl.campaign_hk', count(*), count(*) FILTER (WHERE h.campaign_hk IS NULL)
FROM event AS e
LEFT JOIN business.site_campaign_h AS h ON e.tenant_hk = h.tenant_hk AND e.campaign_hk = h.campaign_hk
UNION ALL
SELECT 'site_event_nl.tenant_hk', count(*), count(*) FILTER (WHERE h.tenant_hk IS NULL)
FROM event AS e
LEFT JOIN auth.tenant_h AS h ON e.tenant_hk = h.tenant_hk;

-- name: house_waiting
-- Who waits: events of the window beyond the limit and the oldest of all of it, and events from before it.
WITH waiting AS (
    SELECT b.received_timestamp AS since, b.events::bigint AS events
    FROM raw.batch AS b
    WHERE b.state = 'PENDING'
    UNION ALL
    SELECT greatest(d.received_timestamp, d.requeued_at), 1
    FROM raw.dead_letter AS d
    WHERE d.status = 'PENDING'
)

SELECT
    coalesce(sum(events) FILTER (WHERE since >= %(since)s), 0)::bigint AS waiting,
    coalesce(sum(events) FILTER (
        WHERE since >= %(since)s
            AND since < %(until)s::timestamptz - make_interval(secs => %(pending_limit_seconds)s)
    ), 0)::bigint AS overdue,
    coalesce(sum(events) FILTER (WHERE since < %(since)s), 0)::bigint AS from_before,
    extract(EPOCH FROM %(until)s::timestamptz - min(since) FILTER (WHERE since >= %(since)s))::float8 AS oldest_seconds
FROM waiting
WHERE since < %(until)s;

-- name: guide_outcomes
-- What became of every event received in the window; it is processed where a staging row says so, too.
WITH judged AS (
    SELECT
        r.{received}::timestamptz AS received_timestamp,
        CASE
            WHEN upper({status}::text) IN ('ERROR', 'FAILED', 'DEAD') THEN 'error'
            WHEN
                {status}::text IS NOT NULL
                AND upper({status}::text) NOT IN ('PENDING', 'PROCESSING', 'NEW', 'QUEUED', 'RETRY')
                THEN CASE WHEN s.found THEN 'processed' ELSE 'lost' END
            WHEN r.{received} < %(until)s::timestamptz - make_interval(secs => %(pending_limit_seconds)s) THEN 'overdue'
            ELSE 'in time'
        END AS outcome
    FROM {table} AS r
    LEFT JOIN LATERAL (
        SELECT true AS found FROM staging.site_tracking_events_s AS g WHERE g.{id} = r.{id} LIMIT 1
    ) AS s ON true
    WHERE r.{received} >= %(since)s AND r.{received} < %(until)s
),

settled AS (
    SELECT coalesce(min(received_timestamp) FILTER (WHERE outcome = 'in time'), 'infinity') AS until FROM judged
)

SELECT
    count(*) AS received,
    count(*) FILTER (WHERE outcome = 'processed') AS processed,
    count(*) FILTER (WHERE outcome = 'error') AS error,
    count(*) FILTER (WHERE outcome = 'overdue') AS overdue,
    count(*) FILTER (WHERE outcome = 'in time') AS in_time,
    count(*) FILTER (WHERE outcome = 'lost') AS lost,
    count(*) FILTER (WHERE received_timestamp < settled.until) AS settled,
    count(*) FILTER (WHERE outcome = 'processed' AND received_timestamp < settled.until) AS settled_processed,
    count(*) FILTER (WHERE outcome = 'error' AND received_timestamp < settled.until) AS settled_error
FROM judged
CROSS JOIN settled;

-- name: guide_scores
-- Per event type of the payload, how many staged events have which score: the row's, or what its columns deserve.
SELECT
    coalesce(left({kind}, 128), '(none)') AS event_type,
    greatest(0, least(1, trunc(least({claimed}::numeric, 1.0 - 0.2 * {lacking}), 3)))::float8 AS score,
    count(*) AS events
FROM staging.site_tracking_events_s AS s
INNER JOIN {table} AS r ON s.{id} = r.{id}
WHERE {moment} >= %(since)s AND {moment} < %(until)s
GROUP BY 1, 2;

-- name: guide_filled
-- Per event type of the payload, the staged rows, and how many have each column filled.
SELECT coalesce(left({kind}, 128), '(none)') AS event_type, count(*) AS staged_rows, {counts}
FROM staging.site_tracking_events_s AS s
INNER JOIN {table} AS r ON s.{id} = r.{id}
WHERE {moment} >= %(since)s AND {moment} < %(until)s
GROUP BY 1;

-- name: guide_times
-- From arrival to staging, waiting included: how many were within the limit, and the 95th percentile.
WITH staged AS (
    SELECT extract(EPOCH FROM {moment} - r.{received})::float8 AS seconds
    FROM staging.site_tracking_events_s AS s
    INNER JOIN {table} AS r ON s.{id} = r.{id}
    WHERE r.{received} >= %(since)s AND r.{received} < %(until)s
)

SELECT
    count(*) AS measured,
    count(*) FILTER (WHERE seconds < %(limit_seconds)s) AS within,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY seconds) AS p95
FROM staged;

-- name: guide_events
-- Events received in the window, the newest first, with what shows whose they are.
SELECT
    r.{id}::text AS id, r.{tenant}::bytea AS tenant_hk, r.{received}::timestamptz AS received, {status}::text AS status,
    {api_key}::text AS api_key, {origin}::text AS origin, r.{payload}::text AS payload
FROM {table} AS r
WHERE r.{received} >= %(since)s AND r.{received} < %(until)s
ORDER BY r.{received} DESC
LIMIT %(most)s;

-- name: guide_events_from_before
-- Events staged in the window and received before it, the newest first, with what shows whose they are.
SELECT
    r.{id}::text AS id, r.{tenant}::bytea AS tenant_hk, r.{received}::timestamptz AS received, {status}::text AS status,
    {api_key}::text AS api_key, {origin}::text AS origin, r.{payload}::text AS payload
FROM staging.site_tracking_events_s AS s
INNER JOIN {table} AS r ON s.{id} = r.{id}
WHERE {moment} >= %(since)s AND {moment} < %(until)s AND r.{received} < %(since)s
ORDER BY r.{received} DESC
LIMIT %(most)s;

-- name: guide_staged_tenants
-- Staged rows of the window whose tenant is not their raw event's.
SELECT
    count(*) AS checked,
    count(*) FILTER (WHERE s.tenant_hk::bytea IS DISTINCT FROM r.{tenant}::bytea) AS contradictions,
    0::bigint AS unverifiable
FROM staging.site_tracking_events_s AS s
INNER JOIN {table} AS r ON s.{id} = r.{id}
WHERE {moment} >= %(since)s AND {moment} < %(until)s;

-- name: guide_orphans
-- Staged rows of the window without their raw event or staged twice, and events whose tenant does not exist.
WITH staged AS (
    SELECT s.{id} AS number, s.ctid, r.{id} IS NULL AS without_raw
    FROM staging.site_tracking_events_s AS s
    LEFT JOIN {table} AS r ON s.{id} = r.{id}
    WHERE coalesce({moment}, %(since)s) >= %(since)s AND coalesce({moment}, %(since)s) < %(until)s
)

SELECT
    'staging.site_tracking_events_s without its raw event' AS what,
    count(*) AS checked, count(*) FILTER (WHERE without_raw) AS broken
FROM staged
UNION ALL
SELECT
    'staging.site_tracking_events_s twice for one event', count(*),
    count(*) FILTER (WHERE (
        SELECT count(*) > 1 FROM staging.site_tracking_events_s AS g WHERE g.{id} = staged.number
    ))
FROM staged
UNION ALL
SELECT 'an event whose tenant does not exist', count(*), count(*) FILTER (WHERE t.tenant_hk IS NULL)
FROM {table} AS r
LEFT JOIN auth.tenant_h AS t ON r.{tenant} = t.tenant_hk
WHERE r.{received} >= %(since)s AND r.{received} < %(until)s;

-- name: guide_waiting
-- Who waits: events of the window beyond the limit and the oldest of all of it, and events from before it.
WITH waiting AS (
    SELECT r.{received}::timestamptz AS since
    FROM {table} AS r
    WHERE r.{received} < %(until)s
        AND (
            {status} IS NULL
            OR upper({status}::text) IN ('PENDING', 'PROCESSING', 'NEW', 'QUEUED', 'RETRY')
        )
)

SELECT
    count(*) FILTER (WHERE since >= %(since)s) AS waiting,
    count(*) FILTER (
        WHERE since >= %(since)s
            AND since < %(until)s::timestamptz - make_interval(secs => %(pending_limit_seconds)s)
    ) AS overdue,
    count(*) FILTER (WHERE since < %(since)s) AS from_before,
    extract(EPOCH FROM %(until)s::timestamptz - min(since) FILTER (WHERE since >= %(since)s))::float8 AS oldest_seconds
FROM waiting;
