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
    set_config('extra_float_digits', '1', true);

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

-- name: contradicted_events
-- Landed events whose key is another tenant's, with everything that has to move with them. Each is judged by
-- its key alone: the key's owner is the evidence.
SELECT
    encode(e.tenant_hk, 'hex') AS tenant,
    encode(k.tenant_hk, 'hex') AS rightful,
    e.raw_event_id,
    e.batch_id,
    e.event_id::text,
    e.received_timestamp,
    e.received_timestamp::text AS received_text,
    e.payload::text AS payload,
    b.state AS batch_state,
    (b.received_timestamp AT TIME ZONE 'UTC')::date::text AS ledger_day,
    d.status AS letter,
    n.event_day::text AS event_day,
    u.raw_event_id IS NOT NULL AS is_duplicate,
    ARRAY(
        SELECT jsonb_build_object('load_id', s.load_id::text, 'status', s.validation_status)
        FROM staging.site_tracking_events_s AS s
        WHERE s.tenant_hk = e.tenant_hk AND s.batch_id = e.batch_id AND s.raw_event_id = e.raw_event_id
        ORDER BY s.load_id
    ) AS staged
FROM raw.landed_event AS e
INNER JOIN auth.api_key_h AS k ON e.api_key_hk = k.api_key_hk AND e.tenant_hk <> k.tenant_hk
LEFT JOIN raw.batch AS b ON e.batch_id = b.batch_id
LEFT JOIN raw.dead_letter AS d ON e.tenant_hk = d.tenant_hk AND e.raw_event_id = d.raw_event_id
LEFT JOIN business.site_event_nl AS n
    ON e.tenant_hk = n.tenant_hk AND e.event_id = n.event_id AND e.raw_event_id = n.raw_event_id
LEFT JOIN business.site_event_duplicate AS u ON e.tenant_hk = u.tenant_hk AND e.raw_event_id = u.raw_event_id
WHERE e.received_timestamp >= %(since)s
    AND NOT EXISTS (
        SELECT FROM auth.api_key_h AS own WHERE own.api_key_hk = e.api_key_hk AND own.tenant_hk = e.tenant_hk
    )
ORDER BY e.raw_event_id
LIMIT %(most)s;

-- name: manifests
-- What the manifests of these batches say of tenants.
SELECT b.batch_id, ARRAY(SELECT encode(one, 'hex') FROM unnest(b.tenant_hks) AS one), b.tenant_events
FROM raw.batch AS b
WHERE b.batch_id = ANY(%(batch_ids)s);

-- name: failed_events
-- Events in ERROR: whose, which, and why.
SELECT encode(d.tenant_hk, 'hex'), d.raw_event_id, d.reason_code
FROM raw.dead_letter AS d
WHERE d.status = 'ERROR'
ORDER BY d.raw_event_id
LIMIT %(most)s;

-- name: failed_events_of_the_guide
-- The same in a foreign database of the guide's shape.
SELECT NULL AS tenant, r.raw_event_id, r.error_message
FROM raw.site_tracking_events_r AS r
WHERE r.processing_status = 'ERROR'
ORDER BY r.raw_event_id
LIMIT %(most)s;

-- name: relation_exists
-- Whether a table of this name is there.
SELECT to_regclass(%(relation)s) IS NOT NULL;

-- name: events_to_compare
-- Stuck events first, then the newest that went through.
SELECT r.raw_event_id
FROM raw.site_tracking_events_r AS r
ORDER BY r.processing_status = 'PROCESSED', r.raw_event_id DESC
LIMIT %(most)s;

-- name: take_to_compare
-- The event, unless somebody works on it at this moment.
SELECT true FROM raw.site_tracking_events_r WHERE raw_event_id = %(raw_event_id)s FOR UPDATE SKIP LOCKED;

-- name: pretend_pending
-- As if nobody had touched the event yet; always rolled back.
UPDATE raw.site_tracking_events_r SET processing_status = 'PENDING' WHERE raw_event_id = %(raw_event_id)s;

-- name: pretend_unstaged
-- As if it had not been staged; always rolled back.
DELETE FROM staging.site_tracking_events_s WHERE raw_event_id = %(raw_event_id)s;

