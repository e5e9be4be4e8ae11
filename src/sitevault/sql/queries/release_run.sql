-- Carrying a release out: who holds the lock, and what is true afterwards.

-- name: name_session
-- What this session is seen as by who looks for the holder of the lock.
SELECT set_config('application_name', %(name)s, false);

-- name: try_lock
-- One release at a time in one database; the lock goes with the session, whatever ends it.
SELECT pg_try_advisory_lock(hashtext('sitevault.release'));

-- name: unlock
-- Somebody else may.
SELECT pg_advisory_unlock(hashtext('sitevault.release'));

-- name: lock_holder
-- Who holds it: what the session calls itself, its process, since when it is connected.
SELECT coalesce(nullif(a.application_name, ''), 'a session of ' || coalesce(a.usename, 'somebody')), a.pid, a.backend_start
FROM pg_catalog.pg_locks AS l
INNER JOIN pg_catalog.pg_stat_activity AS a ON l.pid = a.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.database = (
    SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()
)
AND l.classid = CASE WHEN hashtext('sitevault.release') < 0 THEN 4294967295 ELSE 0 END::oid
AND l.objid = (hashtext('sitevault.release')::bigint & 4294967295)::oid AND l.objsubid = 1
LIMIT 1;

-- name: now
-- The database's own clock.
SELECT clock_timestamp();

-- name: lock_relation_now
-- The table is ours, or nobody is kept waiting.
LOCK TABLE {relation} IN ACCESS EXCLUSIVE MODE NOWAIT;

-- name: lock_relation
-- Wait for the table.
LOCK TABLE {relation} IN ACCESS EXCLUSIVE MODE;

-- name: wait_briefly
-- Whoever wants the table queues behind us for so long at most.
SELECT set_config('lock_timeout', '1s', true);
