-- The audit of isolation: what the catalog says, all read in one read-only transaction.

-- name: begin_snapshot
-- Every question of the snapshot is answered from one moment.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: server
-- The server and what is loaded into it.
SELECT
    current_setting('server_version_num')::integer AS version,
    current_database()::text AS database,
    pg_catalog.pg_get_userbyid(d.datdba)::text AS database_owner,
    coalesce((SELECT array_agg(e.extname::text ORDER BY e.extname) FROM pg_catalog.pg_extension AS e), '{}')
        AS extensions
FROM pg_catalog.pg_database AS d
WHERE d.datname = current_database();

-- name: relations
-- Every table, view, partition and sequence that is not the system's own or an extension's.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
    c.relispartition AS is_partition,
    c.relrowsecurity AS secured,
    c.relforcerowsecurity AS forced,
    coalesce(c.reloptions, '{}') AS options,
    coalesce((
        SELECT array_agg(a.attname::text ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ), '{}') AS columns,
    coalesce((
        SELECT array_agg(a.attname::text ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
    ), '{}') AS required,
    coalesce((
        SELECT array_agg(r.rulename::text ORDER BY r.rulename)
        FROM pg_catalog.pg_rewrite AS r
        WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'
    ), '{}') AS rules
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname;

-- name: policies
-- Every policy with its two conditions as the server deparses them.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS relation,
    p.polname::text AS name,
    p.polpermissive AS permissive,
    p.polcmd::text AS command,
    (
        SELECT array_agg(CASE WHEN listed.oid = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(listed.oid)::text END)
        FROM unnest(p.polroles) AS listed (oid)
    ) AS roles,
    pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS using_,
    pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS check_
FROM pg_catalog.pg_policy AS p
INNER JOIN pg_catalog.pg_class AS c ON c.oid = p.polrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname, p.polname;

-- name: keys
-- Every index that forbids something, with its columns in order; an expression has no name.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS relation,
    i.relname::text AS name,
    k.conname::text AS constraint_name,
    x.indisprimary AS is_primary,
    (
        SELECT array_agg(coalesce(a.attname::text, '') ORDER BY listed.place)
        FROM unnest(x.indkey::smallint []) WITH ORDINALITY AS listed (attnum, place)
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = listed.attnum
        WHERE listed.place <= x.indnkeyatts
    ) AS columns
FROM pg_catalog.pg_index AS x
INNER JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
INNER JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = x.indexrelid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')
WHERE n.nspname !~ '^pg_' AND (x.indisunique OR x.indisexclusion)
ORDER BY n.nspname, c.relname, i.relname;

-- name: foreign_keys
-- Every reference with its pairs of columns.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS relation,
    k.conname::text AS name,
    fn.nspname::text AS foreign_schema,
    fc.relname::text AS foreign_relation,
    (
        SELECT array_agg(a.attname::text ORDER BY listed.place)
        FROM unnest(k.conkey) WITH ORDINALITY AS listed (attnum, place)
        INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = listed.attnum
    ) AS columns,
    (
        SELECT array_agg(a.attname::text ORDER BY listed.place)
        FROM unnest(k.confkey) WITH ORDINALITY AS listed (attnum, place)
        INNER JOIN pg_catalog.pg_attribute AS a ON a.attrelid = fc.oid AND a.attnum = listed.attnum
    ) AS foreign_columns
FROM pg_catalog.pg_constraint AS k
INNER JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_catalog.pg_class AS fc ON fc.oid = k.confrelid
INNER JOIN pg_catalog.pg_namespace AS fn ON fn.oid = fc.relnamespace
WHERE k.contype = 'f' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname, k.conname;

-- name: routines
-- Every function, procedure and aggregate that is not the system's own or an extension's.
SELECT
    n.nspname::text AS schema,
    p.proname::text AS name,
    pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments,
    p.prokind::text AS kind,
    pg_catalog.pg_get_userbyid(p.proowner)::text AS owner,
    o.rolsuper AS owner_is_superuser,
    p.prosecdef AS definer,
    p.proleakproof AS leakproof,
    p.provolatile::text AS volatility,
    coalesce(p.proconfig, '{}') AS settings,
    l.lanname::text AS language,
    l.lanpltrusted AS trusted
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
INNER JOIN pg_catalog.pg_roles AS o ON o.oid = p.proowner
INNER JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, p.proname, arguments;

-- name: triggers
-- Every trigger somebody made, with the function it runs.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS relation,
    t.tgname::text AS name,
    fn.nspname::text AS function_schema,
    p.proname::text AS function_name,
    pg_catalog.pg_get_userbyid(p.proowner)::text AS function_owner,
    p.prosecdef AS definer
FROM pg_catalog.pg_trigger AS t
INNER JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
INNER JOIN pg_catalog.pg_namespace AS fn ON fn.oid = p.pronamespace
WHERE NOT t.tgisinternal AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname, t.tgname;

-- name: roles
-- Every role of the server, with the settings it starts with in this database.
SELECT
    r.rolname::text AS name,
    r.rolcanlogin AS can_login,
    r.rolsuper AS is_superuser,
    r.rolbypassrls AS bypasses_rls,
    r.rolcreaterole AS creates_roles,
    r.rolcreatedb AS creates_databases,
    r.rolreplication AS replicates,
    r.rolinherit AS inherits,
    coalesce((
        SELECT array_agg(listed.setting ORDER BY listed.setting)
        FROM pg_catalog.pg_db_role_setting AS s
        CROSS JOIN unnest(s.setconfig) AS listed (setting)
        WHERE s.setrole IN (0, r.oid)
            AND s.setdatabase IN (
                0, (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database())
            )
    ), '{}') AS settings
FROM pg_catalog.pg_roles AS r
ORDER BY r.rolname;

-- name: memberships
-- Who may become whom. Before PostgreSQL 16 every membership could be inherited and used by SET ROLE.
SELECT
    pg_catalog.pg_get_userbyid(m.roleid)::text AS role,
    pg_catalog.pg_get_userbyid(m.member)::text AS member,
    m.admin_option AS administers,
    coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, true) AS inherits,
    coalesce((to_jsonb(m) ->> 'set_option')::boolean, true) AS can_set
FROM pg_catalog.pg_auth_members AS m
ORDER BY 1, 2;

-- name: schemas
-- Every schema that is not the system's own.
SELECT n.nspname::text AS name, pg_catalog.pg_get_userbyid(n.nspowner)::text AS owner
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname;

-- name: grants
-- Every right on anything of this database that somebody other than its owner has; no grantee means everybody.
WITH held AS (
    SELECT
        CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind, n.nspname AS schema, c.relname AS name,
        NULL::name AS part, c.relowner AS owner,
        coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)) AS acl
    FROM pg_catalog.pg_class AS c INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 'COLUMN', n.nspname, c.relname, a.attname, c.relowner, a.attacl
    FROM pg_catalog.pg_attribute AS a
    INNER JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE a.attacl IS NOT NULL AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT
        'ROUTINE', n.nspname, p.proname, pg_catalog.pg_get_function_identity_arguments(p.oid)::name, p.proowner,
        coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_catalog.pg_proc AS p INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    UNION ALL
    SELECT 'TYPE', n.nspname, t.typname, NULL, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
    FROM pg_catalog.pg_type AS t
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
    WHERE t.typelem = 0 AND (t.typtype IN ('d', 'e', 'r') OR c.relkind = 'c')
    UNION ALL
    SELECT 'SCHEMA', n.nspname, n.nspname, NULL, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
    FROM pg_catalog.pg_namespace AS n
    UNION ALL
    SELECT 'DATABASE', '', d.datname, NULL, d.datdba, coalesce(d.datacl, acldefault('d', d.datdba))
    FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()
    UNION ALL
    SELECT 'LARGE OBJECT', '', l.oid::text::name, NULL, l.lomowner, coalesce(l.lomacl, acldefault('L', l.lomowner))
    FROM pg_catalog.pg_largeobject_metadata AS l
    UNION ALL
    SELECT 'FOREIGN SERVER', '', s.srvname, NULL, s.srvowner, coalesce(s.srvacl, acldefault('S', s.srvowner))
    FROM pg_catalog.pg_foreign_server AS s
    UNION ALL
    SELECT 'LANGUAGE', '', l.lanname, NULL, l.lanowner, l.lanacl
    FROM pg_catalog.pg_language AS l WHERE NOT l.lanpltrusted AND l.lanacl IS NOT NULL
    UNION ALL
    SELECT
        'DEFAULT', coalesce(n.nspname, ''),
        CASE d.defaclobjtype
            WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
            ELSE 'SCHEMAS'
        END,
        NULL, d.defaclrole, d.defaclacl
    FROM pg_catalog.pg_default_acl AS d
    LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = d.defaclnamespace
)

