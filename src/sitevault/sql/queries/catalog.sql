-- The catalog of a database as comparable rows: kind, identity, what it is. Two databases with the same rows are
-- the same but for their data. Identities and definitions come with search_path empty, hence fully qualified.

-- name: empty_search_path
-- Definitions name everything in full.
SET LOCAL search_path = '';

-- name: search_path
-- What it is now, to be set again afterwards.
SELECT current_setting('search_path');

-- name: set_search_path
-- Back to what it was, within the transaction.
SELECT set_config('search_path', %(search_path)s, true);

-- name: objects
-- Every object outside PostgreSQL's own schemas, with owner, privileges, comment and settings; extensions by version.
WITH spaces AS (
    SELECT n.oid, n.nspname, n.nspowner, n.nspacl
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
),

of_extensions AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend AS d WHERE d.deptype = 'e'
),

relations AS (
    SELECT
        c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.reloptions, c.relpersistence, c.relrowsecurity,
        c.relforcerowsecurity, c.relispartition, c.relpartbound, c.relreplident,
        format('%I.%I', s.nspname, c.relname) AS identity
    FROM pg_catalog.pg_class AS c
    INNER JOIN spaces AS s ON c.relnamespace = s.oid
    WHERE NOT EXISTS (
        SELECT FROM of_extensions AS x WHERE x.classid = 'pg_catalog.pg_class'::regclass AND x.objid = c.oid
    )
),

