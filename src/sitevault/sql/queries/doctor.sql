-- What the doctor reads, all in one read-only transaction; see sitevault.doctor.snapshot. Every catalog query is
-- one set-based statement, whatever the number of objects.

-- name: begin_snapshot
-- Every part is of one moment, and nothing can be written.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: limits
-- A statement may take so long; nobody is kept waiting by us, and names are deparsed with their schemas.
SELECT
    set_config('statement_timeout', %(milliseconds)s, true),
    set_config('lock_timeout', '2s', true),
    set_config('search_path', '', true),
    set_config('timezone', 'UTC', true);

-- name: server
-- The server, its clock, who is connected, and the settings that checks look at.
SELECT
    current_setting('server_version_num')::integer AS version,
    current_database()::text AS database,
    current_user::text AS "user",
    (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user) AS is_superuser,
    pg_catalog.pg_is_in_recovery() AS in_recovery,
    pg_catalog.clock_timestamp() AS now,
    pg_catalog.pg_postmaster_start_time() AS started,
    (
        SELECT pg_catalog.jsonb_object_agg(s.name, s.setting)
        FROM pg_catalog.pg_settings AS s
        WHERE s.name IN (
            'autovacuum', 'autovacuum_freeze_max_age', 'autovacuum_multixact_freeze_max_age', 'fsync', 'full_page_writes',
            'synchronous_commit', 'track_counts', 'track_activities', 'max_connections', 'session_replication_role'
        )
    ) AS settings,
    coalesce((SELECT array_agg(e.extname::text ORDER BY e.extname) FROM pg_catalog.pg_extension AS e), '{}')
        AS extensions,
    pg_catalog.age(d.datfrozenxid) AS transaction_age,
    pg_catalog.mxid_age(d.datminmxid) AS multixact_age,
    -- where the statistics were never reset, nobody tells since when they count: since the server's start at least
    coalesce(
        (SELECT s.stats_reset FROM pg_catalog.pg_stat_database AS s WHERE s.datid = d.oid),
        pg_catalog.pg_postmaster_start_time()
    ) AS counted_since
FROM pg_catalog.pg_database AS d
WHERE d.datname = current_database();

-- name: sees_all_sessions
-- Whether this role is shown what the sessions of others do.
SELECT pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE');

-- name: sessions
-- Everybody in this database but us: how long, in which state, waiting for whom. Never what is asked.
SELECT
    a.pid,
    a.application_name AS application,
    a.usename::text AS "user",
    a.backend_type AS kind,
    a.state,
    extract(EPOCH FROM pg_catalog.clock_timestamp() - a.xact_start)::float8 AS transaction_seconds,
    extract(EPOCH FROM pg_catalog.clock_timestamp() - a.state_change)::float8 AS state_seconds,
    CASE WHEN a.wait_event_type = 'Lock' THEN pg_catalog.pg_blocking_pids(a.pid) ELSE '{}' END AS waits_for,
    false AS prepared,
    coalesce(r.rolsuper, false) AS is_superuser
FROM pg_catalog.pg_stat_activity AS a
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.usesysid
WHERE a.datname = current_database() AND a.pid <> pg_catalog.pg_backend_pid()
UNION ALL
SELECT
    0, x.gid, x.owner::text, 'prepared transaction', 'prepared',
    extract(EPOCH FROM pg_catalog.clock_timestamp() - x.prepared)::float8,
    extract(EPOCH FROM pg_catalog.clock_timestamp() - x.prepared)::float8,
    '{}', true, false
FROM pg_catalog.pg_prepared_xacts AS x
WHERE x.database = current_database();

