-- Samples of a soak. Sizes in MB; no event is counted, so that a sample costs the same at any size.

-- name: backends
-- Connected clients other than this one.
SELECT pid
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();

-- name: tables
-- Tables whose rows are changed in place, which bloat if nobody cleans up behind: dead rows in a hundred.
SELECT
    100.0 * sum(n_dead_tup) FILTER (WHERE relid = 'raw.batch'::regclass)
    / greatest(sum(n_dead_tup + n_live_tup) FILTER (WHERE relid = 'raw.batch'::regclass), 1) AS "raw.batch dead %",
    100.0 * sum(n_dead_tup) FILTER (WHERE schemaname = 'mart')
    / greatest(sum(n_dead_tup + n_live_tup) FILTER (WHERE schemaname = 'mart'), 1) AS "mart dead %",
    pg_total_relation_size('ops.ledger_d') / 1048576.0 AS "ops.ledger_d MB",
    pg_total_relation_size('raw.dead_letter') / 1048576.0 AS "raw.dead_letter MB",
    pg_relation_size('raw.batch_pending_ix') / 1048576.0 AS "raw.batch_pending_ix MB",
    pg_total_relation_size('mart.event_day_f') / 1048576.0 AS "mart.event_day_f MB"
FROM pg_stat_user_tables;

-- name: catalog
-- The catalog: temporary tables and partitions leave their rows there.
SELECT sum(pg_total_relation_size(oid)) / 1048576.0 AS "catalog MB"
FROM pg_class
WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND NOT relisshared;

-- name: freshness
-- How long the oldest batch has waited, and how many do.
SELECT
    coalesce(extract(EPOCH FROM clock_timestamp() - min(received_timestamp)), 0) AS "oldest pending s",
    count(*) AS "pending batches"
FROM raw.batch
WHERE state = 'PENDING';

-- name: volume
-- How much there is, and of how many events: what is data grows with them and nothing else.
SELECT
    pg_database_size(current_database()) / 1048576.0 AS "database MB",
    (SELECT coalesce(sum(landed), 0) FROM ops.ledger_d) AS "events"
FROM (SELECT 1) AS once;
