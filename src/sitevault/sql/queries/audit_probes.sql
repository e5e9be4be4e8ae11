-- What the probes of the audit try. `{relation}` and its kin are filled in with identifiers from the catalog.

-- name: plant
-- One canary row.
INSERT INTO {relation} ({columns}) VALUES ({values});

-- name: remove
-- A canary's rows, as the owner within the canary's context: the policies hold it to them, and so does the test.
DELETE FROM {relation} WHERE tenant_hk = %(tenant_hk)s;

-- name: remove_manifests
-- A canary's manifests.
DELETE FROM {relation} WHERE tenant_hks = ARRAY[%(tenant_hk)s];

-- name: allow_writing
-- A reader's transactions are read-only from the start, and a reader can change that: so the probes do.
SET TRANSACTION READ WRITE;

-- name: give_up_soon
-- No probe may wait for a lock or take long.
SELECT set_config('statement_timeout', '10s', true), set_config('lock_timeout', '2s', true);

-- name: set_context
-- Any text as the context, as SET LOCAL does it.
SELECT set_config('sitevault.tenant_hk', %(context)s, true);

-- name: act_as_owner
-- Only the migrator can.
SET LOCAL ROLE sitevault_owner;

-- name: select_foreign
-- Rows that are not the own tenant's.
SELECT * FROM {relation} WHERE {tenant} IS DISTINCT FROM %(own)s LIMIT 10;

-- name: select_foreign_columns
-- The same, where only some columns may be read.
SELECT {columns} FROM {relation} LIMIT 1000;

-- name: select_everything
-- All that is shown, of what has no tenant's column.
SELECT * FROM {relation} LIMIT 1000;

-- name: count_shown
-- How many rows are shown at all.
SELECT count(*) FROM {relation};

-- name: select_only
-- The table without its partitions.
SELECT * FROM ONLY {relation} WHERE {tenant} IS DISTINCT FROM %(own)s LIMIT 10;

-- name: select_places
-- Where rows are stored, by which they could be fetched.
SELECT tableoid, ctid, t FROM {relation} AS t WHERE {tenant} IS DISTINCT FROM %(own)s LIMIT 10;

-- name: select_sample
-- A sample of everything.
SELECT * FROM {relation} TABLESAMPLE bernoulli (100) WHERE {tenant} IS DISTINCT FROM %(own)s LIMIT 10;

-- name: update_other
-- A change of the other tenant's rows.
UPDATE {relation} SET {tenant} = {tenant} WHERE {tenant} = %(other)s;

-- name: give_away
-- Own rows made the other tenant's.
UPDATE {relation} SET {tenant} = %(other)s WHERE {tenant} = %(own)s;

-- name: delete_other
-- The other tenant's rows taken away.
DELETE FROM {relation} WHERE {tenant} = %(other)s;

-- name: insert_conflicting
-- A row of the other tenant that is there already, quietly.
INSERT INTO {relation} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING;

-- name: insert_overwriting
-- A row of the other tenant that is there already, over it.
INSERT INTO {relation} ({columns}) VALUES ({values})
ON CONFLICT ({key}) DO UPDATE SET {first} = excluded.{first};

-- name: merge_other
-- The other tenant's rows taken away by MERGE.
MERGE INTO {relation} AS t
USING (SELECT 1 AS one) AS s ON t.{tenant} = %(other)s
WHEN MATCHED THEN DELETE;

-- name: truncate
-- Everything taken away: no policy binds TRUNCATE.
TRUNCATE {relation};

-- name: copy_out
-- The table as a stream.
COPY {relation} TO STDOUT;

-- name: copy_query_out
-- A query as a stream.
COPY (SELECT * FROM {relation} WHERE {tenant} IS DISTINCT FROM {own} LIMIT 10) TO STDOUT;

-- name: copy_in
-- Rows of any tenant as a stream.
COPY {relation} FROM STDIN;