-- name: relations
-- Every table, partition, view and sequence that is not the system's own or an extension's.
SELECT
    c.oid::bigint AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
    c.relispartition AS is_partition,
    parent.oid::regclass::text AS parent,
    pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound,
    c.reltuples::float8 AS rows,
    CASE
        WHEN c.relkind NOT IN ('r', 'm') THEN 0
        -- the size itself needs a lock on the table; the planner's idea of it does not
        WHEN %(careful)s::boolean THEN c.relpages::bigint * current_setting('block_size')::integer
        ELSE pg_catalog.pg_relation_size(c.oid)
    END AS bytes,
    CASE WHEN c.relkind IN ('v', 'm') AND NOT %(careful)s::boolean THEN pg_catalog.pg_get_viewdef(c.oid) END AS definition,
    c.relacl::text [] AS acl
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = c.oid AND c.relispartition
LEFT JOIN pg_catalog.pg_class AS parent ON parent.oid = i.inhparent
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname;

-- name: columns
-- Every column of a table or view, with its type and default as the server deparses them.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS relation,
    a.attname::text AS name,
    a.attnum::integer AS position,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AS not_null,
    CASE WHEN NOT %(careful)s::boolean THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS default,
    a.attgenerated::text AS generated
FROM pg_catalog.pg_attribute AS a
INNER JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY n.nspname, c.relname, a.attnum;

-- name: constraints
-- Every constraint of a table; before PostgreSQL 18 each is enforced.
SELECT
    k.oid::bigint AS oid,
    n.nspname::text AS schema,
    c.relname::text AS relation,
    k.conname::text AS name,
    k.contype::text AS kind,
    coalesce((
        SELECT array_agg(a.attname::text ORDER BY listed.place)
        FROM unnest(k.conkey) WITH ORDINALITY AS listed (attnum, place)
        INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = listed.attnum
    ), '{}') AS columns,
    pg_catalog.pg_get_constraintdef(k.oid) AS definition,
    k.convalidated AS validated,
    coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) AS enforced,
    k.conparentid <> 0 OR (k.coninhcount > 0 AND NOT k.conislocal) AS is_inherited,
    CASE WHEN k.confrelid <> 0 THEN k.confrelid::regclass::text END AS foreign_relation,
    coalesce((
        SELECT array_agg(a.attname::text ORDER BY listed.place)
        FROM unnest(k.confkey) WITH ORDINALITY AS listed (attnum, place)
        INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = listed.attnum
    ), '{}') AS foreign_columns
FROM pg_catalog.pg_constraint AS k
INNER JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname, k.conname;

-- name: indexes
-- Every index with its validity and its use since the statistics were last reset.
SELECT
    i.oid::bigint AS oid,
    n.nspname::text AS schema,
    c.relname::text AS relation,
    i.relname::text AS name,
    m.amname::text AS method,
    (
        SELECT array_agg(coalesce(a.attname::text, '') ORDER BY listed.place)
        FROM unnest(x.indkey::smallint []) WITH ORDINALITY AS listed (attnum, place)
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = listed.attnum
        WHERE listed.place <= x.indnkeyatts
    ) AS columns,
    pg_catalog.pg_get_indexdef(i.oid) AS definition,
    x.indisunique AS "unique",
    x.indisprimary AS "primary",
    x.indisvalid AS valid,
    x.indisready AS ready,
    x.indislive AS live,
    pg_catalog.pg_get_expr(x.indpred, x.indrelid) AS predicate,
    i.relispartition AS is_partition,
    k.conname::text AS "constraint",
    coalesce(pg_catalog.pg_stat_get_numscans(i.oid), 0) AS scans,
    CASE
        WHEN i.relkind <> 'i' THEN 0
        WHEN %(careful)s::boolean THEN i.relpages::bigint * current_setting('block_size')::integer
        ELSE pg_catalog.pg_relation_size(i.oid)
    END AS bytes
FROM pg_catalog.pg_index AS x
INNER JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
INNER JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
INNER JOIN pg_catalog.pg_am AS m ON m.oid = i.relam
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint AS k
    ON k.conindid = x.indexrelid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname, i.relname;