SELECT
    h.kind,
    h.schema::text AS schema,
    h.name::text AS name,
    h.part::text AS part,
    pg_catalog.pg_get_userbyid(h.owner)::text AS owner,
    CASE WHEN a.grantee = 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee)::text END AS grantee,
    a.privilege_type AS privilege,
    a.is_grantable AS grantable
FROM held AS h
CROSS JOIN LATERAL aclexplode(h.acl) AS a
WHERE a.grantee <> h.owner AND h.schema !~ '^pg_' AND h.schema <> 'information_schema'
ORDER BY 1, 2, 3, 4, 6, 7;

-- name: open_system_functions
-- Which of the system's functions by which anybody could leave something for others are open to everybody.
SELECT p.proname::text AS name, pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments
FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = 'pg_catalog'::regnamespace
    AND p.proname IN (
        'lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_export', 'pg_read_file', 'pg_read_binary_file',
        'pg_ls_dir', 'pg_stat_file', 'pg_file_write', 'pg_execute_server_program'
    )
    AND has_function_privilege('sitevault_reader', p.oid, 'EXECUTE')
ORDER BY 1, 2;

-- name: try_lock
-- One audit at a time in a database, so that none takes another's canaries away.
SELECT pg_try_advisory_lock(hashtext('sitevault audit'));