described AS (
    SELECT
        'schema' AS kind, s.oid, 0 AS sub, 'pg_catalog.pg_namespace'::regclass AS class, quote_ident(s.nspname) AS identity,
        s.nspowner AS owner, coalesce(s.nspacl, acldefault('n', s.nspowner)) AS acl, '{}'::jsonb AS is
    FROM spaces AS s
    UNION ALL
    SELECT
        CASE r.relkind
            WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'S' THEN 'sequence' ELSE 'relation ' || r.relkind::text
        END,
        r.oid, 0, 'pg_catalog.pg_class'::regclass, r.identity, r.relowner,
        coalesce(r.relacl, acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", r.relowner)),
        jsonb_build_object(
            'persistence', r.relpersistence, 'options', r.reloptions, 'row_security', r.relrowsecurity,
            'forced', r.relforcerowsecurity, 'replica_identity', r.relreplident,
            'partition_by', CASE r.relkind WHEN 'p' THEN pg_get_partkeydef(r.oid) END,
            'partition_of', CASE WHEN r.relispartition THEN (
                SELECT i.inhparent::regclass::text || ' ' || pg_get_expr(r.relpartbound, r.oid)
                FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = r.oid
            ) END,
            'definition', CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END,
            'sequence', CASE r.relkind WHEN 'S' THEN (
                SELECT to_jsonb(q) - 'seqrelid' FROM pg_catalog.pg_sequence AS q WHERE q.seqrelid = r.oid
            ) END
        )
    FROM relations AS r
    WHERE r.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    UNION ALL
    SELECT
        'column', r.oid, a.attnum, 'pg_catalog.pg_class'::regclass, r.identity || '.' || quote_ident(a.attname), NULL::oid,
        a.attacl,
        jsonb_build_object(
            'relation', r.identity, 'name', quote_ident(a.attname),
            'of_view', CASE WHEN r.relkind IN ('v', 'm') THEN true END, 'place', row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum),
            'type', format_type(a.atttypid, a.atttypmod), 'required', a.attnotnull, 'identity', a.attidentity,
            'generated', a.attgenerated, 'default', pg_get_expr(d.adbin, d.adrelid),
            'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
            'storage', a.attstorage, 'statistics', nullif(a.attstattarget, -1), 'options', a.attoptions
        )
    FROM relations AS r
    INNER JOIN pg_catalog.pg_attribute AS a ON r.oid = a.attrelid AND a.attnum > 0 AND NOT a.attisdropped
    INNER JOIN pg_catalog.pg_type AS t ON a.atttypid = t.oid
    LEFT JOIN pg_catalog.pg_attrdef AS d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
    UNION ALL
    SELECT
        'index', i.indexrelid, 0, 'pg_catalog.pg_class'::regclass, r.identity, NULL, NULL,
        jsonb_build_object(
            'on', i.indrelid::regclass::text, 'definition', pg_get_indexdef(i.indexrelid), 'valid', i.indisvalid,
            'of_constraint', (
                SELECT k.conname FROM pg_catalog.pg_constraint AS k
                WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
            ), 'clustered', i.indisclustered, 'replica_identity', i.indisreplident, 'options', r.reloptions
        )
    FROM relations AS r
    INNER JOIN pg_catalog.pg_index AS i ON r.oid = i.indexrelid
    UNION ALL
    SELECT
        'constraint', k.oid, 0, 'pg_catalog.pg_constraint'::regclass,
        coalesce(r.identity, k.contypid::regtype::text) || ' ' || quote_ident(k.conname), NULL, NULL,
        jsonb_build_object(
            'relation', coalesce(r.identity, k.contypid::regtype::text), 'name', quote_ident(k.conname),
            'definition', pg_get_constraintdef(k.oid), 'valid', k.convalidated, 'inherited', k.coninhcount
        )
    FROM pg_catalog.pg_constraint AS k
    INNER JOIN spaces AS s ON k.connamespace = s.oid
    LEFT JOIN relations AS r ON k.conrelid = r.oid
    WHERE k.contype <> 'n' -- NOT NULL stands with its column on every version
    UNION ALL
    SELECT
        CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
        p.oid, 0, 'pg_catalog.pg_proc'::regclass,
        format('%I.%I(%s)', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), p.proowner,
        coalesce(p.proacl, acldefault('f', p.proowner)),
        jsonb_build_object(
            'definition', CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE to_jsonb(p)::text END,
            'arguments', pg_get_function_arguments(p.oid), 'result', pg_get_function_result(p.oid)
        )
    FROM pg_catalog.pg_proc AS p
    INNER JOIN spaces AS s ON p.pronamespace = s.oid
    WHERE NOT EXISTS (
        SELECT FROM of_extensions AS x WHERE x.classid = 'pg_catalog.pg_proc'::regclass AND x.objid = p.oid
    )
    UNION ALL
    SELECT
        'trigger', t.oid, 0, 'pg_catalog.pg_trigger'::regclass, r.identity || ' ' || quote_ident(t.tgname), NULL, NULL,
        jsonb_build_object(
            'relation', r.identity, 'name', quote_ident(t.tgname), 'definition', pg_get_triggerdef(t.oid),
            'enabled', t.tgenabled
        )
    FROM pg_catalog.pg_trigger AS t
    INNER JOIN relations AS r ON t.tgrelid = r.oid
    WHERE NOT t.tgisinternal
    UNION ALL
    SELECT
        'rule', w.oid, 0, 'pg_catalog.pg_rewrite'::regclass, r.identity || ' ' || quote_ident(w.rulename), NULL, NULL,
        jsonb_build_object(
            'relation', r.identity, 'name', quote_ident(w.rulename), 'definition', pg_get_ruledef(w.oid),
            'enabled', w.ev_enabled
        )
    FROM pg_catalog.pg_rewrite AS w
    INNER JOIN relations AS r ON w.ev_class = r.oid
    WHERE w.rulename <> '_RETURN'
    UNION ALL
    SELECT
        'policy', p.oid, 0, 'pg_catalog.pg_policy'::regclass, r.identity || ' ' || quote_ident(p.polname), NULL, NULL,
        jsonb_build_object(
            'relation', r.identity, 'name', quote_ident(p.polname), 'permissive', p.polpermissive, 'command', p.polcmd,
            'roles', ARRAY(SELECT CASE u.role WHEN 0 THEN 'public' ELSE u.role::regrole::text END
                FROM unnest(p.polroles) AS u (role) ORDER BY 1),
            'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid)
        )
    FROM pg_catalog.pg_policy AS p
    INNER JOIN relations AS r ON p.polrelid = r.oid
    UNION ALL
    SELECT
        'type', t.oid, 0, 'pg_catalog.pg_type'::regclass, format('%I.%I', s.nspname, t.typname), t.typowner,
        coalesce(t.typacl, acldefault('T', t.typowner)),
        jsonb_build_object(
            'kind', t.typtype, 'base', nullif(t.typbasetype, 0)::regtype::text, 'required', t.typnotnull,
            'default', t.typdefault,
            'labels', ARRAY(SELECT e.enumlabel FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder)
        )
    FROM pg_catalog.pg_type AS t
    INNER JOIN spaces AS s ON t.typnamespace = s.oid
    WHERE (t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'c' AND EXISTS (
        SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = t.typrelid AND c.relkind = 'c'
    )))
        AND NOT EXISTS (
            SELECT FROM of_extensions AS x WHERE x.classid = 'pg_catalog.pg_type'::regclass AND x.objid = t.oid
        )
    UNION ALL
    SELECT
        'extension', e.oid, 0, 'pg_catalog.pg_extension'::regclass, quote_ident(e.extname), e.extowner, NULL,
        jsonb_build_object('version', e.extversion, 'schema', e.extnamespace::regnamespace::text)
    FROM pg_catalog.pg_extension AS e
    UNION ALL
    SELECT
        'default privileges', d.oid, 0, 'pg_catalog.pg_default_acl'::regclass,
        format('%s for %s in %s', d.defaclobjtype, d.defaclrole::regrole,
            coalesce(nullif(d.defaclnamespace, 0)::regnamespace::text, 'every schema')),
        d.defaclrole, d.defaclacl, '{}'::jsonb
    FROM pg_catalog.pg_default_acl AS d
)

SELECT
    o.kind,
    o.identity,
    jsonb_strip_nulls(o.is || jsonb_build_object(
        'owner', o.owner::regrole::text,
        'comment', CASE o.sub WHEN 0 THEN obj_description(o.oid, o.class::text) ELSE col_description(o.oid, o.sub) END,
        'privileges', (
            SELECT jsonb_agg(one.granted ORDER BY one.granted)
            FROM (
                SELECT jsonb_build_array(
                    x.privilege_type, CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
                    x.grantor::regrole::text, x.is_grantable
                ) AS granted
                FROM aclexplode(o.acl) AS x
            ) AS one
        )
    ))::text AS definition
FROM described AS o
ORDER BY o.kind, o.identity;
