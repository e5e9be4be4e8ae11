-- The incident's figures, re-derived from the rows: nothing here believes what a function says of its own work.

-- name: outcomes
-- How many came, and where they are; an event that is PROCESSED without a staging row is lost.
SELECT
    count(*) AS received,
    count(*) FILTER (WHERE r.processing_status = 'PROCESSED' AND s.raw_event_id IS NOT NULL) AS processed,
    count(*) FILTER (WHERE r.processing_status = 'ERROR') AS error,
    count(*) FILTER (WHERE r.processing_status = 'PENDING') AS overdue,
    0 AS in_time,
    count(*) FILTER (WHERE r.processing_status = 'PROCESSED' AND s.raw_event_id IS NULL) AS lost
FROM raw.site_tracking_events_r AS r
LEFT JOIN staging.site_tracking_events_s AS s ON r.tenant_hk = s.tenant_hk AND r.raw_event_id = s.raw_event_id;

-- name: staged
-- What staging holds; the score is computed again from the columns it is about.
SELECT
    count(*) AS staged,
    avg(1.0 - 0.2 * num_nulls(s.event_type, s.session_id, s.page_url))::float8 AS quality,
    count(*) FILTER (WHERE s.validation_status = 'VALID') AS valid,
    count(*) FILTER (WHERE s.validation_status = 'SUSPICIOUS') AS suspicious,
    count(*) FILTER (WHERE s.validation_status = 'INVALID') AS invalid,
    count(*) FILTER (
        WHERE s.quality_score <> 1.0 - 0.2 * num_nulls(s.event_type, s.session_id, s.page_url)
    ) AS unfounded,
    count(*) FILTER (
        WHERE s.enrichment_status = 'ENRICHED' AND num_nonnulls(s.browser, s.device_type) = 2
    ) AS enriched,
    count(*) FILTER (
        WHERE s.enrichment_status = 'ENRICHED' AND num_nonnulls(s.browser, s.device_type) < 2
    ) AS hollow
FROM staging.site_tracking_events_s AS s;

-- name: tenants
-- Every event with its tenant and the owner of its key, as far as it came with one.
SELECT r.raw_event_id, t.tenant_bk, o.tenant_bk AS owner, r.processing_status
FROM raw.site_tracking_events_r AS r
INNER JOIN auth.tenant_h AS t ON r.tenant_hk = t.tenant_hk
LEFT JOIN auth.api_key_h AS k ON r.api_key_hk = k.api_key_hk
LEFT JOIN auth.tenant_h AS o ON k.tenant_hk = o.tenant_hk
ORDER BY r.raw_event_id;

-- name: make_role
-- Who owns the scratch database: nobody works as superuser.
CREATE ROLE {role} LOGIN PASSWORD {password};

-- name: let_it_look
-- What the doctor needs to see of the server.
GRANT pg_monitor TO {role};

-- name: make_database
-- The scratch database.
CREATE DATABASE {database} OWNER {role} TEMPLATE template0;

-- name: drop_database
-- It goes, whoever still looks at it.
DROP DATABASE IF EXISTS {database} WITH (FORCE);

-- name: drop_role
-- And its owner.
DROP ROLE IF EXISTS {role};
