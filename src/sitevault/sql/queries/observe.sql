-- What the judge reads: the ledger and its recount, the KPIs' raw counts, the state of the house, one event's
-- journey. %(tenant_hk)s is NULL for every tenant; %(since)s opens the window of a KPI.

-- name: read_only_snapshot
-- Every query of one report sees the same instant, and nothing can be written.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: limit_statement
-- A report that takes too long ends as unknown, not as a burden.
SELECT set_config('statement_timeout', %(milliseconds)s, true);

-- name: database_clock
-- The database's time, which is what its rows are stamped with.
SELECT clock_timestamp() AS now;

-- name: ledger
-- Per tenant: what the collector's manifests, the worker's ledger and the dead letters each say.
WITH waiting AS (
    SELECT counted.tenant_hk, sum(counted.events)::bigint AS events
    FROM raw.batch AS b
    CROSS JOIN ROWS FROM (unnest(b.tenant_hks), unnest(b.tenant_events)) AS counted (tenant_hk, events)
    WHERE b.state = 'PENDING'
    GROUP BY counted.tenant_hk
),

accounted AS (
    SELECT
        tenant_hk,
        sum(landed)::bigint AS landed,
        sum(vaulted)::bigint AS vaulted,
        sum(duplicate)::bigint AS duplicate,
        sum(invalid)::bigint AS invalid
    FROM ops.ledger_d
    GROUP BY tenant_hk
),

failed AS (
    SELECT
        tenant_hk,
        count(*) FILTER (WHERE status = 'ERROR') AS error,
        count(*) FILTER (WHERE status = 'PENDING') AS requeued
    FROM raw.dead_letter
    GROUP BY tenant_hk
),

removed AS (
    SELECT tenant_hk, sum(error)::bigint AS error FROM ops.removed_d GROUP BY tenant_hk
)

SELECT
    tenant_hk,
    h.tenant_bk,
    coalesce(a.landed, 0) + coalesce(w.events, 0) AS landed,
    coalesce(w.events, 0) + coalesce(f.requeued, 0) AS pending,
    coalesce(a.vaulted, 0) AS vaulted,
    coalesce(a.duplicate, 0) AS duplicate,
    coalesce(a.invalid, 0) AS invalid,
    coalesce(f.error, 0) + coalesce(r.error, 0) AS error
FROM auth.tenant_h AS h
FULL JOIN waiting AS w USING (tenant_hk)
FULL JOIN accounted AS a USING (tenant_hk)
FULL JOIN failed AS f USING (tenant_hk)
LEFT JOIN removed AS r USING (tenant_hk)
WHERE %(tenant_hk)s::bytea IS NULL OR tenant_hk = %(tenant_hk)s::bytea
ORDER BY h.tenant_bk NULLS FIRST, tenant_hk;

-- name: recount
-- Per tenant: the events themselves, counted where they are or, where retention removed them, as they went.
WITH landed AS (
    SELECT
        e.tenant_hk,
        count(*) AS landed,
        count(*) FILTER (WHERE b.state = 'PENDING') AS waiting,
        count(*) FILTER (WHERE b.batch_id IS NULL) AS without_manifest
    FROM raw.landed_event AS e
    LEFT JOIN raw.batch AS b ON e.batch_id = b.batch_id
    GROUP BY e.tenant_hk
),

announced AS (
    SELECT counted.tenant_hk, sum(counted.events)::bigint AS events
    FROM raw.batch AS b
    CROSS JOIN ROWS FROM (unnest(b.tenant_hks), unnest(b.tenant_events)) AS counted (tenant_hk, events)
    GROUP BY counted.tenant_hk
),

vaulted AS (
    SELECT tenant_hk, count(*) AS vaulted FROM business.site_event_nl GROUP BY tenant_hk
),

duplicates AS (
    SELECT tenant_hk, count(*) AS duplicate FROM business.site_event_duplicate GROUP BY tenant_hk
),