-- name: functions
-- Every function and procedure that is not the system's own or an extension's, with its source.
SELECT
    p.oid::bigint AS oid,
    n.nspname::text AS schema,
    p.proname::text AS name,
    pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments,
    pg_catalog.pg_get_function_result(p.oid) AS returns,
    p.prokind::text AS kind,
    l.lanname::text AS language,
    p.prosrc AS source,
    CASE WHEN p.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(p.oid) END AS definition,
    p.prosecdef AS definer,
    coalesce(p.proconfig, '{}') AS settings,
    pg_catalog.pg_get_userbyid(p.proowner)::text AS owner,
    p.provolatile::text AS volatility,
    coalesce((
        SELECT array_agg(DISTINCT tn.nspname || '.' || tc.relname)
        FROM pg_catalog.pg_trigger AS t
        INNER JOIN pg_catalog.pg_class AS tc ON tc.oid = t.tgrelid
        INNER JOIN pg_catalog.pg_namespace AS tn ON tn.oid = tc.relnamespace
        WHERE t.tgfoid = p.oid AND NOT t.tgisinternal
    ), '{}') AS trigger_tables,
    p.proacl::text [] AS acl
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
INNER JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, p.proname, arguments;

-- name: triggers
-- Every trigger somebody made, and whether it fires.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS relation,
    t.tgname::text AS name,
    t.tgfoid::bigint AS function_oid,
    t.tgfoid::regprocedure::text AS function,
    t.tgenabled::text AS enabled,
    pg_catalog.pg_get_triggerdef(t.oid) AS definition
FROM pg_catalog.pg_trigger AS t
INNER JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT t.tgisinternal AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname, t.tgname;

-- name: sequences
-- Every sequence: its limits, and how far it is where this role may see that.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    pg_catalog.format_type(s.seqtypid, NULL) AS type,
    CASE
        WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE') THEN pg_catalog.pg_sequence_last_value(c.oid)
    END AS last_value,
    s.seqmin AS min_value,
    s.seqmax AS max_value,
    s.seqincrement AS increment,
    s.seqcycle AS cycle,
    owner.name AS owned_by,
    has_sequence_privilege(c.oid, 'SELECT, USAGE') AS readable
FROM pg_catalog.pg_sequence AS s
INNER JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT d.refobjid::regclass::text || '.' || a.attname AS name
    FROM pg_catalog.pg_depend AS d
    INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
    LIMIT 1
) AS owner ON true
WHERE n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname;

-- name: table_use
-- Sizes, dead rows, vacuums and transaction ages of everything that holds rows.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    coalesce(s.n_live_tup, 0) AS live,
    coalesce(s.n_dead_tup, 0) AS dead,
    CASE
        WHEN %(careful)s::boolean THEN c.relpages::bigint * current_setting('block_size')::integer
        ELSE pg_catalog.pg_relation_size(c.oid)
    END AS bytes,
    coalesce(s.seq_scan, 0) AS sequential_scans,
    coalesce(s.idx_scan, 0) AS index_scans,
    greatest(s.last_vacuum, s.last_autovacuum) AS last_vacuum,
    greatest(s.last_analyze, s.last_autoanalyze) AS last_analyze,
    pg_catalog.age(c.relfrozenxid) AS transaction_age,
    current_setting('autovacuum_freeze_max_age')::integer AS freeze_max_age
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_user_tables AS s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname;

-- name: tenants
-- Each tenant's hash key and id, or its key again where the hub has no column for an id.
SELECT t.tenant_hk, coalesce(to_jsonb(t) ->> 'tenant_bk', encode(t.tenant_hk, 'hex')) AS name
FROM auth.tenant_h AS t;

-- name: events_size
-- How large the table of payloads is, with its partitions.
SELECT coalesce(
    (SELECT sum(pg_catalog.pg_relation_size(p.relid))::bigint FROM pg_catalog.pg_partition_tree({name}::regclass) AS p),
    pg_catalog.pg_relation_size({name}::regclass)
);

-- name: newest_of_few
-- The newest events of a table that is small enough to be read whole.
SELECT
    {id}::text AS id, {tenant}::bytea AS tenant_hk, {received}::timestamptz AS received, {status}::text AS status,
    {api_key}::text AS api_key, {origin}::text AS origin, {payload}::text AS payload
