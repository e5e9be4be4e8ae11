-- name: create_ledger
-- The engine's own tables, made before the first migration and never changed by one.
CREATE SCHEMA IF NOT EXISTS ops;
CREATE TABLE IF NOT EXISTS ops.migration (
    version integer NOT NULL CONSTRAINT migration_pk PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_by text NOT NULL,
    duration_ms integer NOT NULL
);
CREATE TABLE IF NOT EXISTS ops.object_set (
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp() CONSTRAINT object_set_pk PRIMARY KEY,
    sha256 text NOT NULL,
    applied_by text NOT NULL,
    duration_ms integer NOT NULL
);
COMMENT ON TABLE ops.migration IS 'Every migration applied to this database: what exactly, when, by whom.';
COMMENT ON TABLE ops.object_set IS 'Every time the declarative objects were applied; the latest row is in force.';

-- name: grant_ledger
-- Whoever wants to know whether the schema is current may look; repeated after objects/ has revoked everything.
GRANT USAGE ON SCHEMA ops TO sitevault_migrator, sitevault_worker, sitevault_judge, sitevault_auditor;
GRANT SELECT ON ops.migration, ops.object_set
TO sitevault_migrator, sitevault_worker, sitevault_judge, sitevault_auditor;

-- name: ledger_exists
-- Whether the engine has been here before; asks the catalog, so it needs no right on the schema.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'ops' AND c.relname = 'object_set'
);

-- name: applied_migrations
-- What the ledger says was applied, oldest number first.
SELECT version, name, sha256, applied_at, applied_by FROM ops.migration ORDER BY version;

-- name: applied_objects
-- The digest of the declarative objects now in force.
SELECT sha256 FROM ops.object_set ORDER BY applied_at DESC LIMIT 1;

-- name: record_migration
-- In the same transaction as the migration itself.
INSERT INTO ops.migration (version, name, sha256, applied_by, duration_ms)
VALUES (%(version)s, %(name)s, %(sha256)s, %(applied_by)s, %(duration_ms)s);

-- name: record_objects
-- In the same transaction as the objects themselves.
INSERT INTO ops.object_set (sha256, applied_by, duration_ms)
VALUES (%(sha256)s, %(applied_by)s, %(duration_ms)s);

-- name: applied_just_now
-- The migrations that the open transaction applied, oldest number first.
SELECT version FROM ops.migration WHERE applied_at >= now() ORDER BY version;

-- name: forget_migrations
-- A release that applied them is taken back.
DELETE FROM ops.migration WHERE version = ANY(%(versions)s);

-- name: forget_objects
-- A release that applied this set is taken back; the one before it is in force again.
DELETE FROM ops.object_set WHERE sha256 = %(sha256)s;

-- name: try_lock
-- One migrating session at a time in a database; held by the session, so a killed one leaves nothing behind.
SELECT pg_try_advisory_lock(hashtext('sitevault migrate'));

-- name: unlock
-- Let the next one migrate.
SELECT pg_advisory_unlock(hashtext('sitevault migrate'));

-- name: lock_holder
-- Who migrates at the moment, for the message to whoever waits.
SELECT a.pid, a.application_name, a.backend_start
FROM pg_catalog.pg_locks AS l
INNER JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory'
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
    AND l.objid = (hashtext('sitevault migrate')::bigint & 4294967295)::oid
    AND l.granted;
