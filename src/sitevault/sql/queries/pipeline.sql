-- The account a load gives of itself.

-- name: remember_mapping_paths
-- Which payload paths supplied which fields: one row per shape of event a tenant sends.
INSERT INTO staging.mapping_path_set (tenant_hk, mapping_hk, paths, load_date)
VALUES (%(tenant_hk)s, %(mapping_hk)s, %(paths)s, now())
ON CONFLICT DO NOTHING;

-- name: account_outcomes
-- The ledger of the staged events of one load, by tenant and the day their batch was received; returns the sums.
WITH outcomes AS (
    SELECT
        s.tenant_hk,
        (b.received_timestamp AT TIME ZONE 'UTC')::date AS day,
        count(l.raw_event_id) AS vaulted,
        count(*) FILTER (WHERE l.raw_event_id IS NULL AND s.validation_status <> 'INVALID') AS duplicate,
        count(*) FILTER (WHERE s.validation_status = 'INVALID') AS invalid
    FROM staging.site_tracking_events_s AS s
    INNER JOIN raw.batch AS b ON s.batch_id = b.batch_id
    LEFT JOIN pg_temp.loaded AS l ON s.load_id = l.load_id AND s.raw_event_id = l.raw_event_id
    WHERE s.batch_id = ANY(%(batch_ids)s) AND s.load_id = %(load_id)s AND s.processed_timestamp = %(load_date)s
        AND b.batch_id = ANY(%(batch_ids)s)
    GROUP BY 1, 2
),

accounted AS (
    INSERT INTO ops.ledger_d AS d (tenant_hk, day, landed, vaulted, duplicate, invalid)
    SELECT tenant_hk, day, 0, vaulted, duplicate, invalid FROM outcomes
    ORDER BY tenant_hk, day
    ON CONFLICT (tenant_hk, day) DO UPDATE SET
        vaulted = d.vaulted + excluded.vaulted,
        duplicate = d.duplicate + excluded.duplicate,
        invalid = d.invalid + excluded.invalid
)

SELECT
    coalesce(sum(vaulted), 0)::integer AS vaulted,
    coalesce(sum(duplicate), 0)::integer AS duplicate,
    coalesce(sum(invalid), 0)::integer AS invalid
FROM outcomes;

-- name: account_landed
-- The ledger's landed side, from what the collector wrote into the manifests of one claim.
INSERT INTO ops.ledger_d AS d (tenant_hk, day, landed, vaulted, duplicate, invalid)
SELECT
    counted.tenant_hk,
    (b.received_timestamp AT TIME ZONE 'UTC')::date,
    sum(counted.events), 0, 0, 0
FROM raw.batch AS b
CROSS JOIN LATERAL unnest(b.tenant_hks, b.tenant_events) AS counted (tenant_hk, events)
WHERE b.batch_id = ANY(%(batch_ids)s)
GROUP BY 1, 2
ORDER BY 1, 2
ON CONFLICT (tenant_hk, day) DO UPDATE SET landed = d.landed + excluded.landed;

-- name: record_load
-- One row per load.
INSERT INTO ops.load (
    load_id, worker, load_date, finished_at, batches, events, vaulted, duplicate, invalid, error, step_seconds
)
VALUES (
    %(load_id)s, %(worker)s, %(load_date)s, clock_timestamp(), %(batches)s, %(events)s, %(vaulted)s,
    %(duplicate)s, %(invalid)s, %(error)s, %(step_seconds)s
);