FROM {table}
WHERE %(since)s::timestamptz IS NULL OR {received} >= %(since)s::timestamptz
ORDER BY {received} DESC
LIMIT %(most)s;

-- name: newest_by_index
-- The newest events of a large table, from the end of an index.
SELECT
    {id}::text AS id, {tenant}::bytea AS tenant_hk, {received}::timestamptz AS received, {status}::text AS status,
    {api_key}::text AS api_key, {origin}::text AS origin, {payload}::text AS payload
FROM {table}
ORDER BY {order} DESC
LIMIT %(most)s;

-- name: strides
-- A few events from each of many places of a large table, by index.
SELECT found.*
FROM unnest(%(starts)s::bigint []) AS start (at)
CROSS JOIN LATERAL (
    SELECT
        {id}::text AS id, {tenant}::bytea AS tenant_hk, {received}::timestamptz AS received, {status}::text AS status,
        {api_key}::text AS api_key, {origin}::text AS origin, {payload}::text AS payload
    FROM {table}
    WHERE {order} >= start.at
    ORDER BY {order}
    LIMIT %(each)s
) AS found;

-- name: some_blocks
-- Events of random blocks, where no index leads to the newest.
SELECT
    {id}::text AS id, {tenant}::bytea AS tenant_hk, {received}::timestamptz AS received, {status}::text AS status,
    {api_key}::text AS api_key, {origin}::text AS origin, {payload}::text AS payload
FROM {table} TABLESAMPLE SYSTEM (%(percent)s)
LIMIT %(most)s;

-- name: order_range
-- The ends of the index that grows with time.
SELECT min({order}), max({order}) FROM {table};

-- name: received_at
-- When the first event at or after a place of the index was received.
SELECT {received}::timestamptz FROM {table} WHERE {order} >= %(at)s ORDER BY {order} LIMIT 1;

-- name: waiting_in_the_house
-- Per tenant: events of pending manifests and requeued dead letters.
WITH waiting AS (
    SELECT counted.tenant_hk, counted.events::bigint AS events, b.received_timestamp AS since, b.attempts
    FROM raw.batch AS b
    CROSS JOIN ROWS FROM (unnest(b.tenant_hks), unnest(b.tenant_events)) AS counted (tenant_hk, events)
    WHERE b.state = 'PENDING'
    UNION ALL
    SELECT d.tenant_hk, 1, coalesce(d.requeued_at, d.last_failed_at), d.attempts
    FROM raw.dead_letter AS d
    WHERE d.status = 'PENDING'
)

SELECT
    tenant_hk,
    sum(events)::bigint AS events,
    extract(EPOCH FROM pg_catalog.clock_timestamp() - min(since))::float8 AS seconds,
    max(attempts) AS attempts
FROM waiting
GROUP BY tenant_hk
ORDER BY 3 DESC;

-- name: waiting_in_a_table
-- Per tenant: events whose status says that they are not done.
SELECT
    {tenant}::bytea AS tenant_hk,
    count(*) AS events,
    coalesce(extract(EPOCH FROM pg_catalog.clock_timestamp() - min({received})), 0)::float8 AS seconds,
    coalesce(max({attempts}), 0)::integer AS attempts
FROM {table}
WHERE {status} IN ('PENDING', 'PROCESSING', 'NEW', 'QUEUED', 'RETRY', 'pending', 'processing', 'new', 'queued', 'retry')
    OR {status} IS NULL
GROUP BY {tenant}
ORDER BY 3 DESC;

-- name: failures_in_the_house
-- Dead letters that wait for somebody, by tenant, reason, SQLSTATE and constraint.
SELECT
    tenant_hk, reason_code AS code, sqlstate, constraint_name AS "constraint", NULL::text AS message,
    count(*) AS events, max(attempts) AS attempts, min(first_failed_at) AS oldest
FROM raw.dead_letter
WHERE status = 'ERROR'
GROUP BY tenant_hk, reason_code, sqlstate, constraint_name;