invalid AS (
    SELECT tenant_hk, count(DISTINCT raw_event_id) AS invalid
    FROM staging.site_tracking_events_s
    WHERE validation_status = 'INVALID'
    GROUP BY tenant_hk
),

failed AS (
    SELECT
        tenant_hk,
        count(*) FILTER (WHERE status = 'ERROR') AS error,
        count(*) FILTER (WHERE status = 'PENDING') AS requeued
    FROM raw.dead_letter
    GROUP BY tenant_hk
),

removed AS (
    SELECT
        tenant_hk,
        coalesce(sum(events) FILTER (WHERE table_name = 'raw.landed_event'), 0)::bigint AS landed,
        coalesce(sum(events) FILTER (WHERE table_name = 'business.site_event_nl'), 0)::bigint AS vaulted,
        sum(announced)::bigint AS announced,
        sum(invalid)::bigint AS invalid,
        sum(error)::bigint AS error
    FROM ops.removed_d
    GROUP BY tenant_hk
)

SELECT
    tenant_hk,
    h.tenant_bk,
    coalesce(l.landed, 0) + coalesce(r.landed, 0) AS landed,
    coalesce(l.waiting, 0) + coalesce(l.without_manifest, 0) + coalesce(f.requeued, 0) AS pending,
    coalesce(v.vaulted, 0) + coalesce(r.vaulted, 0) AS vaulted,
    coalesce(d.duplicate, 0) AS duplicate,
    coalesce(i.invalid, 0) + coalesce(r.invalid, 0) AS invalid,
    coalesce(f.error, 0) + coalesce(r.error, 0) AS error,
    coalesce(n.events, 0) + coalesce(r.announced, 0) AS announced,
    coalesce(l.without_manifest, 0) AS without_manifest,
    coalesce(r.landed, 0) AS removed
FROM auth.tenant_h AS h
FULL JOIN landed AS l USING (tenant_hk)
FULL JOIN announced AS n USING (tenant_hk)
FULL JOIN vaulted AS v USING (tenant_hk)
FULL JOIN duplicates AS d USING (tenant_hk)
FULL JOIN invalid AS i USING (tenant_hk)
FULL JOIN failed AS f USING (tenant_hk)
FULL JOIN removed AS r USING (tenant_hk)
WHERE %(tenant_hk)s::bytea IS NULL OR tenant_hk = %(tenant_hk)s::bytea
ORDER BY h.tenant_bk NULLS FIRST, tenant_hk;

-- name: outcomes
-- What became of every event received in the window: found where it is, never by a status column.
WITH invalid AS (
    SELECT DISTINCT s.tenant_hk, s.raw_event_id
    FROM staging.site_tracking_events_s AS s
    WHERE s.validation_status = 'INVALID' AND s.processed_timestamp >= %(since)s
),

received AS (
    SELECT
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
        AND (%(tenant_hk)s::bytea IS NULL OR e.tenant_hk = %(tenant_hk)s::bytea)
),

judged AS (
    SELECT
        processed,
        letter IS NOT DISTINCT FROM 'ERROR' AS error,
        letter IS NOT DISTINCT FROM 'PENDING' OR state IS DISTINCT FROM 'PROCESSED' AS waiting,
        waiting_since < %(until)s::timestamptz - make_interval(secs => %(pending_limit_seconds)s) AS overdue
    FROM received
)

SELECT
    count(*) AS received,
    count(*) FILTER (WHERE processed AND NOT error) AS processed,
    count(*) FILTER (WHERE error) AS error,
    count(*) FILTER (WHERE NOT processed AND NOT error AND waiting AND overdue) AS overdue,
    count(*) FILTER (WHERE NOT processed AND NOT error AND waiting AND NOT overdue) AS in_time,
    count(*) FILTER (WHERE NOT processed AND NOT error AND NOT waiting) AS lost
FROM judged;

