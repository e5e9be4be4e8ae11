-- What is old enough to go, whether it may, and how it goes.

-- name: try_lock
-- One retention at a time; held by the session, so a killed one leaves nothing behind.
SELECT pg_try_advisory_lock(hashtext('sitevault retention'));

-- name: day_partitions
-- Every day partition of these tables, oldest first, with what it takes on disk (no privilege, no scan).
SELECT
    n.nspname || '.' || p.relname AS table_name,
    to_date(right(c.relname, 8), 'YYYYMMDD') AS day,
    pg_relation_size(c.oid) + coalesce(pg_relation_size(c.reltoastrelid), 0) + coalesce((
        SELECT sum(pg_relation_size(x.indexrelid)) FROM pg_catalog.pg_index AS x WHERE x.indrelid = c.oid
    ), 0)::bigint AS bytes
FROM pg_catalog.pg_inherits AS i
INNER JOIN pg_catalog.pg_class AS c ON i.inhrelid = c.oid
INNER JOIN pg_catalog.pg_class AS p ON i.inhparent = p.oid
INNER JOIN pg_catalog.pg_namespace AS n ON p.relnamespace = n.oid
WHERE n.nspname || '.' || p.relname = ANY(%(tables)s) AND c.relname ~ '_p[0-9]{8}$'
ORDER BY day, table_name;

-- name: default_rows
-- Whether a default partition holds anything, by its size.
SELECT p.partrelid::regclass::text AS table_name, pg_relation_size(p.partdefid) AS bytes
FROM pg_catalog.pg_partitioned_table AS p
WHERE p.partrelid = ANY(%(tables)s::regclass []) AND pg_relation_size(p.partdefid) > 0;

-- name: database_day
-- Today, in UTC, by the database's clock.
SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date AS day;

-- name: count_at_most
-- A day that takes longer to count is left for another time.
SELECT set_config('statement_timeout', %(milliseconds)s, true);

-- name: landing_of_day
-- Per tenant, a day of landing: how many events, and those that are not yet in their one place, by why.
WITH landed AS (
    SELECT e.tenant_hk, e.batch_id, e.raw_event_id, e.event_id
    FROM raw.landed_event AS e
    WHERE e.received_timestamp >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
        AND e.received_timestamp < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
),

judged AS (
    SELECT
        l.tenant_hk,
        CASE
            WHEN d.status = 'ERROR' THEN 'error'
            WHEN d.status = 'PENDING' THEN 'requeued'
            WHEN b.state IS DISTINCT FROM 'PROCESSED' THEN 'pending'
            WHEN num_nonnulls(v.raw_event_id, u.raw_event_id, s.raw_event_id) = 0 THEN 'lost'
            ELSE 'placed'
        END AS place
    FROM landed AS l
    LEFT JOIN raw.batch AS b ON l.batch_id = b.batch_id
    LEFT JOIN raw.dead_letter AS d ON l.tenant_hk = d.tenant_hk AND l.raw_event_id = d.raw_event_id
    LEFT JOIN business.site_event_nl AS v
        ON l.tenant_hk = v.tenant_hk AND l.event_id = v.event_id AND l.raw_event_id = v.raw_event_id
    LEFT JOIN business.site_event_duplicate AS u ON l.tenant_hk = u.tenant_hk AND l.raw_event_id = u.raw_event_id
    LEFT JOIN (
        SELECT DISTINCT t.tenant_hk, t.raw_event_id
        FROM staging.site_tracking_events_s AS t
        WHERE t.validation_status = 'INVALID'
            AND t.processed_timestamp >= (%(day)s::date - 1)::timestamp AT TIME ZONE 'UTC'
    ) AS s ON l.tenant_hk = s.tenant_hk AND l.raw_event_id = s.raw_event_id
)

SELECT
    j.tenant_hk,
    h.tenant_bk,
    count(*) AS events,
    0::bigint AS invalid,
    count(*) FILTER (WHERE j.place = 'pending') AS pending,
    count(*) FILTER (WHERE j.place = 'requeued') AS requeued,
    count(*) FILTER (WHERE j.place = 'error') AS error,
    count(*) FILTER (WHERE j.place = 'lost') AS lost,
    0::bigint AS landed
FROM judged AS j
LEFT JOIN auth.tenant_h AS h ON j.tenant_hk = h.tenant_hk
GROUP BY j.tenant_hk, h.tenant_bk
ORDER BY h.tenant_bk, j.tenant_hk;