-- name: staged_now
-- What staging made of an event, each column as JSON; numbers drawn from sequences are left out.
SELECT to_jsonb(s) - ARRAY(
    SELECT a.attname
    FROM pg_catalog.pg_attribute AS a
    LEFT JOIN pg_catalog.pg_attrdef AS d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE a.attrelid = 'staging.site_tracking_events_s'::regclass AND a.attnum > 0
        AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%%')
) AS staged
FROM staging.site_tracking_events_s AS s
WHERE s.raw_event_id = %(raw_event_id)s;

-- name: status_now
-- Where the event stands.
SELECT r.processing_status FROM raw.site_tracking_events_r AS r WHERE r.raw_event_id = %(raw_event_id)s;

-- name: bound_a_try
-- One event must not hold the comparison up.
SELECT set_config('statement_timeout', '5s', true), set_config('lock_timeout', '1s', true);

-- name: contradicted_events_of_the_guide
-- In a foreign database: events whose key is another tenant's. The key's owner is the evidence.
SELECT encode(r.tenant_hk, 'hex') AS tenant, encode(k.tenant_hk, 'hex') AS rightful, r.raw_event_id::text
FROM raw.site_tracking_events_r AS r
INNER JOIN auth.api_key_h AS k ON r.api_key_hk = k.api_key_hk AND r.tenant_hk <> k.tenant_hk
ORDER BY r.raw_event_id
LIMIT %(most)s;

-- name: assigned_events
-- Events somebody decided on, with the tenant they are under and the tenant they were assigned to.
SELECT encode(r.tenant_hk, 'hex') AS tenant, encode(t.tenant_hk, 'hex') AS rightful, r.raw_event_id::text
FROM raw.site_tracking_events_r AS r
INNER JOIN auth.tenant_h AS t ON t.tenant_bk = %(tenant)s
WHERE r.raw_event_id = %(raw_event_id)s AND r.tenant_hk <> t.tenant_hk;

-- name: tables_of_events
-- Tables that carry an event's tenant; and whether they carry its number, so that its rows can be found.
SELECT n.nspname, c.relname, count(*) FILTER (WHERE a.attname = 'raw_event_id') > 0 AS numbered
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
INNER JOIN pg_catalog.pg_attribute AS a ON c.oid = a.attrelid AND NOT a.attisdropped
WHERE n.nspname IN ('raw', 'staging', 'business', 'mart') AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND a.attname IN ('tenant_hk', 'raw_event_id')
GROUP BY n.nspname, c.relname
HAVING count(*) FILTER (WHERE a.attname = 'tenant_hk') > 0
ORDER BY n.nspname = 'raw' DESC, n.nspname, c.relname;

-- name: rows_of_event
-- Whether a table has one row of this event under this tenant.
SELECT count(*) FROM {table} WHERE raw_event_id = %(raw_event_id)s::bigint AND tenant_hk = decode(%(tenant)s, 'hex');

-- name: shape
-- Whose database it is: Sitevault's own, one of the guide's shape, or another.
SELECT
    to_regclass('raw.landed_event') IS NOT NULL AND to_regclass('ops.ledger_d') IS NOT NULL AS house,
    to_regclass('raw.site_tracking_events_r') IS NOT NULL AS guide;

-- name: invalid_indexes
-- Indexes that are not valid, quoted.
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_index AS i
INNER JOIN pg_catalog.pg_class AS c ON i.indexrelid = c.oid AND c.relkind = 'i'
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
WHERE NOT i.indisvalid AND n.nspname !~ '^pg_'
ORDER BY 1;

-- name: unvalidated_constraints
-- Constraints that bind new rows only, quoted; those declared for readers are left alone.
SELECT format('%I.%I', n.nspname, c.relname), quote_ident(k.conname)
FROM pg_catalog.pg_constraint AS k
INNER JOIN pg_catalog.pg_class AS c ON k.conrelid = c.oid
INNER JOIN pg_catalog.pg_namespace AS n ON c.relnamespace = n.oid
WHERE NOT k.convalidated AND k.coninhcount = 0 AND n.nspname !~ '^pg_'
    AND pg_get_constraintdef(k.oid) NOT LIKE '%%NOT ENFORCED%%'
ORDER BY 1, 2;