-- name: failures_in_a_table
-- Failed events by tenant and what was said of them.
SELECT
    {tenant}::bytea AS tenant_hk, NULL::text AS code, NULL::text AS sqlstate, NULL::text AS "constraint",
    {error}::text AS message, count(*) AS events, coalesce(max({attempts}), 0)::integer AS attempts,
    min({received})::timestamptz AS oldest
FROM {table}
WHERE {status} IN ('ERROR', 'FAILED', 'error', 'failed', 'DEAD', 'dead')
GROUP BY {tenant}, {error}
ORDER BY events DESC
LIMIT 2000;

-- name: workers_in_the_house
-- Sessions of workers, and since when the newest load is done.
SELECT
    (
        SELECT count(*)::integer FROM pg_catalog.pg_stat_activity
        WHERE datname = current_database() AND usename = 'sitevault_worker'
    ) AS connected,
    (
        SELECT extract(EPOCH FROM pg_catalog.clock_timestamp() - l.finished_at)::float8
        FROM ops.load AS l ORDER BY l.load_id DESC LIMIT 1
    ) AS last_done_seconds;

-- name: workers_by_their_work
-- Since when the newest staged row is done.
SELECT
    NULL::integer AS connected,
    extract(EPOCH FROM pg_catalog.clock_timestamp() - max(processed_timestamp))::float8 AS last_done_seconds
FROM staging.site_tracking_events_s;

-- name: rhythms_in_the_house
-- Per active tenant: the minutes in which events came, by the newest manifests, and the longest pause between them.
WITH newest AS (
    SELECT b.tenant_hks, b.received_timestamp FROM raw.batch AS b ORDER BY b.batch_id DESC LIMIT 200000
),

arrival AS (
    SELECT DISTINCT tenant.hk AS tenant_hk, date_trunc('minute', n.received_timestamp) AS at
    FROM newest AS n CROSS JOIN unnest(n.tenant_hks) AS tenant (hk)
),

pause AS (
    SELECT tenant_hk, at, at - lag(at) OVER (PARTITION BY tenant_hk ORDER BY at) AS length FROM arrival
)

SELECT
    p.tenant_hk,
    count(*)::integer AS minutes,
    extract(EPOCH FROM max(p.at) - min(p.at))::float8 AS span_seconds,
    extract(EPOCH FROM max(p.length))::float8 AS longest_pause_seconds,
    extract(EPOCH FROM pg_catalog.clock_timestamp() - max(p.at))::float8 AS silent_seconds
FROM pause AS p
INNER JOIN auth.tenant_v AS t ON p.tenant_hk = t.tenant_hk
WHERE t.status = 'active'
GROUP BY p.tenant_hk;

-- name: rhythms_in_a_table
-- Per tenant: the minutes in which events came, by the newest rows, and the longest pause between them.
WITH newest AS (
    SELECT {tenant}::bytea AS tenant_hk, {received}::timestamptz AS received
    FROM {table} ORDER BY {order} DESC LIMIT 200000
),

arrival AS (
    SELECT DISTINCT n.tenant_hk, date_trunc('minute', n.received) AS at FROM newest AS n WHERE n.received IS NOT NULL
),

pause AS (
    SELECT tenant_hk, at, at - lag(at) OVER (PARTITION BY tenant_hk ORDER BY at) AS length FROM arrival
)

SELECT
    tenant_hk,
    count(*)::integer AS minutes,
    extract(EPOCH FROM max(at) - min(at))::float8 AS span_seconds,
    extract(EPOCH FROM max(length))::float8 AS longest_pause_seconds,
    extract(EPOCH FROM pg_catalog.clock_timestamp() - max(at))::float8 AS silent_seconds
FROM pause
GROUP BY tenant_hk;

-- name: blocked
-- Who waits for a lock: for how long, on what, and for whom. Everybody may see that.
SELECT
    l.pid,
    coalesce(extract(EPOCH FROM pg_catalog.clock_timestamp() - min(l.waitstart)), 0)::float8 AS seconds,
    min(l.relation::regclass::text) FILTER (WHERE l.relation IS NOT NULL) AS relation,
    pg_catalog.pg_blocking_pids(l.pid) AS blockers
