-- What docs/catalog.py asks a migrated database about itself. Daily partitions are copies of their parents and
-- are left out, and so are the default ones.

-- name: schemas
-- Every schema of the product.
SELECT n.nspname AS name, pg_catalog.obj_description(n.oid, 'pg_namespace') AS comment
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
ORDER BY array_position(ARRAY['auth', 'raw', 'staging', 'business', 'mart', 'audit', 'ops'], n.nspname::text);

-- name: relations
-- Every table and view with its comment and, where it has partitions, by what.
SELECT
    n.nspname AS schema,
    c.relname AS name,
    CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END AS kind,
    pg_catalog.obj_description(c.oid, 'pg_class') AS comment,
    CASE c.relkind WHEN 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS partitioned_by,
    c.relrowsecurity AND c.relforcerowsecurity AS secured
FROM pg_catalog.pg_class AS c
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
    AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
ORDER BY n.nspname, c.relname;

-- name: columns
-- Every column of every relation, in its order.
SELECT
    n.nspname AS schema,
    c.relname AS relation,
    a.attname AS name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AS required,
    pg_catalog.col_description(c.oid, a.attnum) AS comment
FROM pg_catalog.pg_attribute AS a
INNER JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
    AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY n.nspname, c.relname, a.attnum;

-- name: constraints
-- Keys and checks by name; NOT NULL is shown with the column.
SELECT
    n.nspname AS schema,
    c.relname AS relation,
    k.conname AS name,
    pg_catalog.pg_get_constraintdef(k.oid) AS definition
FROM pg_catalog.pg_constraint AS k
INNER JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND k.contype IN ('p', 'u', 'f', 'c', 'x') AND NOT c.relispartition
ORDER BY n.nspname, c.relname, array_position(ARRAY['p', 'u', 'f', 'c', 'x'], k.contype::text), k.conname;

-- name: indexes
-- Indexes that are not a constraint's.
SELECT
    n.nspname AS schema,
    c.relname AS relation,
    i.relname AS name,
    regexp_replace(pg_catalog.pg_get_indexdef(i.oid), '^.* USING ', '') AS definition
FROM pg_catalog.pg_index AS x
INNER JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
INNER JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND NOT c.relispartition
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.oid AND k.conrelid = c.oid)
ORDER BY n.nspname, c.relname, i.relname;

-- name: routines
-- Every function with its arguments, result and comment.
SELECT
    n.nspname AS schema,
    p.proname AS name,
    pg_catalog.pg_get_function_arguments(p.oid) AS arguments,
    pg_catalog.pg_get_function_result(p.oid) AS result,
    CASE WHEN p.prosecdef THEN 'its owner' ELSE 'the caller' END AS runs_as,
    pg_catalog.obj_description(p.oid, 'pg_proc') AS comment
FROM pg_catalog.pg_proc AS p
INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
ORDER BY n.nspname, p.proname, arguments;

-- name: roles
-- The product's roles: how they connect and what is set for them.
SELECT
    r.rolname AS name,
    r.rolcanlogin AS logs_in,
    r.rolbypassrls AS bypasses_rls,
    r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication AS administers,
    array(
        SELECT g.rolname::text
        FROM pg_catalog.pg_auth_members AS m INNER JOIN pg_catalog.pg_roles AS g ON g.oid = m.roleid
        WHERE m.member = r.oid AND g.rolname ~ '^sitevault_'
        ORDER BY 1
    ) AS may_become,
    coalesce(r.rolconfig, '{}') AS settings
FROM pg_catalog.pg_roles AS r
WHERE r.rolname ~ '^sitevault_'
ORDER BY array_position(%(order)s::text [], r.rolname::text);

-- name: grants
-- Who may do what with which table, view, sequence, column, function and schema; the owner's own rights left out.
WITH granted AS (
    SELECT n.nspname AS schema, c.relname::text AS object, NULL AS column_name, acl.*
    FROM pg_catalog.pg_class AS c
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS acl
    WHERE NOT c.relispartition
    UNION ALL
    SELECT n.nspname, c.relname::text, a.attname::text, acl.*
    FROM pg_catalog.pg_attribute AS a
    INNER JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS acl
    WHERE NOT c.relispartition
    UNION ALL
    SELECT n.nspname, p.proname || '()', NULL, acl.*
    FROM pg_catalog.pg_proc AS p
    INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    CROSS JOIN LATERAL pg_catalog.aclexplode(p.proacl) AS acl
    UNION ALL
    SELECT n.nspname, '', NULL, acl.*
    FROM pg_catalog.pg_namespace AS n
    CROSS JOIN LATERAL pg_catalog.aclexplode(n.nspacl) AS acl
)

SELECT r.rolname AS role, g.privilege_type AS privilege, g.schema, g.object, g.column_name
FROM granted AS g
INNER JOIN pg_catalog.pg_roles AS r ON r.oid = g.grantee
WHERE g.schema !~ '^pg_' AND r.rolname <> 'sitevault_owner' AND r.rolname ~ '^sitevault_'
ORDER BY r.rolname, g.schema, g.object, g.privilege_type, g.column_name;

-- name: policies
-- Each row-level policy once, with how many tables (partitions left out) have it.
SELECT
    p.policyname AS name,
    p.permissive AS kind,
    p.cmd AS command,
    p.roles::text [] AS roles,
    p.qual AS test,
    count(*) AS tables
FROM pg_catalog.pg_policies AS p
INNER JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname
INNER JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename
WHERE NOT c.relispartition
GROUP BY p.policyname, p.permissive, p.cmd, p.roles, p.qual
ORDER BY p.policyname, p.qual;