-- name: staged
-- What staging made of the window's events, each beside its raw row and the score its findings add up to.
SELECT
    count(*) AS staged,
    avg(s.quality_score)::float8 AS quality,
    count(*) FILTER (WHERE s.validation_status = 'VALID') AS valid,
    count(*) FILTER (WHERE s.validation_status = 'SUSPICIOUS') AS suspicious,
    count(*) FILTER (WHERE s.validation_status = 'INVALID') AS invalid,
    count(*) FILTER (
        WHERE (s.validation_status = 'INVALID' AND s.validation_errors = '[]')
            OR (
                s.validation_status <> 'INVALID'
                AND (s.event_type IS NULL OR s.quality_score * 100 < %(lowest)s::integer)
            )
            OR s.quality_score * 100 <> deserved.score
    ) AS unfounded,
    count(*) FILTER (
        WHERE s.enrichment_status = 'ENRICHED' AND (coalesce(trim(e.user_agent), '') = '' OR s.device_class IS NOT NULL)
    ) AS enriched,
    count(*) FILTER (
        WHERE s.enrichment_status = 'ENRICHED' AND trim(e.user_agent) <> '' AND s.device_class IS NULL
    ) AS hollow,
    count(*) FILTER (WHERE e.tenant_hk <> s.tenant_hk OR e.event_id <> s.event_id) AS contradictions,
    count(*) FILTER (WHERE e.tenant_hk IS NULL) AS unverifiable
FROM staging.site_tracking_events_s AS s
LEFT JOIN raw.landed_event AS e ON s.batch_id = e.batch_id AND s.raw_event_id = e.raw_event_id
CROSS JOIN LATERAL (
    SELECT greatest(0, 100 - coalesce(sum(rule.deduction), 0)) AS score
    FROM ROWS FROM (unnest(%(codes)s::text []), unnest(%(deductions)s::integer [])) AS rule (code, deduction)
    WHERE s.validation_errors @> jsonb_build_array(jsonb_build_object('code', rule.code))
) AS deserved
WHERE s.processed_timestamp >= %(since)s AND s.processed_timestamp < %(until)s
    AND (%(tenant_hk)s::bytea IS NULL OR s.tenant_hk = %(tenant_hk)s::bytea);

-- name: landed_provenance
-- Landed events of the window whose key is not one of their tenant's.
SELECT count(*) AS checked, count(*) FILTER (WHERE k.api_key_hk IS NULL) AS contradictions, 0::bigint AS unverifiable
FROM raw.landed_event AS e
LEFT JOIN auth.api_key_h AS k ON e.tenant_hk = k.tenant_hk AND e.api_key_hk = k.api_key_hk
WHERE e.received_timestamp >= %(since)s AND e.received_timestamp < %(until)s
    AND (%(tenant_hk)s::bytea IS NULL OR e.tenant_hk = %(tenant_hk)s::bytea);

-- name: vault_provenance
-- Vault rows and duplicates of the window whose tenant or id is not their raw row's.
WITH vault_row AS (
    SELECT tenant_hk, event_id, raw_event_id, load_date FROM business.site_event_nl
    UNION ALL
    SELECT tenant_hk, event_id, raw_event_id, load_date FROM business.site_event_duplicate
    UNION ALL
    SELECT tenant_hk, event_id, raw_event_id, last_failed_at FROM raw.dead_letter
)

SELECT
    count(*) AS checked,
    count(*) FILTER (WHERE e.tenant_hk <> v.tenant_hk OR e.event_id <> v.event_id) AS contradictions,
    count(*) FILTER (WHERE e.tenant_hk IS NULL) AS unverifiable
FROM vault_row AS v
LEFT JOIN raw.landed_event AS e ON v.raw_event_id / 65536 = e.batch_id AND v.raw_event_id = e.raw_event_id
WHERE v.load_date >= %(since)s AND v.load_date < %(until)s
    AND (%(tenant_hk)s::bytea IS NULL OR v.tenant_hk = %(tenant_hk)s::bytea);