-- name: columns_to_plant
-- Every column of every table of tenants that takes a value, with the length a check demands of it.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS relation,
    a.attname::text AS name,
    pg_catalog.format_type(a.atttypid, NULL) AS type,
    (
        SELECT (regexp_match(pg_catalog.pg_get_constraintdef(k.oid), 'octet_length\(\w+\) = (\d+)'))[1]::integer
        FROM pg_catalog.pg_constraint AS k
        WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]
            AND pg_catalog.pg_get_constraintdef(k.oid) LIKE '%octet_length(%'
    ) AS octets,
    coalesce((
        SELECT array_agg(listed.value[1] ORDER BY listed.place)
        FROM pg_catalog.pg_constraint AS k
        CROSS JOIN regexp_matches(pg_catalog.pg_get_constraintdef(k.oid), '''([^'']*)''::text', 'g')
            WITH ORDINALITY AS listed (value, place)
        WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]
            AND pg_catalog.pg_get_constraintdef(k.oid) LIKE '%= ANY (ARRAY[%'
    ), '{}') AS choices,
    EXISTS (
        SELECT FROM pg_catalog.pg_constraint AS k
        WHERE k.contype = 'f'
            AND ((k.conrelid = c.oid AND a.attnum = ANY (k.conkey)) OR (k.confrelid = c.oid AND a.attnum = ANY (k.confkey)))
    ) AS referred
FROM pg_catalog.pg_attribute AS a
INNER JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname IN ('auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops')
    AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    AND EXISTS (
        SELECT FROM pg_catalog.pg_attribute AS t
        WHERE t.attrelid = c.oid AND t.attname IN ('tenant_hk', 'tenant_hks') AND NOT t.attisdropped
    )
ORDER BY n.nspname, c.relname, a.attnum;

-- name: left_behind
-- Canary tenants of an audit that was killed.
SELECT tenant_hk FROM auth.tenant_h WHERE record_source = 'sitevault.audit';

-- name: provenance
-- Every tenant's landed events by what their keys say: is this tenant's, is another's, is nobody's.
WITH landed AS (
    SELECT tenant_hk, api_key_hk, count(*) AS events FROM raw.landed_event GROUP BY tenant_hk, api_key_hk
),

judged AS (
    SELECT
        l.tenant_hk,
        l.events,
        EXISTS (
            SELECT 1 FROM auth.api_key_h AS k WHERE k.tenant_hk = l.tenant_hk AND k.api_key_hk = l.api_key_hk
        ) AS own_key,
        EXISTS (
            SELECT 1 FROM auth.api_key_h AS k WHERE k.tenant_hk <> l.tenant_hk AND k.api_key_hk = l.api_key_hk
        ) AS key_of_another
    FROM landed AS l
)

SELECT
    coalesce(t.tenant_bk, encode(j.tenant_hk, 'hex')) AS tenant_bk,
    coalesce(sum(j.events) FILTER (WHERE j.own_key AND NOT j.key_of_another), 0)::bigint AS consistent,
    coalesce(sum(j.events) FILTER (WHERE j.key_of_another), 0)::bigint AS contradiction,
    coalesce(sum(j.events) FILTER (WHERE NOT j.own_key AND NOT j.key_of_another), 0)::bigint AS unverifiable
FROM judged AS j
LEFT JOIN auth.tenant_h AS t ON t.tenant_hk = j.tenant_hk
GROUP BY 1
ORDER BY 1;

-- name: vaulted_elsewhere
-- Vault rows whose landed event is another tenant's, by the tenant they are under.
SELECT coalesce(t.tenant_bk, encode(v.tenant_hk, 'hex')) AS tenant_bk, count(*) AS events
FROM business.site_event_nl AS v
INNER JOIN raw.landed_event AS e ON e.raw_event_id = v.raw_event_id AND e.tenant_hk <> v.tenant_hk
LEFT JOIN auth.tenant_h AS t ON t.tenant_hk = v.tenant_hk
GROUP BY 1
ORDER BY 1;
