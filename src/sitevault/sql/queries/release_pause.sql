-- Pausing and resuming: the row everybody asks, who still carries events, and a foreign database's jobs. {pause} is
-- the row's table: ops.pause of the house, sitevault_release.pause of a foreign database. {job}, {runs} and {alter_job}
-- are pg_cron's.

-- name: set_pause
-- The workers pause; no row: they paused already.
INSERT INTO {pause} AS p (paused, release_id, message, by)
VALUES (true, %(release_id)s, %(message)s, %(actor)s)
ON CONFLICT (only_one) DO UPDATE SET
paused = true, release_id = excluded.release_id, message = excluded.message, since = clock_timestamp(), by = excluded.by
WHERE NOT p.paused
RETURNING p.since;

-- name: lift_pause
-- The workers go on; no row: they did already, or another release holds them.
UPDATE {pause} AS p
SET paused = false, since = clock_timestamp(), by = %(actor)s
WHERE p.paused AND (%(release_id)s::text IS NULL OR p.release_id = %(release_id)s)
RETURNING p.message;

-- name: stood_still
-- Since a moment, where events may have waited for a pause: one in force, or lifted less than the limit ago; else 0.
SELECT
    CASE
        WHEN p.paused OR p.since > clock_timestamp() - make_interval(secs => %(limit_seconds)s)
            THEN greatest(0, extract(EPOCH FROM clock_timestamp() - %(moment)s::timestamptz))::float8
        ELSE 0
    END
FROM {pause} AS p;

-- name: wake_workers
-- Workers that listen look at once.
SELECT pg_notify('sitevault_landed', '');

-- name: all_at_rest
-- Whether nobody carries events at this moment; the lock is let go of at once.
SELECT pg_try_advisory_xact_lock(hashtext('sitevault.pause'));

-- name: at_work
-- Who holds the lock that is held while events are carried.
SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename::text, 'a session') AS name
FROM pg_catalog.pg_locks AS l
INNER JOIN pg_catalog.pg_stat_activity AS a ON l.pid = a.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
    AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtext('sitevault.pause')::bigint
ORDER BY a.pid;

-- name: release_under_way
-- Which living process carries a release out in this database: it resumes by itself what it paused.
SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename::text, 'a session') AS name
FROM pg_catalog.pg_locks AS l
INNER JOIN pg_catalog.pg_stat_activity AS a ON l.pid = a.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.pid <> pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
    AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtext('sitevault.release')::bigint;

-- name: writing_staging
-- Who writes staging rows at this moment, in a foreign database: collectors write raw ones only.
SELECT a.pid, coalesce(nullif(a.application_name, ''), a.usename::text, 'a session') AS name
FROM pg_catalog.pg_locks AS l
INNER JOIN pg_catalog.pg_stat_activity AS a ON l.pid = a.pid
WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
    AND l.relation = to_regclass('staging.site_tracking_events_s')
    AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
    AND a.backend_type <> 'autovacuum worker'
ORDER BY a.pid;

-- name: has_pg_cron
-- Whether pg_cron keeps its jobs in this database.
SELECT EXISTS (SELECT FROM pg_catalog.pg_extension AS e WHERE e.extname = 'pg_cron');

-- name: cron_jobs
-- The active jobs of pg_cron that run in this database.
SELECT j.jobid, coalesce(j.jobname, j.command), j.schedule
FROM {job} AS j
WHERE j.active AND j.database = current_database()
ORDER BY j.jobid;

-- name: set_cron_jobs
-- Jobs of pg_cron are set active or not; those that are so already, or are gone, are left alone.
SELECT j.jobid, {alter_job}(job_id => j.jobid, active => %(active)s)
FROM {job} AS j
WHERE j.jobid = ANY(%(jobs)s::bigint []) AND j.active <> %(active)s;

-- name: cron_at_work
-- Jobs of pg_cron that run at this moment; a run whose session is gone has ended.
SELECT coalesce(d.job_pid, 0), 'pg_cron job ' || d.jobid::text
FROM {runs} AS d
WHERE d.end_time IS NULL AND d.status IN ('starting', 'connecting', 'sending', 'running')
    AND d.database = current_database() AND d.jobid = ANY(%(jobs)s::bigint [])
    AND (d.job_pid IS NULL OR EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = d.job_pid))
ORDER BY d.runid;

-- name: bound_scheduler
-- The owner's statements may not take for ever.
SELECT set_config('statement_timeout', %(milliseconds)s, false);