-- name: hub_provenance
-- Hub rows of the window whose key is not the one their tenant and business key make.
WITH hub_row AS (
    SELECT
        tenant_hk, load_date, visitor_hk AS found, visitor_bk IS NULL AS is_ghost,
        business.hash_key('visitor', tenant_hk, visitor_bk) AS computed
    FROM business.site_visitor_h
    UNION ALL
    SELECT
        tenant_hk, load_date, session_hk, session_bk IS NULL,
        business.hash_key('session', tenant_hk, session_bk)
    FROM business.site_session_h
    UNION ALL
    SELECT tenant_hk, load_date, page_hk, page_bk IS NULL, business.hash_key('page', tenant_hk, page_bk)
    FROM business.site_page_h
    UNION ALL
    SELECT tenant_hk, load_date, user_hk, user_bk IS NULL, business.hash_key('user', tenant_hk, user_bk)
    FROM business.site_user_h
    UNION ALL
    SELECT
        tenant_hk, load_date, campaign_hk, num_nonnulls(utm_source, utm_medium, utm_campaign) = 0,
        business.hash_key('campaign', tenant_hk, utm_source, utm_medium, utm_campaign)
    FROM business.site_campaign_h
)

SELECT
    count(*) AS checked, count(*) FILTER (WHERE is_ghost OR found <> computed) AS contradictions,
    0::bigint AS unverifiable
FROM hub_row
-- the one row without a business key that may be: the unknown member, which is nobody's evidence
WHERE NOT (is_ghost AND found = decode(repeat('00', 32), 'hex'))
    AND load_date >= %(since)s AND load_date < %(until)s
    AND (%(tenant_hk)s::bytea IS NULL OR tenant_hk = %(tenant_hk)s::bytea);

-- name: load_seconds
-- Seconds per event of the window's loads: the steps' sum or the whole load's duration, whichever is longer.
SELECT
    greatest(
        (SELECT coalesce(sum(step.seconds::float8), 0) FROM jsonb_each_text(l.step_seconds) AS step (name, seconds)),
        extract(EPOCH FROM l.finished_at - l.load_date)::float8
    ) / l.events AS seconds
FROM ops.load AS l
WHERE l.load_date >= %(since)s AND l.load_date < %(until)s AND l.events > 0
ORDER BY l.load_id DESC
LIMIT 20000;

-- name: lag
-- Who waits, since when: manifests not yet processed, and requeued dead letters.
WITH waiting AS (
    SELECT b.received_timestamp AS since
    FROM raw.batch AS b
    WHERE b.state = 'PENDING' AND (%(tenant_hk)s::bytea IS NULL OR %(tenant_hk)s::bytea = ANY(b.tenant_hks))
    UNION ALL
    SELECT d.requeued_at
    FROM raw.dead_letter AS d
    WHERE d.status = 'PENDING' AND (%(tenant_hk)s::bytea IS NULL OR d.tenant_hk = %(tenant_hk)s::bytea)
)

SELECT extract(EPOCH FROM clock_timestamp() - min(since))::float8 AS seconds FROM waiting;

-- name: last_received
-- Seconds since the newest manifest that holds an event of the tenant.
SELECT extract(EPOCH FROM clock_timestamp() - b.received_timestamp)::float8 AS seconds
FROM raw.batch AS b
WHERE %(tenant_hk)s::bytea IS NULL OR %(tenant_hk)s::bytea = ANY(b.tenant_hks)
ORDER BY b.batch_id DESC
LIMIT 1;

-- name: last_load
-- The newest load, and how long ago it ended.
SELECT worker, events, extract(EPOCH FROM clock_timestamp() - finished_at)::float8 AS seconds
FROM ops.load
ORDER BY load_id DESC
LIMIT 1;