-- name: cast_columns
-- All values of a row read as a number, but for the own rows': what cannot be read is quoted in the error.
SELECT count(*) FROM {relation}
WHERE CASE WHEN {tenant} = %(own)s THEN false ELSE concat('x', {columns})::integer > 0 END;

-- name: explain
-- How a table is read, with what was found on the way.
EXPLAIN (ANALYZE, VERBOSE, COSTS off, TIMING off, SUMMARY off) SELECT * FROM {relation};

-- name: lift_row_security
-- Ask for no row-level security.
SET LOCAL row_security = off;

-- name: set_role
-- Become somebody else.
SET LOCAL ROLE {role};

-- name: set_session_authorization
-- Be somebody else.
SET LOCAL SESSION AUTHORIZATION {role};

-- name: create_function
-- A function that could take another's name.
CREATE FUNCTION {schema}.sitevault_probe(text) RETURNS boolean LANGUAGE sql AS 'SELECT true';

-- name: create_table
-- A table that could take another's name.
CREATE TABLE {schema}.sitevault_probe (x integer);

-- name: create_operator
-- An operator that could take another's place.
CREATE OPERATOR {schema}.= (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = pg_catalog.byteane);

-- name: create_temporary_table
-- A table found before all others.
CREATE TEMPORARY TABLE sitevault_probe (x integer);

-- name: create_large_object
-- A place without row-level security.
SELECT lo_from_bytea(0, 'x'::bytea);

-- name: funnel_of_other
-- A function of the house asked about the other tenant.
SELECT * FROM mart.funnel(%(other)s, current_date - 1, current_date + 1, %(step)s) WHERE sessions > 0;

-- name: statistics
-- What the planner remembers of the values in tables of tenants.
SELECT schemaname, tablename, attname, most_common_vals, histogram_bounds
FROM pg_catalog.pg_stats
WHERE schemaname IN ('auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops')
    AND tablename NOT IN ('migration', 'object_set');

-- name: extended_statistics
-- The same of several columns together.
SELECT schemaname, tablename, most_common_vals
FROM pg_catalog.pg_stats_ext
WHERE schemaname IN ('auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops');

-- name: raw_statistics
-- The table behind both.
SELECT starelid, stavalues1 FROM pg_catalog.pg_statistic LIMIT 1;

-- name: activity
-- What other sessions of the same role are doing.
SELECT pid, query FROM pg_catalog.pg_stat_activity WHERE pid <> pg_backend_pid();

-- name: sequence_value
-- How far a sequence is, from the sequence itself.
SELECT last_value FROM {sequence};

-- name: sequence_next
-- A sequence moved on.
SELECT nextval(%(sequence)s);

-- name: sequences_listed
-- How far sequences are, from the catalog's view.
SELECT schemaname, sequencename, last_value FROM pg_catalog.pg_sequences
WHERE last_value IS NOT NULL AND schemaname IN ('auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops');

-- name: fail
-- A statement that fails.
SELECT 1 / 0;

-- name: set_short_timeout
-- The next long statement will be ended by the server.
SET LOCAL statement_timeout = '20ms';

-- name: sleep
-- A statement that takes long enough to be ended.
SELECT pg_sleep(5);

-- name: own_tenants
-- Whose rows are shown.
SELECT tenant_hk FROM auth.tenant_h;

-- name: open_cursor
-- A cursor to be read later in the transaction.
DECLARE sitevault_probe NO SCROLL CURSOR FOR SELECT tenant_hk FROM auth.tenant_h;

-- name: read_cursor
-- What the cursor shows now.
FETCH ALL FROM sitevault_probe;

-- name: speak
-- A statement whose text holds a secret of its tenant.
SELECT {literal}::text, pg_sleep(0);

-- name: select_own
-- Both canaries' rows, for who may see them.
SELECT * FROM {relation} WHERE {tenant} IN (%(own)s, %(other)s);
