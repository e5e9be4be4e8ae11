-- What faults look for, and what they end.

-- name: client_backends
-- Whoever is connected, beside us.
SELECT pid, application_name
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
ORDER BY application_name, pid;

-- name: todays_partition
-- Where the events of this moment land.
SELECT n.nspname, c.relname
FROM pg_partition_tree('raw.landed_event') AS t
INNER JOIN pg_class AS c ON t.relid = c.oid
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE t.isleaf AND c.relname = 'landed_event_p' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD');

-- name: tables
-- Every table of ours; partitions go with their parent.
SELECT n.nspname, c.relname
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
WHERE n.nspname IN ('auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops')
    AND c.relkind IN ('r', 'p') AND NOT c.relispartition
ORDER BY 1, 2;

-- name: end_flushing
-- End the collectors' backends that have waited for a lock in the middle of a flush: the next will be large.
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE application_name = 'sitevault-collector-landing' AND wait_event_type = 'Lock'
    AND query LIKE 'WITH flush AS%' AND query_start < clock_timestamp() - interval '0.5 seconds';

-- name: end_landing
-- End the collectors' writing backends, whatever they do.
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE application_name = 'sitevault-collector-landing';

-- name: end_loading
-- End the workers' backends that are in the middle of a load.
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE application_name LIKE 'sitevault-worker-%' AND xact_start IS NOT NULL AND query LIKE 'INSERT%';

-- name: end_everybody
-- End every backend but ours.
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();

-- name: count_waiting
-- How many batches wait.
SELECT count(*) FROM raw.batch WHERE state = 'PENDING';

-- name: lock_table
-- Hold a table until the end of the transaction.
LOCK TABLE {table} IN {mode} MODE;

-- name: take_a_snapshot
-- What an idle transaction keeps the vacuum from.
SELECT count(*) FROM raw.batch;