-- name: paused
-- Who paused the workers, since when and why, and which environment this is; no row: nobody did.
SELECT
    p.by, p.since, p.message, p.release_id,
    (SELECT e.environment FROM ops.environment AS e) AS environment,
    extract(EPOCH FROM clock_timestamp() - p.since)::float8 AS seconds
FROM ops.pause AS p
WHERE p.paused;

-- name: connected
-- How many connections each service holds right now.
SELECT
    count(*) FILTER (WHERE usename = 'sitevault_collector') AS collectors,
    count(*) FILTER (WHERE usename = 'sitevault_worker') AS workers
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database();

-- name: failures_by_reason
-- Dead letters that wait for somebody, by reason.
SELECT reason_code AS code, coalesce(sqlstate, '') AS sqlstate, count(*) AS events
FROM raw.dead_letter
WHERE status = 'ERROR' AND (%(tenant_hk)s::bytea IS NULL OR tenant_hk = %(tenant_hk)s::bytea)
GROUP BY reason_code, sqlstate
ORDER BY events DESC, code;

-- name: rules_fired
-- How often each rule fired on the window's events.
SELECT found.code, count(*) AS events
FROM staging.site_tracking_events_s AS s
CROSS JOIN LATERAL jsonb_to_recordset(s.validation_errors) AS found (code text)
WHERE s.processed_timestamp >= %(since)s AND s.processed_timestamp < %(until)s
    AND (%(tenant_hk)s::bytea IS NULL OR s.tenant_hk = %(tenant_hk)s::bytea)
GROUP BY found.code
ORDER BY events DESC, found.code;

-- name: partitions
-- Per partitioned table: days ahead without a gap (today included), and whether its default partition holds rows.
WITH parent (name) AS (
    VALUES ('raw.landed_event'), ('staging.site_tracking_events_s'),
    ('business.site_event_nl'), ('business.site_event_pii_ns')
)

SELECT
    parent.name,
    (
        SELECT coalesce(min(ahead) FILTER (WHERE there IS NULL), 61)
        FROM (
            SELECT
                day.ahead,
                to_regclass(
                    parent.name || '_p'
                    || to_char((clock_timestamp() AT TIME ZONE 'UTC')::date + day.ahead, 'YYYYMMDD')
                ) AS there
            FROM generate_series(0, 60) AS day (ahead)
        ) AS looked
    )::integer AS days,
    -- sizes need no privilege on the partition, and no scan
    pg_catalog.pg_relation_size(to_regclass(parent.name || '_default')) > 0 AS default_in_use
FROM parent
ORDER BY parent.name;

-- name: landed_copies
-- Every landed copy of an event, by its id or by the number of one landing, of every tenant that has it.
SELECT
    h.tenant_bk,
    p.name AS tenant_name,
    e.tenant_hk,
    e.event_id,
    e.raw_event_id,
    e.batch_id,
    e.received_timestamp,
    encode(e.api_key_hk, 'hex') AS api_key,
    k.label AS key_label,
    k.kind AS key_kind,
    host(e.client_ip) AS client_ip,
    e.user_agent,
    e.origin,
    e.protocol,
    e.payload::text AS payload,
    b.state AS batch_state,
    b.attempts AS batch_attempts,
    b.not_before AS batch_not_before,
    b.last_error AS batch_last_error,
    b.processed_timestamp AS batch_processed_timestamp,
    u.is_conflict,
    u.load_date AS duplicate_load_date,
    d.status AS letter_status,
    d.reason_code AS letter_reason,
    d.sqlstate AS letter_sqlstate,
    d.constraint_name AS letter_constraint,
    d.message AS letter_message,
    d.attempts AS letter_attempts,
    d.first_failed_at AS letter_first_failed_at,
    d.last_failed_at AS letter_last_failed_at,
    d.requeued_at AS letter_requeued_at,
    d.resolved_at AS letter_resolved_at