FROM pg_catalog.pg_locks AS l
WHERE NOT l.granted
    AND (l.database IS NULL OR l.database IN (
        0, (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
    ))
GROUP BY l.pid;

-- name: transactions_behind
-- How many transactions began since the oldest that is still running.
SELECT
    pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint
    - pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text::bigint;

-- name: migrated_seconds
-- How long ago the newest migration, or set of objects, was applied.
SELECT coalesce(extract(EPOCH FROM pg_catalog.clock_timestamp() - greatest(
    (SELECT max(m.applied_at) FROM ops.migration AS m), (SELECT max(o.applied_at) FROM ops.object_set AS o)
)), 0)::float8;

-- name: key_owners
-- Every key of a table of keys, as text, with the tenant it belongs to.
SELECT {key}::text AS key, {tenant}::bytea AS tenant_hk FROM {table} WHERE {key} IS NOT NULL;

-- name: carried_in_the_house
-- Per tenant: sampled events that are staged, staged elsewhere, or done and in no place.
WITH landed AS (
    SELECT e.tenant_hk, e.batch_id, e.raw_event_id, e.event_id
    FROM raw.landed_event AS e
    WHERE e.batch_id = ANY(%(batch_ids)s::bigint []) AND e.raw_event_id = ANY(%(raw_event_ids)s::bigint [])
)

SELECT
    l.tenant_hk,
    count(*) FILTER (WHERE s.found) AS staged,
    count(*) FILTER (WHERE s.elsewhere) AS elsewhere,
    0::bigint AS twice,
    count(*) FILTER (
        WHERE b.state = 'PROCESSED' AND d.status IS DISTINCT FROM 'ERROR' AND d.status IS DISTINCT FROM 'PENDING'
            AND NOT coalesce(s.found, false) AND v.event_id IS NULL AND u.raw_event_id IS NULL
    ) AS missing
FROM landed AS l
LEFT JOIN raw.batch AS b ON l.batch_id = b.batch_id
LEFT JOIN raw.dead_letter AS d ON l.tenant_hk = d.tenant_hk AND l.raw_event_id = d.raw_event_id
LEFT JOIN business.site_event_nl AS v ON l.tenant_hk = v.tenant_hk AND l.event_id = v.event_id
LEFT JOIN business.site_event_duplicate AS u ON l.tenant_hk = u.tenant_hk AND l.raw_event_id = u.raw_event_id
LEFT JOIN LATERAL (
    SELECT true AS found, bool_or(g.tenant_hk <> l.tenant_hk) AS elsewhere
    FROM staging.site_tracking_events_s AS g
    WHERE g.batch_id = l.batch_id AND g.raw_event_id = l.raw_event_id
    HAVING count(*) > 0
) AS s ON true
GROUP BY l.tenant_hk;

-- name: carried_in_tables
-- Per tenant: sampled events that are staged, staged twice or elsewhere, or said to be done and not staged.
WITH staged AS (
    SELECT s.{id}::text AS number, count(*) AS copies, array_agg(s.tenant_hk::bytea) AS tenants
    FROM staging.site_tracking_events_s AS s
    WHERE s.{id} = ANY(%(numbers)s::text []::{id_type} [])
    GROUP BY s.{id}
)

SELECT
    r.{tenant}::bytea AS tenant_hk,
    count(s.number) AS staged,
    count(*) FILTER (WHERE NOT r.{tenant}::bytea = ALL(s.tenants)) AS elsewhere,
    count(*) FILTER (WHERE s.copies > 1) AS twice,
    count(*) FILTER (WHERE s.number IS NULL AND upper({status}::text) IN ('PROCESSED', 'DONE', 'COMPLETED')) AS missing
FROM {table} AS r
LEFT JOIN staged AS s ON r.{id}::text = s.number
WHERE r.{id} = ANY(%(numbers)s::text []::{id_type} [])
GROUP BY 1;

-- name: orphans_in_the_house
-- The newest staged rows, and those whose landed event is gone although its day is still kept.
WITH newest AS (
    SELECT s.tenant_hk, s.batch_id, s.raw_event_id, s.received_timestamp
    FROM staging.site_tracking_events_s AS s ORDER BY s.batch_id DESC LIMIT %(most)s
)

SELECT count(*) AS looked_at, count(*) FILTER (WHERE e.raw_event_id IS NULL) AS without_raw
FROM newest AS n
LEFT JOIN raw.landed_event AS e
    ON n.tenant_hk = e.tenant_hk AND n.batch_id = e.batch_id AND n.raw_event_id = e.raw_event_id
WHERE n.received_timestamp >= (
    -- landing of days before may have been dropped by retention
    SELECT f.received_timestamp FROM raw.landed_event AS f ORDER BY f.batch_id LIMIT 1
);

-- name: orphans_in_tables
-- The newest staged rows, and those whose raw event is not there.
WITH newest AS (
    SELECT s.{id} AS number FROM staging.site_tracking_events_s AS s ORDER BY s.{id} DESC NULLS FIRST LIMIT %(most)s
)

SELECT count(*) AS looked_at, count(*) FILTER (WHERE r.number IS NULL) AS without_raw
FROM newest AS n
LEFT JOIN LATERAL (SELECT t.{id} AS number FROM {table} AS t WHERE t.{id} = n.number LIMIT 1) AS r ON true;

-- name: recomputed_keys
-- Hub keys of the sampled events, computed again from their business keys.
WITH event AS (
    SELECT DISTINCT n.tenant_hk, n.session_hk, n.visitor_hk, n.page_hk
    FROM staging.site_tracking_events_s AS s
    INNER JOIN business.site_event_nl AS n
        ON s.tenant_hk = n.tenant_hk AND s.event_id = n.event_id AND s.event_day = n.event_day
    WHERE s.batch_id = ANY(%(batch_ids)s::bigint [])
),

hub_row AS (
    SELECT DISTINCT 'business.site_session_h' AS hub, h.tenant_hk, h.session_hk AS found, h.session_bk AS bk, 'session' AS domain
    FROM event AS e INNER JOIN business.site_session_h AS h ON e.tenant_hk = h.tenant_hk AND e.session_hk = h.session_hk
    UNION ALL
    SELECT DISTINCT 'business.site_visitor_h', h.tenant_hk, h.visitor_hk, h.visitor_bk, 'visitor'
    FROM event AS e INNER JOIN business.site_visitor_h AS h ON e.tenant_hk = h.tenant_hk AND e.visitor_hk = h.visitor_hk
    UNION ALL
    SELECT DISTINCT 'business.site_page_h', h.tenant_hk, h.page_hk, h.page_bk, 'page'
    FROM event AS e INNER JOIN business.site_page_h AS h ON e.tenant_hk = h.tenant_hk AND e.page_hk = h.page_hk
)

SELECT hub, count(*) AS looked_at, count(*) FILTER (WHERE found <> business.hash_key(domain, tenant_hk, bk)) AS wrong
FROM hub_row WHERE bk IS NOT NULL GROUP BY hub
UNION ALL
SELECT 'auth.tenant_h', count(*), count(*) FILTER (WHERE tenant_hk <> auth.tenant_key(tenant_bk)) FROM auth.tenant_h;

-- name: nulls_in_the_house
-- Of each sampled event that staging did not refuse: which columns are NULL.
SELECT s.raw_event_id::text AS "number", {flags}
FROM staging.site_tracking_events_s AS s
WHERE s.batch_id = ANY(%(batch_ids)s::bigint []) AND s.raw_event_id = ANY(%(raw_event_ids)s::bigint [])
    AND s.validation_status <> 'INVALID';

-- name: nulls_in_tables
-- Of each sampled event that was staged: which columns are NULL.
SELECT s.{id}::text AS "number", {flags}
FROM staging.site_tracking_events_s AS s
WHERE s.{id} = ANY(%(numbers)s::text []::{id_type} []);