-- name: staging_of_day
-- Per tenant, a day of staging: how many rows, INVALID events found nowhere else, rows whose landing is still kept.
SELECT
    s.tenant_hk,
    h.tenant_bk,
    count(*) AS events,
    count(DISTINCT s.raw_event_id) FILTER (
        WHERE s.validation_status = 'INVALID' AND NOT EXISTS (
            SELECT FROM staging.site_tracking_events_s AS other
            WHERE other.tenant_hk = s.tenant_hk AND other.batch_id = s.batch_id
                AND other.raw_event_id = s.raw_event_id AND other.validation_status = 'INVALID'
                AND other.processed_timestamp >= (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
        )
    ) AS invalid,
    0::bigint AS pending,
    0::bigint AS requeued,
    0::bigint AS error,
    0::bigint AS lost,
    count(e.raw_event_id) AS landed
FROM staging.site_tracking_events_s AS s
LEFT JOIN raw.landed_event AS e
    ON s.tenant_hk = e.tenant_hk AND s.batch_id = e.batch_id AND s.raw_event_id = e.raw_event_id
    AND (e.received_timestamp AT TIME ZONE 'UTC')::date <> ALL(%(gone)s::date [])
LEFT JOIN auth.tenant_h AS h ON s.tenant_hk = h.tenant_hk
WHERE s.processed_timestamp >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
    AND s.processed_timestamp < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
GROUP BY s.tenant_hk, h.tenant_bk
ORDER BY h.tenant_bk, s.tenant_hk;

-- name: vault_of_day
-- Per tenant, an event day of the vault: how many events, and those whose landing is still kept.
SELECT
    n.tenant_hk,
    h.tenant_bk,
    count(*) AS events,
    0::bigint AS invalid,
    0::bigint AS pending,
    0::bigint AS requeued,
    0::bigint AS error,
    0::bigint AS lost,
    count(e.raw_event_id) AS landed
FROM business.site_event_nl AS n
LEFT JOIN raw.landed_event AS e
    ON n.tenant_hk = e.tenant_hk AND n.raw_event_id / 65536 = e.batch_id AND n.raw_event_id = e.raw_event_id
    AND (e.received_timestamp AT TIME ZONE 'UTC')::date <> ALL(%(gone)s::date [])
LEFT JOIN auth.tenant_h AS h ON n.tenant_hk = h.tenant_hk
WHERE n.event_day = %(day)s::date
GROUP BY n.tenant_hk, h.tenant_bk
ORDER BY h.tenant_bk, n.tenant_hk;

-- name: personal_of_day
-- The same of the personal data beside the vault's events.
SELECT
    p.tenant_hk,
    h.tenant_bk,
    count(*) AS events,
    0::bigint AS invalid,
    0::bigint AS pending,
    0::bigint AS requeued,
    0::bigint AS error,
    0::bigint AS lost,
    count(e.raw_event_id) AS landed
FROM business.site_event_pii_ns AS p
LEFT JOIN business.site_event_nl AS n
    ON p.tenant_hk = n.tenant_hk AND p.event_id = n.event_id AND p.event_day = n.event_day
LEFT JOIN raw.landed_event AS e
    ON n.tenant_hk = e.tenant_hk AND n.raw_event_id / 65536 = e.batch_id AND n.raw_event_id = e.raw_event_id
    AND (e.received_timestamp AT TIME ZONE 'UTC')::date <> ALL(%(gone)s::date [])
LEFT JOIN auth.tenant_h AS h ON p.tenant_hk = h.tenant_hk
WHERE p.event_day = %(day)s::date
GROUP BY p.tenant_hk, h.tenant_bk
ORDER BY h.tenant_bk, p.tenant_hk;

-- name: wait_at_most
-- How long a statement of this transaction may wait for a lock.
SELECT set_config('lock_timeout', %(milliseconds)s, true);

-- name: freeze_partition
-- Nobody writes to it any more, everybody still reads.
LOCK TABLE {partition} IN SHARE MODE;

-- name: lock_partitions
-- Beside nobody who makes or empties partitions of the same table.
SELECT pg_advisory_xact_lock(hashtext('sitevault.partitions'), hashtext(%(table)s));

-- name: drop_partition
-- The table is gone, at once for everybody, when this commits.
DROP TABLE {partition};

-- name: account_removed
-- What of a tenant was removed, in the transaction that removes it.
INSERT INTO ops.removed_d AS r (tenant_hk, table_name, day, events, announced, invalid, error, removed_at)
VALUES (
    %(tenant_hk)s, %(table)s, %(day)s, %(events)s, %(announced)s, %(invalid)s, %(error)s, clock_timestamp()
)
ON CONFLICT (tenant_hk, table_name, day) DO UPDATE SET
    events = r.events + excluded.events,
    announced = r.announced + excluded.announced,
    invalid = r.invalid + excluded.invalid,
    error = r.error + excluded.error,
    removed_at = excluded.removed_at;

-- name: give_up_failed
-- The failed events of a day that goes with them; what a worker resolved meanwhile is not among them.
DELETE FROM raw.dead_letter
WHERE tenant_hk = %(tenant_hk)s AND status IN ('ERROR', 'PENDING')
    AND received_timestamp >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
    AND received_timestamp < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC';

-- name: forget_resolved
-- Dead letters of the day that were resolved.
DELETE FROM raw.dead_letter
WHERE tenant_hk = %(tenant_hk)s AND status = 'RESOLVED'
    AND received_timestamp >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
    AND received_timestamp < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC';

-- name: empty_manifests
-- Processed manifests of days that retention removed, of which no event is left; a flush around midnight has two days.
WITH removed_day AS (
    SELECT DISTINCT r.day FROM ops.removed_d AS r WHERE r.table_name = 'raw.landed_event'
),

old AS (
    SELECT b.batch_id, (b.received_timestamp AT TIME ZONE 'UTC')::date AS day, b.tenant_hks, b.tenant_events
    FROM raw.batch AS b
    WHERE b.state = 'PROCESSED' AND b.batch_id > %(after)s
        AND (b.received_timestamp AT TIME ZONE 'UTC')::date IN (SELECT d.day FROM removed_day AS d)
    ORDER BY b.batch_id
    LIMIT %(most)s
)

SELECT
    o.batch_id, o.day, o.tenant_hks, o.tenant_events,
    EXISTS (SELECT FROM raw.landed_event AS e WHERE e.batch_id = o.batch_id) AS in_use
FROM old AS o
ORDER BY o.batch_id;

-- name: forget_manifests
-- Manifests that announce a tenant of the transaction, and whose events are removed.
DELETE FROM raw.batch WHERE batch_id = ANY(%(batch_ids)s) AND state = 'PROCESSED';