FROM raw.landed_event AS e
LEFT JOIN auth.tenant_h AS h ON e.tenant_hk = h.tenant_hk
LEFT JOIN auth.tenant_v AS p ON e.tenant_hk = p.tenant_hk
LEFT JOIN auth.api_key_v AS k ON e.tenant_hk = k.tenant_hk AND e.api_key_hk = k.api_key_hk
LEFT JOIN raw.batch AS b ON e.batch_id = b.batch_id
LEFT JOIN business.site_event_duplicate AS u ON e.tenant_hk = u.tenant_hk AND e.raw_event_id = u.raw_event_id
LEFT JOIN raw.dead_letter AS d ON e.tenant_hk = d.tenant_hk AND e.raw_event_id = d.raw_event_id
WHERE e.event_id = %(event_id)s::uuid
    AND (%(tenant_hk)s::bytea IS NULL OR e.tenant_hk = %(tenant_hk)s::bytea)
ORDER BY h.tenant_bk, e.event_id, e.raw_event_id;

-- name: event_of_landing
-- The event id behind the number of one landing; where that is removed, staging or a duplicate knows it.
SELECT event_id
FROM raw.landed_event
WHERE batch_id = %(raw_event_id)s::bigint / 65536 AND raw_event_id = %(raw_event_id)s::bigint
    AND (%(tenant_hk)s::bytea IS NULL OR tenant_hk = %(tenant_hk)s::bytea)
UNION
SELECT event_id
FROM staging.site_tracking_events_s
WHERE batch_id = %(raw_event_id)s::bigint / 65536 AND raw_event_id = %(raw_event_id)s::bigint
    AND (%(tenant_hk)s::bytea IS NULL OR tenant_hk = %(tenant_hk)s::bytea)
UNION
SELECT event_id
FROM business.site_event_duplicate
WHERE raw_event_id = %(raw_event_id)s::bigint
    AND (%(tenant_hk)s::bytea IS NULL OR tenant_hk = %(tenant_hk)s::bytea);

-- name: removed_copies
-- What the later stages know of an event whose landing retention removed, one row per landing of each tenant.
SELECT
    found.tenant_hk,
    h.tenant_bk,
    p.name AS tenant_name,
    %(event_id)s::uuid AS event_id,
    found.raw_event_id,
    max(found.received_timestamp) AS received_timestamp,
    bool_or(found.is_conflict) AS is_conflict
FROM (
    SELECT n.tenant_hk, n.raw_event_id, n.received_timestamp, NULL::boolean AS is_conflict
    FROM business.site_event_nl AS n
    WHERE n.event_id = %(event_id)s::uuid AND n.event_day = %(event_day)s
    UNION ALL
    SELECT s.tenant_hk, s.raw_event_id, s.received_timestamp, NULL
    FROM staging.site_tracking_events_s AS s
    WHERE s.event_id = %(event_id)s::uuid
    UNION ALL
    SELECT u.tenant_hk, u.raw_event_id, NULL, u.is_conflict
    FROM business.site_event_duplicate AS u
    WHERE u.event_id = %(event_id)s::uuid
) AS found
LEFT JOIN auth.tenant_h AS h ON found.tenant_hk = h.tenant_hk
LEFT JOIN auth.tenant_v AS p ON found.tenant_hk = p.tenant_hk
WHERE %(tenant_hk)s::bytea IS NULL OR found.tenant_hk = %(tenant_hk)s::bytea
GROUP BY found.tenant_hk, h.tenant_bk, p.name, found.raw_event_id
ORDER BY h.tenant_bk, found.tenant_hk, found.raw_event_id;

-- name: landing_removed_until
-- The last day of landing that retention removed, of a tenant or of any.
SELECT max(day) AS day
FROM ops.removed_d
WHERE table_name = 'raw.landed_event' AND (%(tenant_hk)s::bytea IS NULL OR tenant_hk = %(tenant_hk)s::bytea);

