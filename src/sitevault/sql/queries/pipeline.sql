-- The account a load gives of itself.

-- name: remember_mapping_paths
-- Which payload paths supplied which fields: one row per shape of event a tenant sends.
INSERT INTO staging.mapping_path_set (tenant_hk, mapping_hk, paths, load_date)
VALUES (%(tenant_hk)s, %(mapping_hk)s, %(paths)s, now())
ON CONFLICT DO NOTHING;

-- name: account_outcomes
-- The ledger of one load, by tenant and the day their batch was received.
INSERT INTO ops.ledger_d AS d (tenant_hk, day, landed, vaulted, duplicate, invalid)
SELECT
    a.tenant_hk,
    (b.received_timestamp AT TIME ZONE 'UTC')::date,
    0, sum(a.vaulted), sum(a.duplicate), sum(a.invalid)
FROM ROWS FROM (
    unnest(%(tenant_hks)s::bytea []), unnest(%(batch_ids)s::bigint []), unnest(%(vaulted)s::bigint []),
    unnest(%(duplicate)s::bigint []), unnest(%(invalid)s::bigint [])
) AS a (tenant_hk, batch_id, vaulted, duplicate, invalid)
INNER JOIN raw.batch AS b ON a.batch_id = b.batch_id
WHERE b.batch_id = ANY(%(batch_ids)s::bigint [])
GROUP BY 1, 2
ORDER BY 1, 2
ON CONFLICT (tenant_hk, day) DO UPDATE SET
    vaulted = d.vaulted + excluded.vaulted,
    duplicate = d.duplicate + excluded.duplicate,
    invalid = d.invalid + excluded.invalid;

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
