-- Plans and rehearsals of releases: what a release does to tables, what it locks, and who is in the way.

-- name: storage
-- Every table with its file, its size, and the table it is a partition of.
SELECT
    c.oid::bigint AS oid, format('%I.%I', n.nspname, c.relname) AS name, pg_relation_filenode(c.oid)::bigint AS file,
    coalesce(pg_relation_size(c.oid), 0) AS bytes,
    coalesce((SELECT r.oid FROM pg_partition_root(c.oid) AS r (oid)), c.oid)::bigint AS root
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

-- name: rows_deleted
-- Tables of which the open transaction deleted rows.
SELECT s.relid::bigint, s.n_tup_del
FROM pg_catalog.pg_stat_xact_all_tables AS s
WHERE s.n_tup_del > 0 AND s.schemaname !~ '^pg_' AND s.schemaname <> 'information_schema';

-- name: locked_against_writers
-- Tables that the open transaction locks against everybody who writes.
SELECT DISTINCT l.relation::bigint
FROM pg_catalog.pg_locks AS l
INNER JOIN pg_catalog.pg_class AS c ON l.relation = c.oid AND c.relkind IN ('r', 'p', 'm')
WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.granted
    AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock');

-- name: holders
-- Who holds what this process waits for: never their statement, which may hold values.
SELECT
    a.pid, a.usename, a.application_name, a.state, a.xact_start, a.query_start,
    (
        SELECT format('%%I.%%I', n.nspname, c.relname)
        FROM pg_catalog.pg_locks AS wanted
        INNER JOIN pg_catalog.pg_class AS c ON wanted.relation = c.oid
        INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
        WHERE wanted.pid = %(pid)s AND NOT wanted.granted
        LIMIT 1
    ) AS wanted
FROM unnest(pg_blocking_pids(%(pid)s)) AS blocking (pid)
INNER JOIN pg_catalog.pg_stat_activity AS a ON blocking.pid = a.pid;

-- name: any_event
-- Whether there is any event in the raw table to try a release with.
SELECT EXISTS (SELECT FROM raw.site_tracking_events_r);

-- name: long_transactions
-- Sessions of this database that have been in one transaction for a while, our own left out.
SELECT a.pid, a.usename, a.application_name, a.state, a.xact_start, a.query_start, NULL AS wanted
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
    AND a.application_name NOT LIKE 'sitevault-release%%'
    AND a.xact_start < clock_timestamp() - make_interval(secs => %(seconds)s)
ORDER BY a.xact_start;

-- name: in_the_way
-- Who holds a lock on one of these relations, or of their partitions, that goes on until a transaction ends.
SELECT DISTINCT a.pid, a.usename, a.application_name, a.state, a.xact_start, a.query_start,
    coalesce(pg_partition_root(c.oid), c.oid)::regclass::text AS wanted
FROM pg_catalog.pg_locks AS l
INNER JOIN pg_catalog.pg_class AS c ON l.relation = c.oid
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN pg_catalog.pg_stat_activity AS a ON l.pid = a.pid
WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
    AND coalesce(pg_partition_root(c.oid), c.oid) = ANY(%(relations)s::text []::regclass [])
ORDER BY a.xact_start;
