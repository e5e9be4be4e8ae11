-- Repairs: who the database is, and the record of what was done. {repair}, {object} and {row} are the tables of
-- the record: of the house in schema ops, in a foreign database in a schema of their own.

-- name: database_id
-- Which database this is; a restored copy has another system identifier or oid.
SELECT c.system_identifier::text, d.datname, d.oid::bigint
FROM pg_catalog.pg_control_system() AS c
CROSS JOIN pg_catalog.pg_database AS d
WHERE d.datname = current_database();

-- name: bound_waiting
-- Nobody's traffic queues behind a repair for long.
SELECT set_config('lock_timeout', %(lock_timeout)s, true), set_config('statement_timeout', %(statement_timeout)s, true);

-- name: same_text_everywhere
-- A value's text does not depend on who reads it.
SELECT
    set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO, YMD', true),
    set_config('intervalstyle', 'postgres', true), set_config('bytea_output', 'hex', true),
    set_config('extra_float_digits', '1', true), set_config('search_path', '', true);

-- name: only_one
-- One repair at a time.
SELECT pg_try_advisory_xact_lock(hashtext('sitevault.repair'));

-- name: within_tenant
-- Whose rows the next statements may touch; empty: nobody's.
SELECT set_config('sitevault.tenant_hk', %(tenant)s, true);

-- name: become_owner
-- The owner's rights, for the rest of the transaction.
SET LOCAL ROLE sitevault_owner;

-- name: columns
-- The columns of a relation with their types, in order.
SELECT a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = to_regclass(%(relation)s) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum;

-- name: has_record
-- Whether a foreign database holds a record of repairs.
SELECT to_regclass('sitevault_repair.repair') IS NOT NULL;

-- name: make_record
-- The record in a foreign database: a schema of its own, gone with the last repair that is undone.
CREATE SCHEMA sitevault_repair;
CREATE TABLE sitevault_repair.repair (
    repair_id text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('APPLIED', 'UNDONE')),
    plan jsonb NOT NULL,
    applied_at timestamptz NOT NULL,
    applied_by text NOT NULL,
    undone_at timestamptz,
    undone_by text
);
CREATE TABLE sitevault_repair.repair_object (
    repair_id text NOT NULL,
    kind text NOT NULL,
    identity text NOT NULL,
    before text,
    after text,
    PRIMARY KEY (repair_id, kind, identity)
);
CREATE TABLE sitevault_repair.repair_row (
    tenant_hk bytea NOT NULL,
    repair_id text NOT NULL,
    place integer NOT NULL,
    relation text NOT NULL,
    before jsonb,
    after jsonb,
    PRIMARY KEY (repair_id, place)
);

-- name: drop_record
-- Nothing of ours stays in a foreign database in which no repair is in force.
DROP SCHEMA sitevault_repair CASCADE;

-- name: find_repair
-- One repair by its id, or by the beginning of it.
SELECT repair_id, state, plan::text, applied_at, applied_by, undone_at
FROM {repair}
WHERE starts_with(repair_id, %(repair_id)s)
ORDER BY applied_at DESC;

-- name: list_repairs
-- Every repair, the newest first.
SELECT repair_id, state, plan::text, applied_at, applied_by, undone_at
FROM {repair}
ORDER BY applied_at DESC;

-- name: record_repair
-- That a plan was carried out; one that was undone may be carried out again.
INSERT INTO {repair} (repair_id, state, plan, applied_at, applied_by)
VALUES (%(repair_id)s, 'APPLIED', %(plan)s::jsonb, clock_timestamp(), %(actor)s)
ON CONFLICT (repair_id) DO UPDATE SET
    state = 'APPLIED', applied_at = excluded.applied_at, applied_by = excluded.applied_by,
    undone_at = NULL, undone_by = NULL;

-- name: record_object
-- An object before and after.
INSERT INTO {object} (repair_id, kind, identity, before, after)
VALUES (%(repair_id)s, %(kind)s, %(identity)s, %(before)s, %(after)s);

-- name: record_row
-- A row before and after.
INSERT INTO {row} (tenant_hk, repair_id, place, relation, before, after)
VALUES (decode(%(tenant)s, 'hex'), %(repair_id)s, %(place)s, %(relation)s, %(before)s::jsonb, %(after)s::jsonb);

-- name: recorded_objects
-- What a repair did to objects.
SELECT kind, identity, before, after FROM {object} WHERE repair_id = %(repair_id)s ORDER BY kind, identity;

-- name: recorded_rows
-- What a repair did to rows; of the house, those of the tenant the transaction works within.
SELECT encode(tenant_hk, 'hex'), place, relation, before::text, after::text
FROM {row}
WHERE repair_id = %(repair_id)s
ORDER BY place;

-- name: forget_objects
-- The record of objects of a repair that is undone.
DELETE FROM {object} WHERE repair_id = %(repair_id)s;

-- name: forget_rows
-- The record of rows of a repair that is undone; of the house, those of the tenant the transaction works within.
DELETE FROM {row} WHERE repair_id = %(repair_id)s;

-- name: record_undo
-- That a repair was taken back.
UPDATE {repair}
SET state = 'UNDONE', undone_at = clock_timestamp(), undone_by = %(actor)s
WHERE repair_id = %(repair_id)s;

-- name: in_force
-- How many repairs are in force.
SELECT count(*) FROM {repair} WHERE state = 'APPLIED';