-- name: staged_copies
-- What staging made of each landed copy of an event, with the mapping paths it used and the load it came with.
SELECT
    s.*,
    host(p.client_ip) AS client_ip,
    p.user_agent,
    p.page_query,
    m.paths AS mapping_paths,
    l.worker,
    l.finished_at AS load_finished_at
FROM staging.site_tracking_events_s AS s
LEFT JOIN business.site_event_nl AS n
    ON s.tenant_hk = n.tenant_hk AND s.event_id = n.event_id AND s.event_day = n.event_day
    AND s.raw_event_id = n.raw_event_id
LEFT JOIN business.site_event_pii_ns AS p
    ON n.tenant_hk = p.tenant_hk AND n.event_id = p.event_id AND n.event_day = p.event_day
LEFT JOIN ops.load AS l ON s.load_id = l.load_id
LEFT JOIN staging.mapping_path_set AS m ON s.tenant_hk = m.tenant_hk AND s.mapping_hk = m.mapping_hk
WHERE s.tenant_hk = %(tenant_hk)s AND s.batch_id = ANY(%(batch_ids)s) AND s.event_id = %(event_id)s
ORDER BY s.raw_event_id, s.processed_timestamp;

-- name: replays_of_copies
-- The replays that carried copies of an event.
SELECT e.raw_event_id, e.replay_id, r.kind, e.was, e.became, e.done_at, r.actor, r.reason
FROM ops.replay_event AS e
INNER JOIN ops.replay AS r ON e.replay_id = r.replay_id
WHERE e.tenant_hk = %(tenant_hk)s AND e.raw_event_id = ANY(%(raw_event_ids)s)
ORDER BY e.replay_id;

-- name: patches_of_copies
-- The changes recorded beside copies of an event.
SELECT p.raw_event_id, p.replay_id, p.recorded_at, p.actor, p.reason, p.steps
FROM staging.event_patch AS p
WHERE p.tenant_hk = %(tenant_hk)s AND p.raw_event_id = ANY(%(raw_event_ids)s)
ORDER BY p.replay_id;

-- name: vault_rows
-- The event in the vault: at most one row, with its load.
SELECT
    business.hash_key('event', n.tenant_hk, n.event_id::text) AS event_hk,
    n.raw_event_id,
    n.event_day,
    n.event_type,
    n.occurred_at,
    n.load_date,
    n.load_id,
    n.session_hk,
    n.visitor_hk,
    n.page_hk,
    n.user_hk,
    n.campaign_hk,
    l.worker
FROM business.site_event_nl AS n
LEFT JOIN ops.load AS l ON n.load_id = l.load_id
WHERE n.tenant_hk = %(tenant_hk)s AND n.event_id = %(event_id)s;

-- name: top_pages
-- The most viewed pages of a tenant, bots left out.
SELECT h.page_bk AS page, sum(f.page_views)::bigint AS views
FROM mart.page_day_f AS f
INNER JOIN business.site_page_h AS h ON f.tenant_hk = h.tenant_hk AND f.page_hk = h.page_hk
WHERE f.tenant_hk = %(tenant_hk)s
GROUP BY h.page_bk
ORDER BY views DESC, page
LIMIT %(most)s;

-- name: top_sources
-- Where a tenant's sessions came from, bots left out.
SELECT channel, source, sum(sessions)::bigint AS sessions
FROM mart.source_day_v
WHERE tenant_hk = %(tenant_hk)s
GROUP BY channel, source
ORDER BY sessions DESC, channel, source
LIMIT %(most)s;

-- name: funnel
-- How many sessions of a tenant did these steps in this order.
SELECT step, event_type, sessions
FROM mart.funnel(%(tenant_hk)s, %(from_day)s, %(to_day)s, VARIADIC %(steps)s);

-- name: conflicts
-- Duplicates with another body than the vault's, loaded since a moment, per tenant.
SELECT tenant_hk, count(*) AS conflicts
FROM business.site_event_duplicate
WHERE is_conflict AND load_date >= %(since)s
GROUP BY tenant_hk;
